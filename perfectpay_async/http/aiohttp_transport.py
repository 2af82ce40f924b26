"""The transport on aiohttp: one timer round queueing, connecting, sending and reading.

aiohttp's defaults fit a browser-like client. For payments the own session differs from them:
redirects are errors (the `api-key` header would survive a redirect to another host), a request is
never re-sent silently, there are no cookies and no `.netrc`, and the body is decompressed here, so
that a small bomb cannot unpack into memory.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import warnings
from typing import Any, Final
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from perfectpay_async.errors import (
    ClientClosedError,
    ConfigurationError,
    ConnectionLostError,
    DeadlineExceeded,
    PerfectPayError,
    WrongEventLoopError,
)
from perfectpay_async.forks import forks
from perfectpay_async.messages import Request, Response, make_response
from perfectpay_async.outcome import Outcome

from .address import is_loopback
from .body import MAX_BODY, read_body
from .connector import Connector
from .direct import DirectWay, direct_way, is_whole
from .exchange import EXCHANGE, Answer, Exchange
from .session import SessionWay
from .slots import Slots
from .timer import Timer, Timers
from .translate import cut_off, queued_too_long, timed_out, translate

_SHA256_SIZE: Final = 32
_SUCCESS: Final = range(200, 300)
_PACKAGE: Final = __name__.partition(".")[0]


class AiohttpTransport:
    """Sends requests through an aiohttp session, its own or yours.

    Args:
        session: Your own session, with its connector, proxies and native middlewares. It stays
            yours to close. Without one, a session is opened on first use.
        max_connections: Most requests under way at once.
        connect_timeout: Seconds for name look-up, TCP and TLS handshake together.
        proxy: Proxy URL, None for no proxy, or "environment" to read the usual environment
            variables once. A loopback address is never sent through a proxy.
        ssl_context: Trust settings for TLS, such as a private authority or a client certificate.
        fingerprint: SHA-256 of the server's certificate (DER), to accept no other one. The usual
            checks stay: trust a self-signed certificate through `ssl_context`.

    Raises:
        ConfigurationError: The fingerprint is not 32 bytes, or TLS settings were given along with a
            session, which has its own.
    """

    _session: aiohttp.ClientSession | None = None  # for __del__, should __init__ fail

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession | None = None,
        max_connections: int = 100,
        connect_timeout: float = 5.0,
        proxy: str | None = "environment",
        ssl_context: ssl.SSLContext | None = None,
        fingerprint: bytes | None = None,
    ) -> None:
        self._session = session
        self._owns_session = session is None
        self._loop: asyncio.AbstractEventLoop | None = None
        if fingerprint is not None and not _is_sha256(fingerprint):
            raise ConfigurationError(
                "fingerprint must be the SHA-256 of the server's certificate as 32 bytes; "
                "bytes.fromhex makes them of hexadecimal digits"
            )
        if session is not None and (ssl_context or fingerprint):
            raise ConfigurationError(
                "ssl_context and fingerprint have no effect on a session that is passed in; "
                "give them to the connector of that session"
            )
        self._max_connections = max_connections
        # Without the threshold aiohttp rounds timeouts above 5 s up to whole seconds.
        timeout = aiohttp.ClientTimeout(sock_connect=connect_timeout, ceil_threshold=float("inf"))
        self._defaults: dict[str, Any] = {"timeout": timeout, "auto_decompress": False}
        self._proxy_setting = proxy
        # By scheme and authority of the server.
        self._ways: dict[str, tuple[DirectWay | None, SessionWay]] = {}
        self._ssl_context = ssl_context
        self._fingerprint = fingerprint
        self._slots = Slots(max_connections)
        self._forks = 0
        self._closed = False
        self._cut = False
        self._timers = Timers()  # one runs for each send under way
        self._settled = asyncio.Event()
        self._made_at = _caller()

    @property
    def closed(self) -> bool:
        """Whether it sends nothing any more, because it or its session is closed."""
        return self._closed or (self._session is not None and self._session.closed)

    @property
    def max_connections(self) -> int:
        """Most requests under way at once."""
        return self._max_connections

    async def send(self, request: Request) -> Response:
        """Send `request` once. See `Transport.send`."""
        loop = asyncio.get_running_loop()
        session = self._ready_session(loop)
        began = loop.time()
        if began >= request.deadline:
            raise DeadlineExceeded(
                "the deadline had passed before the request was sent", outcome=Outcome.NOT_SENT
            )
        exchange = Exchange()
        token = EXCHANGE.set(exchange)
        timer = Timer(self._timers, loop, min(began + request.attempt_timeout, request.deadline))
        answer: Answer | None = None
        body = b""
        complete = False
        failure: PerfectPayError
        try:
            with timer:
                if not self._slots.take():
                    await self._slots.wait()
                    began = loop.time()  # the wait is never counted as the server's time
                    timer.reschedule(min(began + request.attempt_timeout, request.deadline))
                exchange.begin()
                answer = await self._way_of(request, session).send(request, exchange)
                body = await _body_of(answer)
                complete = exchange.is_complete()
                if not complete and answer.status in _SUCCESS:
                    raise ConnectionLostError(
                        "the server reported success before it had the request"
                    )
                return make_response(
                    answer.status, answer.headers, body, loop.time() - began, request, ()
                )
        except PerfectPayError as error:
            failure = error.with_traceback(None)
        except Exception as error:
            if timer.expired:
                failure = self._ended(request, exchange, began)
            else:
                failure = self._broken(error, exchange)
            _drop_frames(error)
        finally:
            exchange.end(complete=complete)
            if not exchange.queued:
                self._slots.give_back()
            EXCHANGE.reset(token)
            if self._closed and not self._timers.running:
                self._settled.set()
        # Raised out here, aiohttp's exception and its frames are not part of it: they hold the
        # headers and the body, and would make a reference cycle. Nor is the answer.
        answer, body = None, b""
        try:
            raise failure
        finally:
            del failure

    def _ended(self, request: Request, exchange: Exchange, began: float) -> PerfectPayError:
        """Return the error for an exchange that its timer ended."""
        if self._cut:
            return cut_off(unsent=exchange.unsent)
        if exchange.queued:
            return queued_too_long(self._max_connections)
        at_deadline = request.deadline <= began + request.attempt_timeout
        return timed_out(request, at_deadline=at_deadline, unsent=exchange.unsent)

    def _broken(self, error: Exception, exchange: Exchange) -> PerfectPayError:
        """Return the error for an exchange that broke."""
        connector = None if self._session is None else self._session.connector
        if not exchange.fresh and isinstance(connector, Connector):
            connector.drop_kept()
        return translate(error, unsent=exchange.unsent)

    async def close(self, *, drain: float = 0.0) -> None:
        """Close the connections; a session that was passed in stays open. See `Transport.close`."""
        self._check_home(asyncio.get_running_loop())
        self._closed = True
        try:
            await self._settle(drain)
        finally:
            await self._hang_up()

    async def _settle(self, seconds: float | None) -> None:
        """Wait until no send is under way, but no longer than that."""
        try:
            async with asyncio.timeout(seconds):
                while self._timers.running:
                    self._settled.clear()
                    await self._settled.wait()
        except TimeoutError:
            pass

    async def _hang_up(self) -> None:
        self._cut = True
        now = asyncio.get_running_loop().time()
        for timer in self._timers.running:
            timer.reschedule(now)
        try:
            await self._settle(None)
        finally:
            if self._owns_session and self._session is not None:
                session, self._session = self._session, None
                if isinstance(session.connector, Connector):
                    session.connector.abort()
                await session.close()
                await asyncio.sleep(0)  # in this turn of the loop the sockets are closed

    def _check_home(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is not None and (self._loop is not loop or self._forks != forks()):
            raise WrongEventLoopError("the client belongs to another event loop or process")

    def _ready_session(self, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientSession:
        self._check_home(loop)
        if self._closed:
            raise ClientClosedError("the client is closed")
        if self._session is None:
            self._session = self._open_session()
        elif self._session.closed:
            raise ClientClosedError("the session of the client is closed")
        if self._loop is None:
            self._loop, self._forks = loop, forks()
        return self._session

    def _open_session(self) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            connector=Connector(fingerprint=self._fingerprint, ssl=self._ssl_context or True),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            **self._defaults,
        )
        # aiohttp repeats GET and DELETE by itself once when a kept connection drops, behind the
        # back of the retry budget and of the attempts an error reports. There is no public switch;
        # a test fails if this one is renamed.
        session._retry_connection = False  # pyright: ignore[reportPrivateUsage]
        return session

    def _way_of(self, request: Request, session: aiohttp.ClientSession) -> DirectWay | SessionWay:
        url = request.url
        server = f"{url.scheme}://{url.raw_authority}"
        if server not in self._ways:
            self._ways[server] = self._ways_to(url, session)
        direct, ordinary = self._ways[server]
        return direct if direct is not None and is_whole() else ordinary

    def _ways_to(
        self, url: URL, session: aiohttp.ClientSession
    ) -> tuple[DirectWay | None, SessionWay]:
        """Return how to reach the server of `url`."""
        settings: dict[str, Any] = {"allow_redirects": False}
        if not self._owns_session:  # our own was opened with these
            settings |= self._defaults | {"raise_for_status": False}
        proxy = self._find_proxy(url.scheme, url.raw_host or "")
        if proxy is not None:
            settings["proxy"] = proxy
        direct = direct_way(session, url) if self._owns_session and proxy is None else None
        return direct, SessionWay(session, settings)

    def _find_proxy(self, scheme: str, host: str) -> str | None:
        proxy = self._proxy_setting
        if proxy is None or is_loopback(host):
            return None
        if proxy == "environment":
            proxy = None if proxy_bypass(host) else getproxies().get(scheme)
        if proxy is not None and not proxy.startswith(("http://", "https://")):
            raise ConfigurationError("proxy must be an http:// or https:// address")
        return proxy

    def __del__(self) -> None:
        """Warn of connections that were never closed, and close them."""
        if self._session is None or not self._owns_session:
            return
        connector = self._session.connector
        self._session.detach()  # it would warn too, without saying where it comes from
        if self._forks != forks():
            return  # after a fork they belong to the parent, and closing them would disturb it
        if isinstance(connector, Connector):
            connector.hang_up()
        filename, line = self._made_at
        warnings.warn_explicit(
            f"the PerfectPay client made at {filename}:{line} was never closed; open it with "
            "'async with', or await its close()",
            ResourceWarning,
            filename,
            line,
            source=self,
        )


async def _body_of(answer: Answer) -> bytes:
    content = answer.content
    encoding = ", ".join(answer.headers.getall("Content-Encoding", ()))
    if not encoding and content.is_eof() and content.total_bytes <= MAX_BODY:
        return content.read_nowait()  # it came along with the headers, as most answers do
    return await read_body(content.iter_any(), encoding)


def _drop_frames(error: BaseException | None) -> None:
    """Let go of the frames that an error and its causes came through.

    Where a connection is refused, frames of asyncio's and aiohttp's hold the error, which holds
    them: a cycle, and this call's frames and request would hang in it.
    """
    while error is not None and error.__traceback__ is not None:  # one may be its own cause
        error.__traceback__ = None
        error = error.__cause__  # and no context: that may be an error of the caller's own


def _is_sha256(fingerprint: object) -> bool:
    return isinstance(fingerprint, bytes) and len(fingerprint) == _SHA256_SIZE


def _caller() -> tuple[str, int]:
    """Return file and line of the first caller outside this package."""
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage] - far cheaper than a stack
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno
