"""Whether anything grows: 100,000 updates over a socket, with the blocks of memory in between.

python -m benchmarks.growth
"""

from __future__ import annotations

import asyncio
import gc
import sys

from perfectpay_async import CardExpiry, PerfectPay

from .server import CLIENT_CORE, pin, running

CALLS = 100_000
IN_FLIGHT = 64


async def _run(url: str) -> None:
    expiry = CardExpiry(12, 2031)
    async with PerfectPay("snd_bench", base_url=url) as client:
        for number in range(11):
            numbers = iter(range(CALLS // 10 if number else 1_000))

            async def worker(numbers: object = numbers) -> None:
                for _ in numbers:  # type: ignore[attr-defined]
                    await client.payment_methods.update("pm_bench", expiry=expiry)

            async with asyncio.TaskGroup() as group:
                for _ in range(IN_FLIGHT):
                    group.create_task(worker())
            gc.collect()
            print(
                f"{number * CALLS // 10:>7,} calls: {sys.getallocatedblocks():>7,} blocks, "
                f"{len(gc.get_objects()):>7,} objects"
            )


def main() -> None:
    """Run the calls and print what is there after each tenth."""
    with running() as address:
        pin(CLIENT_CORE)
        asyncio.run(_run(address.url))


if __name__ == "__main__":
    main()
