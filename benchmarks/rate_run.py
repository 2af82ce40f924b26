"""A real bulk run against a sandbox whose limit changes, with live traffic beside it.

Run it with `python benchmarks/rate_run.py`; it takes 75 seconds. The sandbox allows 80 requests per
second, then 40, then 80 again. A bulk update with the default ceiling of 40/s shares it with 20
live calls per second that are not repeated when they are throttled. All figures come from the
server's own ledger.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections.abc import Iterator
from contextlib import suppress

from tenacity import stop_after_attempt

from perfectpay_async import CardExpiry, PerfectPay, PerfectPayError, RetryPolicy
from perfectpay_async.bulk import BulkReport
from perfectpay_async.sandbox import Sandbox

LIMITS = (80.0, 40.0, 80.0)
CEILING = 40.0
LIVE = 20.0


async def live_calls(client: PerfectPay, card: str, arrivals: str) -> None:
    """Call without end, at regular or at random (Poisson) times."""
    now = asyncio.get_running_loop().time
    due = now()
    dice = random.Random(1)
    async with asyncio.TaskGroup() as group:
        while True:
            group.create_task(one_call(client, card))
            due += dice.expovariate(LIVE) if arrivals == "random" else 1 / LIVE
            await asyncio.sleep(due - now())


async def one_call(client: PerfectPay, card: str) -> None:
    with suppress(PerfectPayError):  # the ledger has it
        await client.payment_methods.retrieve(card)


async def measure(seconds: float, arrivals: str) -> tuple[Sandbox, BulkReport, list[float]]:
    async with Sandbox(rate_limit=LIMITS[0]) as server:
        card, *cards = server.seed_cards(1 + int(CEILING * seconds * len(LIMITS)))
        now = asyncio.get_running_loop().time
        began = now()

        def rows() -> Iterator[tuple[str, CardExpiry]]:
            for card in cards:
                if now() - began >= seconds * len(LIMITS):
                    return
                yield card, CardExpiry(12, 2035)

        async def change_limit() -> None:
            for number, limit in enumerate(LIMITS[1:], 1):
                await asyncio.sleep(began + number * seconds - now())
                server.rate_limit = limit

        once = RetryPolicy(stop=stop_after_attempt(1))
        async with (
            PerfectPay(server.api_key, base_url=server.url) as bulk,
            PerfectPay(server.api_key, base_url=server.url, retry=once) as live,
        ):
            beside = asyncio.create_task(live_calls(live, card, arrivals))
            changes = asyncio.create_task(change_limit())
            report = await bulk.bulk.update_expiries(rows())
            await changes
            beside.cancel()
            await asyncio.gather(beside, return_exceptions=True)
    return server, report, [began + number * seconds for number in range(len(LIMITS) + 1)]


def show(server: Sandbox, report: BulkReport, edges: list[float]) -> None:
    requests = server.ledger.requests
    for limit, begin, end in zip(LIMITS, edges, edges[1:], strict=False):
        # The ledger's clock and the event loop's are the same.
        inside = [r for r in requests if begin <= r.received < end]
        bulk = [r.status for r in inside if r.operation == "payment_methods.update"]
        live = [r.status for r in inside if r.operation == "payment_methods.retrieve"]
        usable = min(CEILING, limit - LIVE) * (end - begin)
        passed = len(bulk) - bulk.count(429)
        print(
            f"limit {limit:.0f}/s: {passed / usable:6.1%} of the usable rate used; throttled: "
            f"{bulk.count(429)} of {len(bulk):,} bulk requests "
            f"({bulk.count(429) / len(bulk):.2%}), "
            f"{live.count(429)} of {len(live):,} live calls ({live.count(429) / len(live):.2%})"
        )
    figures = report.rate
    assert figures is not None
    print(
        f"whole run: {report.rows:,} rows in {report.elapsed:.1f} s, {report.ok:,} ok; "
        f"{figures.rejected} of {figures.requests:,} requests throttled "
        f"({figures.rejected_share:.2%}), {figures.cuts} cuts, "
        f"gate closed for {figures.gate_seconds:.1f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=25.0, help="length of each phase")
    parser.add_argument("--live", choices=["regular", "random"], default="regular")
    options = parser.parse_args()
    print(f"{LIVE:.0f} live calls/s at {options.live} times, ceiling {CEILING:.0f}/s")
    show(*asyncio.run(measure(options.seconds, options.live)))


if __name__ == "__main__":
    main()
