"""What every kind of fault ends with, measured: the tables of docs/reliability.md.

`python -m tests.chaos.fault_table` prints them, `--write` puts them into the document. It takes
about a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from perfectpay_async import (
    CardExpiry,
    NewCard,
    Outcome,
    PerfectPay,
    PerfectPayError,
    RetryBudget,
    RetryPolicy,
    WaitFullJitter,
)
from perfectpay_async.sandbox import Fault, Sandbox

from .facts import REQUIRED, TIMEOUT
from .plan import card_numbers

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "reliability.md"
ATTEMPT_TIMEOUT: Final = 0.5
DEADLINE: Final = 2.0
CALLS: Final = 8
"""Calls of each operation per fault: few enough for the retry budget not to matter."""
SHARES: Final = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
EXPIRY: Final = CardExpiry(12, 2031)


@frozen
class Case:
    """One row of the table.

    Attributes:
        name: What goes wrong, on every attempt.
        required: Name of the error class, and the outcome.
        fault: The same for the sandbox; None where it is not the server that fails.
        deadline: Seconds.
    """

    name: str
    required: tuple[str, Outcome]
    fault: Fault | None = None
    deadline: float = DEADLINE


NOBODY_LISTENS: Final = Case("nobody listens", ("ConnectError", Outcome.NOT_SENT))
NO_CONNECTION_FREE: Final = Case("all connections busy", ("PoolTimeout", Outcome.NOT_SENT))
PAST: Final = ("DeadlineExceeded", Outcome.UNKNOWN)
ERROR: Final = '{"error": {"type": "blocked", "code": "HE_03", "message": "blocked"}}'
JUNK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"
CASES: Final = (
    NOBODY_LISTENS,
    NO_CONNECTION_FREE,
    Case("400", REQUIRED["400"], Fault.status(400)),
    Case("404", REQUIRED["404"], Fault.status(404)),
    Case("408", REQUIRED["408"], Fault.status(408)),
    Case("425", REQUIRED["425"], Fault.status(425)),
    Case("429", REQUIRED["429"], Fault.status(429)),
    Case("429, Retry-After: 0.2", REQUIRED["429"], Fault.status(429, retry_after=0.2)),
    Case("429, Retry-After: 120", REQUIRED["429"], Fault.status(429, retry_after=120)),
    Case("500", REQUIRED["500"], Fault.status(500)),
    Case("500 after the work", REQUIRED["500"], Fault.status(500, applied=True)),
    Case("501", REQUIRED["501"], Fault.status(501)),
    Case("502, a page of a proxy", REQUIRED["502"], Fault.status(502, body="<html>502</html>")),
    Case("503", REQUIRED["503"], Fault.status(503)),
    Case("503, Retry-After: 0.2", REQUIRED["503"], Fault.status(503, retry_after=0.2)),
    Case("504", REQUIRED["504"], Fault.status(504)),
    Case("200 with an error inside", REQUIRED["200 with an error"], Fault.status(200, body=ERROR)),
    Case("reset before the work", REQUIRED["reset_before"], Fault.reset_before()),
    Case("reset after the work", REQUIRED["reset_after"], Fault.reset_after()),
    Case("half of the body", REQUIRED["truncate"], Fault.truncate()),
    Case("broken HTTP", REQUIRED["raw"], Fault.raw(JUNK)),
    Case("broken JSON", REQUIRED["bad_json"], Fault.bad_json()),
    Case("no answer", TIMEOUT, Fault.stall(applied=False)),
    Case("headers, then nothing", TIMEOUT, Fault.stall()),
    Case("a byte every 50 ms", TIMEOUT, Fault.drip(0.05)),
    Case("5 s of latency", TIMEOUT, Fault.latency(5.0)),
    Case("5 s of latency, deadline 0.4 s", PAST, Fault.latency(5.0), deadline=0.4),
    Case("gzip bomb of 20 MB", REQUIRED["gzip_bomb"], Fault.gzip_bomb(20_000_000)),
    Case("redirect 302", REQUIRED["redirect 302"], Fault.redirect("https://127.0.0.1:9", 302)),
    Case("redirect 307", REQUIRED["redirect 307"], Fault.redirect("https://127.0.0.1:9", 307)),
    Case("redirect 308", REQUIRED["redirect 308"], Fault.redirect("https://127.0.0.1:9", 308)),
)


@frozen
class Failure:
    """How one call ended."""

    kind: str
    outcome: Outcome
    attempts: int
    seconds: float


@frozen
class Measured:
    """How the calls of one case ended."""

    updates: list[Failure]
    creates: list[Failure]
    applied: bool

    @property
    def ends(self) -> set[tuple[str, Outcome]]:
        return {(each.kind, each.outcome) for each in (*self.updates, *self.creates)}


async def measure(case: Case, calls: int = CALLS, pace: float = 1.0) -> Measured:
    """Make calls that meet the fault on every attempt.

    Args:
        case: The row.
        calls: How many, of each operation.
        pace: By this all times of the client are multiplied.
    """
    async with Sandbox(faults=[case.fault] if case.fault else []) as sandbox:
        ids = sandbox.seed_cards(calls)
        for place in range(calls):
            sandbox.seed_customer(f"cus_{place}")
        if case is NOBODY_LISTENS:
            await sandbox.stop()
        async with PerfectPay(
            sandbox.api_key,
            base_url=sandbox.url,
            attempt_timeout=ATTEMPT_TIMEOUT * pace,
            deadline=case.deadline * pace,
            retry=RetryPolicy(wait=WaitFullJitter(0.1 * pace, throttled_base=pace)),
            max_connections=1 if case is NO_CONNECTION_FREE else 100,
        ) as client:
            holder = await _hold(client, sandbox) if case is NO_CONNECTION_FREE else None
            methods = client.payment_methods
            updates = await _failures(
                [partial(methods.update, method_id, expiry=EXPIRY) for method_id in ids]
            )
            cards = [NewCard(n, EXPIRY) for n in itertools.islice(card_numbers(), calls)]
            creates = await _failures(
                [partial(methods.create, f"cus_{place}", card) for place, card in enumerate(cards)]
            )
            if holder is not None:
                holder.cancel()
        return Measured(updates, creates, any(each.applied for each in sandbox.ledger.requests))


async def _hold(client: PerfectPay, sandbox: Sandbox) -> asyncio.Task[Any]:
    """Occupy a connection."""
    sandbox.faults.add(Fault.stall())
    patient = client.with_options(attempt_timeout=60, deadline=60)
    task = asyncio.create_task(patient.payment_methods.list("cus_0"))
    while not sandbox.ledger.requests:  # noqa: ASYNC110 - the server says nothing when it has it
        await asyncio.sleep(0.001)
    return task


async def _failures(calls: Iterable[Callable[[], Any]]) -> list[Failure]:
    async def failure(call: Callable[[], Any]) -> Failure:
        began = time.monotonic()
        try:
            await call()
        except PerfectPayError as error:
            took = time.monotonic() - began
            return Failure(type(error).__name__, error.outcome, len(error.attempts), took)
        raise AssertionError("the fault did not hit")

    return await asyncio.gather(*map(failure, calls))


def row(case: Case, measured: Measured) -> str:
    """Return a row of the table."""
    ends = sorted(measured.ends)
    slowest = max(each.seconds for each in (*measured.updates, *measured.creates))
    cells = (
        case.name,
        "yes" if measured.applied else "no",
        end(case.required),
        " or ".join(map(end, ends)),
        _span(each.attempts for each in measured.updates),
        _span(each.attempts for each in measured.creates),
        f"{slowest:.2f} of {case.deadline:g} s",
    )
    return f"| {' | '.join(cells)} |"


def end(ending: tuple[str, Outcome]) -> str:
    """Return an ending as the table shows it."""
    return f"`{ending[0]}`, {ending[1].name}"


def _span(numbers: Iterable[int]) -> str:
    found = sorted(set(numbers))
    return str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"


async def faults() -> list[str]:
    """Return the lines of the table of faults."""
    head = (
        "what goes wrong, every time", "applied", "required", "measured", "attempts: update",
        "create", "slowest call",
    )  # fmt: skip
    lines = [f"| {' | '.join(head)} |", "| --- " * len(head) + "|"]
    for case in CASES:
        lines.append(row(case, await measure(case)))
        print(lines[-1], flush=True)
    return lines


async def _load(share: float, budget: RetryBudget, calls: int = 1000) -> tuple[float, float]:
    """Return requests per call, and the share of calls that fail, when so many requests do."""
    async with (
        Sandbox(faults=[Fault.status(503, probability=share)]) as sandbox,
        PerfectPay(
            sandbox.api_key,
            base_url=sandbox.url,
            retry=RetryPolicy(wait=WaitFullJitter(0.001)),
            retry_budget=budget,
        ) as client,
    ):
        (method_id,) = sandbox.seed_cards(1)
        failed, queue = 0, iter(range(calls))

        async def worker() -> None:
            nonlocal failed
            for _ in queue:
                try:
                    await client.payment_methods.retrieve(method_id)
                except PerfectPayError:
                    failed += 1

        await asyncio.gather(*(worker() for _ in range(32)))
        return len(sandbox.ledger.requests) / calls, failed / calls


async def outages() -> list[str]:
    """Return the lines of the table of outages."""
    head = (
        "requests that fail", "requests per call", "calls that fail",
        "without a budget: requests per call", "calls that fail",
    )  # fmt: skip
    lines = [f"| {' | '.join(head)} |", "| --- " * len(head) + "|"]
    for share in SHARES:
        load, failed = await _load(share, RetryBudget())
        free_load, free_failed = await _load(share, RetryBudget(retry_cost=0))
        lines.append(
            f"| {share:.0%} | {load:.2f} | {failed:.1%} | {free_load:.2f} | {free_failed:.1%} |"
        )
        print(lines[-1], flush=True)
    return lines


def write(name: str, lines: list[str]) -> None:
    """Put a table between its markers in the document."""
    begin, finish = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, found, rest = DOCUMENT.read_text().partition(begin)
    _, found_too, after = rest.partition(finish)
    if not (found and found_too):
        raise SystemExit(f"{DOCUMENT} must hold {begin} and {finish}")
    table = "\n".join(lines)
    DOCUMENT.write_text(f"{before}{begin}\n\n{table}\n\n{finish}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the tables into the document")
    arguments = parser.parse_args()
    for name, table in (("faults", faults), ("outages", outages)):
        lines = asyncio.run(table())
        if arguments.write:
            write(name, lines)


if __name__ == "__main__":
    main()
