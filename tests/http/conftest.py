"""Fixtures for tests of the transport: a client on the raw server, and what is left behind."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from perfectpay_async import PerfectPay
from perfectpay_async.http import direct

KEY = "snd_planted_83613"


@pytest.fixture(params=["direct", "by a session"])
def way(request, monkeypatch) -> str:
    """How requests leave: directly, or by aiohttp's session as where that does not fit."""
    if request.param == "by a session":
        monkeypatch.setattr(direct, "FITS", False)
    return request.param


@pytest.fixture
async def open_client(raw_server) -> AsyncIterator[Callable[..., PerfectPay]]:
    """Opens clients on the raw server: unless told otherwise no slow machine makes them give up."""
    opened: list[PerfectPay] = []

    def make(**settings: Any) -> PerfectPay:
        defaults = {"base_url": raw_server.url, "attempt_timeout": 20.0, "deadline": 60.0}
        made = PerfectPay(KEY, **{**defaults, **settings})
        opened.append(made)
        return made

    yield make
    for client in opened:
        await client.close()


@pytest.fixture
def client(open_client: Callable[..., PerfectPay]) -> PerfectPay:
    return open_client()


@pytest.fixture
async def quiet_loop() -> AsyncIterator[None]:
    """Fails when something ends up in the event loop's exception handler."""
    noise: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: noise.append(context))
    yield
    gc.collect()
    assert noise == []


@pytest.fixture
def holding(raw_server) -> asyncio.Event:
    """The server never answers; the event is set when it has a request."""
    has_one = asyncio.Event()

    async def handler(reader, _writer):
        await raw_server.read_request(reader)
        has_one.set()
        await reader.read()

    raw_server.handler = handler
    return has_one


def _kind(descriptor: Path) -> str:
    try:
        return descriptor.readlink().name.partition(":")[0]
    except OSError:
        return "the listing itself"


class Census:
    """What there is in this process: open descriptors, tasks and timers of the loop."""

    def __init__(self) -> None:
        loop: Any = asyncio.get_running_loop()
        self.descriptors = Counter(map(_kind, Path("/proc/self/fd").iterdir()))
        self.tasks = len(asyncio.all_tasks())
        self.timers = sum(not timer.cancelled() for timer in loop._scheduled)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Census) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Census({vars(self)})"

    @classmethod
    async def returns_to(cls, before: Census) -> None:
        """Wait until nothing is left but what was there before.

        The other ends of the connections are in this process too, and need a moment to notice.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + 20
        while cls() != before and loop.time() < end:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.001)
        assert cls() == before


@pytest.fixture
def census() -> type[Census]:
    return Census


@pytest.fixture
def own_answers(raw_server, answer) -> None:
    """The raw server answers every request with the payment method it asks for."""

    async def handler(reader, writer):
        while True:
            request = await raw_server.read_request(reader)
            writer.write(answer(method_of(request)))
            await writer.drain()

    raw_server.handler = handler


def method_of(request: bytes) -> bytes:
    """The body that answers a request right: the payment method that its path names."""
    name = next(part for part in request.split(b" ", 2)[1].split(b"/") if part.startswith(b"pm_"))
    return b'{"payment_method_id":"%s"}' % name


@pytest.fixture
def right_body() -> Callable[[bytes], bytes]:
    return method_of
