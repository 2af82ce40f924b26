"""What is known of an exchange of request and answer while it runs."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import NamedTuple

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from multidict import CIMultiDictProxy


class Answer(NamedTuple):
    """An answer whose head has arrived.

    Attributes:
        status: HTTP status.
        headers: Its headers.
        content: Its body, as it arrives.
    """

    status: int
    headers: CIMultiDictProxy[str]
    content: aiohttp.StreamReader


class Exchange:
    """What is known of one exchange while it runs.

    The event loop keeps the context in which a connection was opened for as long as it is open, and
    with it this object: so it holds flags, and a connection only until the exchange ends; never the
    request.

    Attributes:
        queued: Whether it waits for one of the connections to become free.
        unsent: Whether it is certain that nothing of the request was sent.
        fresh: Whether a new connection was made for this exchange.
        response: The answer as a session of aiohttp gave it, which then holds the connection.
    """

    __slots__ = (
        "_connection",
        "_protocol",
        "_released",
        "_transport",
        "fresh",
        "queued",
        "response",
        "unsent",
    )

    def __init__(self) -> None:
        self.queued: bool = True
        self.unsent: bool = True
        self.fresh: bool = False
        self.response: aiohttp.ClientResponse | None = None
        self._released = False
        self._connection: Connection | None = None
        self._protocol: ResponseHandler | None = None
        self._transport: asyncio.Transport | None = None

    def begin(self) -> None:
        """Note that its turn has come.

        From here on the worst is assumed until a connector of ours says otherwise: a session that
        was passed in, or a mock, says nothing.
        """
        self.queued = self.unsent = False

    def take(self, connection: Connection) -> None:
        """Note the connection that the request goes out on."""
        self._connection = connection
        self._protocol, self._transport = connection.protocol, connection.transport

    def note_write(self, transport: asyncio.Transport | None) -> None:
        """Note that the request is being written now, unless the server has hung up already."""
        self.unsent = transport is None or transport.is_closing()

    def release(self) -> None:
        """Give the connection back for other calls: the answer was read to its end."""
        if self._connection is not None:
            self._released = True
            self._connection.release()

    def is_complete(self) -> bool:
        """Return whether the answer was read to its end, and all of the request was sent."""
        # An answer may be there while the request is still being sent.
        return not self._is_held() and (self._transport is None or _is_sent(self._transport))

    def end(self, *, complete: bool) -> None:
        """Let go of the connection; unless the exchange is complete, never use it again."""
        if not complete:
            is_held = self._is_held()
            if self.response is not None:
                self.response.close()
            if self._connection is not None:
                self._connection.close()
            if self._protocol is not None:
                self._protocol.force_close()
            # aiohttp closes politely: it would go on to send what is left of the request to a
            # server that has stopped reading, and keep the socket open for as long as that takes.
            # When all is sent and read to its end, another call may have this connection already.
            if self._transport is not None and (is_held or not _is_sent(self._transport)):
                self._transport.abort()
        self.response = self._connection = self._protocol = self._transport = None

    def _is_held(self) -> bool:
        """Whether no other call can have the connection yet."""
        if self.response is None:
            return not self._released
        return self.response.connection is not None


def _is_sent(transport: asyncio.Transport) -> bool:
    try:
        return not transport.get_write_buffer_size()
    except AttributeError:
        # The server has closed the connection behind its answer. Then asyncio's transport for TLS
        # has nothing left to ask; the one without says 0.
        return True


# The connector runs in the task of the call, so this names the exchange it connects for. aiohttp's
# own way to learn of it, a trace config, costs a fifth of a whole request.
EXCHANGE: ContextVar[Exchange] = ContextVar("perfectpay_exchange")
