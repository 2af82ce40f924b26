"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from traceback import TracebackException
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from multidict import CIMultiDict
from yarl import URL

from perfectpay_async.messages import Operation, Request, Response
from perfectpay_async.secrets import MaskedBytes
from perfectpay_async.testing import MockedApi

settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class RawServer:
    """A TCP server that answers with exactly the bytes, and the pauses, a test writes."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self.handler: Handler = self.close
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        # asyncio reports that a client has gone, unless the collector happens to finalize its
        # objects in one order and not the other.
        protocol: Any = writer.transport.get_protocol()
        protocol._get_close_waiter(writer).add_done_callback(
            lambda closed: closed.cancelled() or closed.exception()
        )
        try:
            await self.handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def read_request(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        request = head + await reader.readexactly(length)
        self.requests.append(request)
        return request

    async def close(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handler: take the request and close without an answer."""
        await self.read_request(reader)

    def answers(self, *answers: bytes) -> None:
        """Answer the n-th request, over all connections, with the n-th of these bytes."""
        queue = list(answers)

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await self.read_request(reader)
                answer = queue.pop(0) if queue else b""
                writer.write(answer)
                await writer.drain()
                if not answer or b"close" in answer.lower():
                    return

        self.handler = handler

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()


def http_answer(body: bytes = b"{}", status: str = "200 OK", *headers: str) -> bytes:
    """The bytes of one complete answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class HandClock:
    """The clock of the running loop, moved by hand: what the machine takes is no time.

    Timers of the loop go off in the turns that follow an `advance`, and never otherwise.
    """

    def __init__(self) -> None:
        self.now = asyncio.get_running_loop().time()

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    clock = HandClock()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: clock.now)
    return clock


@pytest.fixture
async def raw_server() -> AsyncIterator[RawServer]:
    server = RawServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def answer() -> Callable[..., bytes]:
    return http_answer


@pytest.fixture
def mocked_api(perfectpay_mocked_api: MockedApi) -> MockedApi:
    return perfectpay_mocked_api


@pytest.fixture
def make_request() -> Callable[..., Request]:
    """Makes requests as the call path does, with one field or another changed."""

    def make(
        *,
        url: str = "http://127.0.0.1:9/payment_methods/pm_1",
        method: str = "GET",
        name: str = "payment_methods.retrieve",
        repeatable: bool = True,
        idempotent_key: bool = False,
        body: bytes | None = None,
        deadline: float = 60.0,
        attempt_timeout: float = 20.0,
        **fields: Any,
    ) -> Request:
        now = asyncio.get_running_loop().time()
        return Request(
            operation=Operation(
                name, method, "/payment_methods/{payment_method_id}", repeatable, idempotent_key
            ),
            url=URL(url),
            headers={"Accept": "application/json"},
            body=None if body is None else MaskedBytes(body),
            started=now,
            deadline=now + deadline,
            attempt_timeout=attempt_timeout,
            **fields,
        )

    return make


@pytest.fixture
def make_response() -> Callable[..., Response]:
    """Makes an answer to a request."""

    def make(request: Request, status: int = 200, body: bytes = b"{}", **headers: str) -> Response:
        names = CIMultiDict({name.replace("_", "-"): text for name, text in headers.items()})
        return Response(status, names, body, 0.01, request)

    return make


def locals_in_library(error: BaseException) -> str:
    shown: list[str] = []
    pending: list[TracebackException | None] = [
        TracebackException.from_exception(error, capture_locals=True)
    ]
    while pending:
        if (report := pending.pop()) is not None:
            pending += [report.__cause__, report.__context__]
            shown += [
                f"{name}={value}"
                for frame in report.stack
                if "/perfectpay_async/" in frame.filename
                for name, value in (frame.locals or {}).items()
            ]
    return "\n".join([str(error), *shown])


@pytest.fixture
def what_a_tracker_sees() -> Callable[[BaseException], str]:
    """The error's text and the local variables of all frames of the library in its traceback."""
    return locals_in_library
