"""The connections: which kept one may be used again, and which certificate a new one must have.

aiohttp hands out a kept connection as long as it looks open. Two things can be wrong with it. The
server has closed it already, and the news waits in the socket: a request written now is lost with
an unknown outcome. Or bytes came that nobody had asked for (a body longer than announced, a second
answer): they would be taken for the answer to the next request, and so on for each request after
that, so that one card's answer is given to the call for another.
"""

from __future__ import annotations

import asyncio
import hashlib
import select
from typing import Any, Final
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.client_proto import ResponseHandler

from perfectpay_async.errors import TlsError

from .exchange import EXCHANGE
from .session import Body

KEEPALIVE: Final = 15.0
DNS_CACHE: Final = 60
_READ_SIZE: Final = 64 * 1024


class Connector(aiohttp.TCPConnector):
    """Tells the exchange what happens to it, and gives it no connection that is not quiet.

    Args:
        fingerprint: SHA-256 of the only server certificate to accept, on top of the usual checks.
        **settings: Of `aiohttp.TCPConnector`.
    """

    def __init__(self, *, fingerprint: bytes | None, **settings: Any) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - a type of aiohttp's own
            limit=0,  # the transport limits, and tells waiting for it from a slow server
            keepalive_timeout=KEEPALIVE,
            ttl_dns_cache=DNS_CACHE,
            **settings,
        )
        self._pin = fingerprint
        # asyncio lets go of the protocol when its connection is gone.
        self._open: WeakKeyDictionary[ResponseHandler, asyncio.Transport] = WeakKeyDictionary()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[aiohttp.tracing.Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the signature is aiohttp's
    ) -> aiohttp.connector.Connection:
        """Return a kept connection on which nothing is pending, or a new one."""
        exchange = EXCHANGE.get()
        exchange.unsent = True
        while True:
            # aiohttp takes the kept connection that was idle longest, which the server is the most
            # likely to close this very moment; this makes it take the one used last.
            # There is one queue for each host, and a client has one host.
            for kept in self._conns.values():
                kept.rotate(1)
            connection = await super().connect(req, traces, timeout)
            if exchange.fresh or _is_quiet(connection):
                break
            if connection.transport is not None:
                connection.transport.abort()
            connection.close()
        exchange.take(connection)
        # A body is sent later and says so itself; a request without one goes out at once.
        exchange.unsent = isinstance(req.body, Body)
        return connection

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[aiohttp.tracing.Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - as above
    ) -> ResponseHandler:
        protocol = await super()._create_connection(req, traces, timeout)
        EXCHANGE.get().fresh = True
        transport = protocol.transport
        if transport is not None:
            self._open[protocol] = transport
            _read_in_smaller_pieces(transport)
        if self._pin is not None and not _is_pinned(transport, self._pin):
            if transport is not None:
                transport.abort()
            raise TlsError("the server's certificate is not the one that fingerprint names")
        return protocol

    def drop_kept(self) -> None:
        """Close all connections that are not in use.

        When the server has closed one of them, it may be about to close the others too; a repeated
        call must not lose its second attempt in the same way.
        """
        for kept in self._conns.values():
            for protocol, _since in kept:
                if protocol.transport is not None:
                    protocol.transport.abort()

    def abort(self) -> None:
        """Close all connections at once, also those that are being closed politely.

        Over TLS that would take half a minute with a server that does not say goodbye.
        """
        if not self._loop.is_closed():
            for transport in tuple(self._open.values()):
                transport.abort()

    def hang_up(self) -> None:
        """Close everything where nothing can be awaited any more."""
        self.abort()
        self.__exit__(None, None, None)  # aiohttp has no other name for it in all its versions

    def __del__(self, _warnings: object = None) -> None:
        """Say nothing: the transport reports a client that was never closed, and which one."""


def _read_in_smaller_pieces(transport: Any) -> None:
    """Make asyncio's own transports ask for less at once.

    They read into a new buffer of 256 KiB each time. The C library gets memory of that size from
    the kernel and gives it back at once, which takes longer than all else about a read.
    """
    reader: Any = getattr(transport, "_ssl_protocol", transport)
    if hasattr(reader, "max_size"):  # other event loops have buffers of their own
        reader.max_size = _READ_SIZE


def _is_quiet(connection: aiohttp.connector.Connection) -> bool:
    """Whether a kept connection is open, fully written, and has nothing to read."""
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None:
        return False
    if protocol.should_close or transport.get_write_buffer_size():
        return False
    sock = transport.get_extra_info("socket")
    return sock is None or not _is_readable(sock.fileno())


def _is_readable(descriptor: int) -> bool:
    if hasattr(select, "poll"):  # select() cannot look at descriptors from 1,024
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([descriptor], [], [], 0)[0])


def _is_pinned(transport: asyncio.Transport | None, fingerprint: bytes) -> bool:
    tls = None if transport is None else transport.get_extra_info("ssl_object")
    if tls is None:
        return False
    return hashlib.sha256(tls.getpeercert(binary_form=True)).digest() == fingerprint
