"""A real bulk run against a sandbox whose limit changes or that fails, with live traffic beside it.

Run it with `python benchmarks/rate_run.py`; it takes 75 seconds. The sandbox allows 80 requests per
second, then 40, then 80 again. A bulk update with the default ceiling of 40/s shares it with 20
live calls per second that are not repeated when they are throttled. With `--outage` the limit stays
80/s, and the server is out of order for 20 seconds in the middle: it answers 503 or 429 to
everything, or does not listen. All figures come from the server's own ledger, and those of an
outage from the client as well, because a server that does not listen counts nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus

from tenacity import stop_after_attempt

from perfectpay_async import CardExpiry, PerfectPay, PerfectPayError, RetryPolicy
from perfectpay_async.bulk import BulkReport, RateFigures
from perfectpay_async.sandbox import Fault, Sandbox

LIMITS = (80.0, 40.0, 80.0)
CEILING = 40.0
LIVE = 20.0
OUTAGE = 20.0


@dataclass
class Run:
    """What happened, and when each part of it began; the last edge is the end."""

    server: Sandbox
    edges: list[float]
    report: BulkReport | None = None
    sent: list[float] = field(default_factory=list)
    """When each bulk request ended, by the event loop's clock, which is the ledger's too."""

    def statuses(self, operation: str, begin: float, end: float) -> list[int | None]:
        return [
            request.status
            for request in self.server.ledger.requests
            if request.operation == operation and begin <= request.received < end
        ]


async def live_calls(client: PerfectPay, card: str, arrivals: str, seed: int) -> None:
    """Call without end, at regular or at random (Poisson) times."""
    now = asyncio.get_running_loop().time
    due = now()
    dice = random.Random(seed)
    async with asyncio.TaskGroup() as group:
        while True:
            group.create_task(one_call(client, card))
            due += dice.expovariate(LIVE) if arrivals == "random" else 1 / LIVE
            await asyncio.sleep(due - now())


async def one_call(client: PerfectPay, card: str) -> None:
    with suppress(PerfectPayError):  # the ledger has it
        await client.payment_methods.retrieve(card)


async def set_limits(run: Run) -> None:
    for limit, edge in zip(LIMITS[1:], run.edges[1:], strict=False):
        await sleep_until(edge)
        run.server.rate_limit = limit


async def fail(run: Run, kind: str) -> None:
    await sleep_until(run.edges[1])
    if kind == "refused":
        await run.server.stop()
    else:
        run.server.faults.add(Fault.status(int(kind)))
    await sleep_until(run.edges[2])
    if kind == "refused":
        await run.server.start()
    else:
        run.server.faults.clear()


async def sleep_until(moment: float) -> None:
    await asyncio.sleep(moment - asyncio.get_running_loop().time())


async def measure(seconds: float, arrivals: str, outage: str | None, seed: int) -> Run:
    lengths = (seconds, OUTAGE if outage else seconds, seconds)
    async with Sandbox(rate_limit=LIMITS[0]) as server:
        card, *cards = server.seed_cards(1 + int(CEILING * sum(lengths)))
        now = asyncio.get_running_loop().time
        began = now()
        run = Run(server, [began + sum(lengths[:number]) for number in range(4)])

        def rows() -> Iterator[tuple[str, CardExpiry]]:
            for card in cards:
                if now() >= run.edges[-1]:
                    return
                yield card, CardExpiry(12, 2035)

        def note(_figures: RateFigures) -> None:
            run.sent.append(now())

        once = RetryPolicy(stop=stop_after_attempt(1))
        async with (
            PerfectPay(server.api_key, base_url=server.url) as bulk,
            PerfectPay(server.api_key, base_url=server.url, retry=once) as live,
        ):
            beside = asyncio.create_task(live_calls(live, card, arrivals, seed))
            story = asyncio.create_task(fail(run, outage) if outage else set_limits(run))
            run.report = await bulk.bulk.update_expiries(rows(), on_rate=note)
            await story
            beside.cancel()
            await asyncio.gather(beside, return_exceptions=True)
    return run


def show_limits(run: Run) -> None:
    for limit, begin, end in zip(LIMITS, run.edges, run.edges[1:], strict=False):
        bulk = run.statuses("payment_methods.update", begin, end)
        live = run.statuses("payment_methods.retrieve", begin, end)
        usable = min(CEILING, limit - LIVE) * (end - begin)
        print(
            f"limit {limit:.0f}/s: {(len(bulk) - bulk.count(429)) / usable:6.1%} of the usable "
            f"rate used; throttled: {bulk.count(429)} of {len(bulk):,} bulk requests "
            f"({bulk.count(429) / len(bulk):.2%}), "
            f"{live.count(429)} of {len(live):,} live calls ({live.count(429) / len(live):.2%})"
        )


def show_outage(run: Run) -> None:
    _, begin, end, last = run.edges
    during = [moment - begin for moment in run.sent if begin <= moment < end]
    print(
        f"outage of {end - begin:.0f} s: {len(during)} bulk requests, of which "
        f"{sum(moment >= 1.0 for moment in during)} after its first second"
    )
    done = [
        request.received
        for request in run.server.ledger.requests
        if request.operation == "payment_methods.update" and request.status == HTTPStatus.OK
    ]
    back = next(
        (
            moment
            for moment in (end + tenths / 10 for tenths in range(int(10 * (last - end)) - 10))
            if sum(moment <= at < moment + 1.0 for at in done) >= 0.9 * CEILING
        ),
        None,
    )
    print(
        "never back at 90 % of the ceiling"
        if back is None
        else f"back at 90 % of the ceiling {back - end:.1f} s after its end"
    )


def show_whole(run: Run) -> None:
    report = run.report
    assert report is not None
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
    parser.add_argument("--seed", type=int, default=1, help="of the random arrival times")
    parser.add_argument("--outage", choices=["503", "429", "refused"])
    options = parser.parse_args()
    print(f"{LIVE:.0f} live calls/s at {options.live} times, ceiling {CEILING:.0f}/s")
    run = asyncio.run(measure(options.seconds, options.live, options.outage, options.seed))
    if options.outage:
        show_outage(run)
    else:
        show_limits(run)
    show_whole(run)


if __name__ == "__main__":
    main()
