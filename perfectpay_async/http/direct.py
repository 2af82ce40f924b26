"""The direct way: a request on a connection of aiohttp's, without its session in between.

`aiohttp.ClientSession` prepares each request for what a call of ours never has: redirects, cookies,
credentials in URLs and in `.netrc`, traces, bodies that are streamed, compressed or tracked; and it
gives each body a task of its own. That is more than a quarter of the work for a call. Here is only
what remains: take a connection, write head and body in one piece, wait for the answer. The
connections and their pool, names, TLS, the writing of heads and the parsing of answers are
aiohttp's all the same. The session itself is used through a proxy, where one was passed in or is
traced, and where somebody has put a function of their own in the place of one of aiohttp's, as
mocks and instrumentation do.
"""

from __future__ import annotations

import asyncio
from operator import is_
from types import FunctionType
from typing import Any, Final

import aiohttp
from aiohttp.http import StreamWriter
from multidict import CIMultiDict
from yarl import URL

from perfectpay_async.messages import Request

from .connector import Connector
from .exchange import Answer, Exchange

_SESSION: Final = aiohttp.ClientSession
_REQUEST: Final = aiohttp.ClientRequest
_RESPONSE: Final = aiohttp.ClientResponse
_WITHOUT_BODY: Final = _REQUEST.GET_METHODS


def _functions() -> tuple[Any, ...]:
    """Return those of aiohttp that a request passes through on the ordinary way, and not here."""
    return (
        _SESSION.__init__,
        _SESSION.request,
        _SESSION._request,  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        _REQUEST.__init__,
        _REQUEST.send,
        _RESPONSE.start,
    )


def _is_original(function: Any) -> bool:
    # A wrapper may show all attributes of what it wraps, but not its type.
    if type(function) is not FunctionType:
        return False
    module: str = function.__globals__["__name__"]
    return module.startswith("aiohttp.")


_ORIGINALS: Final = _functions()
FITS: Final = aiohttp.__version__.startswith("3.14.") and all(map(_is_original, _ORIGINALS))
"""Whether this is an aiohttp that the direct way was written for, and was whole at the import."""


class DirectWay:
    """Sends requests to one server.

    Args:
        session: Whose connections are used.
        connector: Its connector.
        url: Any URL of the server.
    """

    __slots__ = ("_connector", "_host", "_loop", "_server", "_timeout")

    def __init__(self, session: aiohttp.ClientSession, connector: Connector, url: URL) -> None:
        self._connector = connector
        self._host = url.host_port_subcomponent or ""
        self._loop = asyncio.get_running_loop()
        self._timeout = session.timeout
        # A connector is asked with a request, and looks at the server and the TLS settings in it.
        self._server = aiohttp.ClientRequest("GET", url.origin(), loop=self._loop, session=session)

    async def send(self, request: Request, exchange: Exchange) -> Answer:
        """Send `request`, and return the answer when its head is there.

        However it ends, `exchange` knows the connection, and ends its use.

        Raises:
            aiohttp.ClientError: As its session does.
            aiohttp.http.HttpProcessingError: The answer is not HTTP.
        """
        try:
            connection = await self._connector.connect(self._server, [], self._timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error
        exchange.unsent = True
        protocol: Any = connection.protocol  # there is one until it is released
        method, body = request.operation.method, request.body
        headers = CIMultiDict({"Host": self._host})
        headers.update(request.headers)
        if body is not None or method not in _WITHOUT_BODY:
            headers["Content-Length"] = str(len(body or b""))
        protocol.set_response_params(
            skip_payload=method == "HEAD", read_until_eof=True, auto_decompress=False
        )
        writer = StreamWriter(protocol, self._loop)
        await writer.write_headers(f"{method} {request.url.raw_path_qs} HTTP/1.1", headers)
        exchange.note_write(protocol.transport)
        # Not to wait until it is sent: a server may answer before it has read all, or instead.
        await writer.write(body or b"", drain=False)
        while True:
            message, content = await protocol.read()
            if not 100 <= message.code < 200 or message.code == 101:  # noqa: PLR2004
                break
        if not protocol.upgraded:
            content.on_eof(exchange.release)
        return Answer(message.code, message.headers, content)


def direct_way(session: aiohttp.ClientSession, url: URL) -> DirectWay | None:
    """Return the direct way to the server of `url` if there is one, which must need no proxy."""
    connector = session.connector
    if (
        FITS
        and is_whole()
        and type(session) is _SESSION
        and isinstance(connector, Connector)
        and not session.trace_configs
        and url.scheme in {"http", "https"}
        and "@" not in url.raw_authority
    ):
        return DirectWay(session, connector, url)
    return None


def is_whole() -> bool:
    """Return whether in this moment nothing of aiohttp's is replaced."""
    # Not by `==`: a wrapper may say that it equals what it wraps.
    return all(map(is_, _functions(), _ORIGINALS))
