"""The transport on aiohttp: one timer round connecting, sending and reading the whole body.

aiohttp's defaults fit a browser-like client. For payments the own session differs from them:
redirects are errors (the `api-key` header would survive a redirect to another host), a request is
never re-sent silently, there are no cookies and no `.netrc`, and the body is decompressed here, so
that a small bomb cannot unpack into memory.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from contextvars import ContextVar
from typing import Final
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from perfectpay_async.errors import (
    AttemptTimeout,
    ClientClosedError,
    ConnectError,
    ConnectionLostError,
    DeadlineExceeded,
    PerfectPayError,
    PoolTimeout,
    TlsError,
    TransportError,
    WrongEventLoopError,
)
from perfectpay_async.messages import Request, Response
from perfectpay_async.outcome import Outcome

from .address import is_loopback
from .body import read_body

KEEPALIVE: Final = 15.0
DNS_CACHE: Final = 60


class _Exchange:
    """Whether the exchange is known to wait for its connection still, so that nothing was sent."""

    __slots__ = ("connecting",)

    def __init__(self) -> None:
        self.connecting = False


# The connector runs in the task of the call, so this names the exchange it connects for. aiohttp's
# own way to learn of it, a trace config, costs a fifth of a whole request.
_EXCHANGE: ContextVar[_Exchange] = ContextVar("perfectpay_exchange")


class _Connector(aiohttp.TCPConnector):
    """Notes when a connection is being made and when it is there.

    Where no connector of ours is at work (a session that was passed in, a mock), nothing is noted
    and the worst is assumed: that the request may have been sent.
    """

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[aiohttp.tracing.Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the signature is aiohttp's
    ) -> aiohttp.connector.Connection:
        exchange = _EXCHANGE.get()
        exchange.connecting = True
        connection = await super().connect(req, traces, timeout)
        exchange.connecting = False
        return connection


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
    """

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession | None = None,
        max_connections: int = 100,
        connect_timeout: float = 5.0,
        proxy: str | None = "environment",
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._session = session
        self._owns_session = session is None
        self._max_connections = max_connections
        # Without the threshold aiohttp rounds timeouts above 5 s up to whole seconds.
        self._timeout = aiohttp.ClientTimeout(
            sock_connect=connect_timeout, ceil_threshold=float("inf")
        )
        self._proxy_setting = proxy
        self._proxies: dict[str, str | None] = {}
        self._ssl_context = ssl_context
        self._pool = asyncio.Semaphore(max_connections)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0
        self._closed = False

    async def send(self, request: Request) -> Response:
        """Send `request` once. See `Transport.send`."""
        session = self._ready_session()
        if self._pool.locked():
            await self._queue(request)
        else:
            await self._pool.acquire()
        try:
            return await self._exchange(session, request)
        finally:
            self._pool.release()

    async def close(self) -> None:
        """Close the connections; a session that was passed in stays open."""
        self._closed = True
        if self._owns_session and self._session is not None:
            session, self._session = self._session, None
            await session.close()

    def _ready_session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._closed:
            raise ClientClosedError("the client is closed")
        if self._loop is None:
            self._loop, self._process = loop, os.getpid()
        elif self._loop is not loop or self._process != os.getpid():
            raise WrongEventLoopError("the client belongs to another event loop or process")
        if self._session is None:
            self._session = self._open_session()
        return self._session

    def _open_session(self) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            connector=_Connector(
                limit=0,  # the pool above limits, and tells waiting for it from a slow server
                keepalive_timeout=KEEPALIVE,
                ttl_dns_cache=DNS_CACHE,
                ssl=self._ssl_context or True,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        # aiohttp repeats GET and DELETE by itself once when a kept connection drops, behind the
        # back of the retry budget and of the attempts an error reports. There is no public switch;
        # a test fails if this one is renamed.
        session._retry_connection = False  # pyright: ignore[reportPrivateUsage]
        return session

    async def _queue(self, request: Request) -> None:
        """Wait for a free connection; that time is never counted as the server's."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(
                min(request.deadline, loop.time() + request.attempt_timeout)
            ):
                await self._pool.acquire()
        except TimeoutError:
            timed_out = True
        else:
            timed_out = False
        if timed_out:
            raise PoolTimeout(f"all {self._max_connections} connections stayed busy")

    async def _exchange(self, session: aiohttp.ClientSession, request: Request) -> Response:
        loop = asyncio.get_running_loop()
        began = loop.time()
        if began >= request.deadline:
            raise DeadlineExceeded(
                "the deadline had passed before the request was sent", outcome=Outcome.NOT_SENT
            )
        attempt_end = began + request.attempt_timeout
        exchange = _Exchange()
        token = _EXCHANGE.set(exchange)
        timer = asyncio.timeout_at(min(attempt_end, request.deadline))
        failure: PerfectPayError
        try:
            async with timer:
                answer = await session.request(
                    request.operation.method,
                    request.url,
                    headers=request.headers,
                    data=request.body,
                    allow_redirects=False,
                    raise_for_status=False,
                    auto_decompress=False,
                    proxy=self._proxy_for(request.url),
                    timeout=self._timeout,
                )
                try:
                    encoding = answer.headers.get("Content-Encoding", "")
                    body = await read_body(answer.content.iter_any(), encoding)
                finally:
                    # A connection whose body was read to its end is back in the pool already;
                    # any other must not be used again.
                    answer.close()
        except PerfectPayError as error:
            failure = error.with_traceback(None)
        except Exception as error:
            if timer.expired():
                failure = _timed_out(request, exchange, deadline=request.deadline <= attempt_end)
            else:
                failure = _translate(error, exchange)
        else:
            return Response(answer.status, answer.headers, body, loop.time() - began, request)
        finally:
            _EXCHANGE.reset(token)
        # Raised out here, aiohttp's exception and its frames are not part of it: they hold the
        # headers and the body, and would make a reference cycle.
        try:
            raise failure
        finally:
            del failure

    def _proxy_for(self, url: URL) -> str | None:
        if self._proxy_setting is None:
            return None
        host = url.raw_host or ""
        if host not in self._proxies:
            self._proxies[host] = self._find_proxy(url.scheme, host)
        return self._proxies[host]

    def _find_proxy(self, scheme: str, host: str) -> str | None:
        if is_loopback(host):
            return None
        if self._proxy_setting != "environment":
            return self._proxy_setting
        return None if proxy_bypass(host) else getproxies().get(scheme)


def _timed_out(request: Request, exchange: _Exchange, *, deadline: bool) -> PerfectPayError:
    outcome = Outcome.NOT_SENT if exchange.connecting else None
    doing = "connecting" if exchange.connecting else "waiting for the answer"
    if deadline:
        return DeadlineExceeded(f"the deadline passed while {doing}", outcome=outcome)
    return AttemptTimeout(
        f"the attempt took longer than {request.attempt_timeout:g} s ({doing})", outcome=outcome
    )


def _translate(error: Exception, exchange: _Exchange) -> TransportError:
    """Return our error for aiohttp's. Its text is left out: it may quote the URL or a header."""
    kind = type(error).__name__
    if isinstance(error, aiohttp.ClientSSLError | aiohttp.ServerFingerprintMismatch):
        return TlsError(f"the TLS handshake with the server failed ({kind})")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return ConnectError("connecting to the server took too long")
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientHttpProxyError):
        return ConnectError(f"could not connect to the server ({kind})")
    outcome = Outcome.NOT_SENT if exchange.connecting else None
    if isinstance(error, aiohttp.ClientError | OSError | EOFError):
        return ConnectionLostError(
            f"the connection broke before the answer was complete ({kind})", outcome=outcome
        )
    return TransportError(f"the exchange with the server failed ({kind})", outcome=outcome)
