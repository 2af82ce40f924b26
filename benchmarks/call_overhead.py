"""What one update costs on top of a bare aiohttp call.

Run it with `python benchmarks/call_overhead.py`. A server process that does next to nothing answers
on loopback; the contenders take turns in rounds, so that a machine that gets slower gets slower for
both. The figure of record is the client's CPU time (user and system) per request, as a ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection

import aiohttp

from perfectpay_async import CardExpiry, PerfectPay

BODY = json.dumps(
    {
        "payment_method_id": "pm_bench",
        "payment_method": "card",
        "payment_method_type": "credit",
        "customer_id": "cus_bench",
        "merchant_id": "merchant_bench",
        "card": {"last4_digits": "1111", "expiry_month": "12", "expiry_year": "31"},
        "created": "2031-01-02T03:04:05.678Z",
        "last_used_at": "2031-01-02T03:04:05.678Z",
        "metadata": None,
    }
).encode()
ANSWER = (
    f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
).encode() + BODY

Call = Callable[[], Awaitable[object]]


class _Server(asyncio.Protocol):
    """Answers each request that arrives; a request here always fits into one packet."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if isinstance(self._transport, asyncio.Transport):
            self._transport.write(ANSWER * data.count(b" HTTP/1.1\r\n"))


def _serve(pipe: Connection) -> None:
    _pin(1)

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def _pin(core: int) -> None:
    if hasattr(os, "sched_setaffinity") and core in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {core})


async def _cpu_per_request(call: Call, requests: int, in_flight: int) -> float:
    numbers = iter(range(requests))

    async def worker() -> None:
        for _ in numbers:
            await call()

    began = time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(worker())
    return (time.process_time() - began) / requests


async def _compare(url: str, requests: int, rounds: int) -> None:
    headers = {"api-key": "snd_bench", "Content-Type": "application/json"}
    body = b'{"payment_method_data":{"card":{"card_exp_month":"12","card_exp_year":"31"}}}'
    path = f"{url}/payment_methods/pm_bench/update"
    expiry = CardExpiry(12, 2031)
    async with aiohttp.ClientSession() as session, PerfectPay("snd_bench", base_url=url) as client:

        async def bare() -> object:
            async with session.post(path, data=body, headers=headers) as response:
                return await response.read()

        async def ours() -> object:
            return await client.payment_methods.update("pm_bench", expiry=expiry)

        for in_flight in (1, 32, 256):
            times: dict[str, list[float]] = {"bare": [], "ours": []}
            for _ in range(rounds):
                times["bare"].append(await _cpu_per_request(bare, requests, in_flight))
                times["ours"].append(await _cpu_per_request(ours, requests, in_flight))
            medians = {name: statistics.median(values) for name, values in times.items()}
            print(
                f"{in_flight:>4} in flight: raw aiohttp {medians['bare'] * 1e6:6.1f} us, "
                f"perfectpay_async {medians['ours'] * 1e6:6.1f} us CPU a request, "
                f"ratio {medians['ours'] / medians['bare']:.2f}"
            )


def main() -> None:
    """Start the server process, compare, and stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=3_000, help="in each round")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
    server.start()
    _pin(0)
    try:
        url = f"http://127.0.0.1:{ours.recv()}"
        asyncio.run(_compare(url, options.requests, options.rounds))
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
