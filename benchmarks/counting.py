"""Counts what a call takes, in bytecodes and function calls: the same on any machine, at any load.

    python -m benchmarks.counting

The tests hold the counts to a limit, so that a line too many on the path of a call is noticed in
the change that adds it. Time is measured elsewhere; this counts Python alone, not what C does.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple

import aiohttp

from perfectpay_async import CardExpiry, Middlewares, PerfectPay, Request, Response

from .answers import ANSWERS
from .contenders import HEADERS, UPDATE_BODY
from .contenders.ours_with_middlewares import nothing

CALLS = 20
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(ANSWERS["payment_methods"]),
    ANSWERS["payment_methods"],
)


class Count(NamedTuple):
    """What one call takes."""

    bytecodes: float
    functions: float


class _Server(asyncio.Protocol):
    def __init__(self, opened: list[asyncio.BaseTransport]) -> None:
        self._opened = opened

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._opened.append(transport)

    def data_received(self, data: bytes) -> None:
        # The body of a request may come by itself; its answer is due when the last byte is there.
        if data.endswith(UPDATE_BODY) and isinstance(self._transport, asyncio.Transport):
            self._transport.write(_ANSWER)


@contextmanager
def server() -> Iterator[str]:
    """Run a server in a thread of its own, whose work is not counted; give its address."""
    loop = asyncio.new_event_loop()
    opened: list[asyncio.BaseTransport] = []
    made = loop.run_until_complete(loop.create_server(lambda: _Server(opened), "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{made.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        made.close()
        for transport in opened:
            transport.close()
        loop.run_until_complete(asyncio.sleep(0.01))  # in the turns of the loop they are closed
        loop.close()


class Instant:
    """A transport that answers at once: what is counted then is all that is above it."""

    async def send(self, request: Request) -> Response:
        return Response(200, {}, ANSWERS["payment_methods"], 0.0, request)

    async def close(self, *, drain: float = 0.0) -> None:
        pass


async def count(call: Callable[[], Awaitable[object]]) -> Count:
    """Count one call, after a few that fill the caches."""
    for _ in range(5):
        await call()
    bytecodes = functions = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal bytecodes
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        bytecodes += event == "opcode"
        return trace

    def profile(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal functions
        functions += event in {"call", "c_call"}

    # In a task of its own, all of whose frames begin when they are watched.
    async def calls() -> None:
        for _ in range(CALLS):
            await call()

    before = sys.gettrace(), sys.getprofile()
    sys.settrace(trace)
    try:
        await asyncio.create_task(calls())
    finally:
        sys.settrace(before[0])
    sys.setprofile(profile)
    try:
        await asyncio.create_task(calls())
    finally:
        sys.setprofile(before[1])
    return Count(bytecodes / CALLS, functions / CALLS)


async def count_all(url: str) -> dict[str, Count]:
    """Count an update: by aiohttp alone, by this library, by its part above the transport."""
    expiry = CardExpiry(12, 2031)
    more = Middlewares(call=[nothing] * 3, attempt=[nothing] * 2)
    async with (
        aiohttp.ClientSession() as session,
        PerfectPay("snd_bench", base_url=url) as whole,
        PerfectPay("snd_bench", base_url=url, session=session) as by_session,
        PerfectPay("snd_bench", base_url=url, middlewares=more, transport=Instant()) as with_more,
        PerfectPay("snd_bench", base_url=url, transport=Instant()) as above,
    ):
        target = f"{url}/payment_methods/pm_bench/update"

        async def raw() -> bytes:
            async with session.post(target, data=UPDATE_BODY, headers=HEADERS) as response:
                return await response.read()

        return {
            "raw aiohttp": await count(raw),
            "whole": await count(lambda: whole.payment_methods.update("pm_bench", expiry=expiry)),
            "whole, by a session": await count(
                lambda: by_session.payment_methods.update("pm_bench", expiry=expiry)
            ),
            "above the transport": await count(
                lambda: above.payment_methods.update("pm_bench", expiry=expiry)
            ),
            "there, with 5 middlewares": await count(
                lambda: with_more.payment_methods.update("pm_bench", expiry=expiry)
            ),
        }


def main() -> None:
    """Print the counts."""
    with server() as url:
        counts = asyncio.run(count_all(url))
    raw = counts["raw aiohttp"]
    if not raw.bytecodes:  # 3.12.1 is such a one
        raise SystemExit("this Python reports no bytecodes to a trace function; use another one")
    for name, (bytecodes, functions) in counts.items():
        print(
            f"{name:25} {bytecodes:7.0f} bytecodes ({bytecodes / raw.bytecodes:.2f} x raw), "
            f"{functions:5.0f} function calls ({functions / raw.functions:.2f} x raw)"
        )


if __name__ == "__main__":
    main()
