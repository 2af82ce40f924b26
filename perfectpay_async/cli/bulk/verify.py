"""`perfectpay bulk verify`: look whether the cards hold what a job says they were given."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from contextlib import closing

import attrs
import click
from rich.console import Console
from yarl import URL

from perfectpay_async.bulk import ExpiryRow, Finding, Verdict, VerifyReport
from perfectpay_async.bulk.chunks import CHUNK_ROWS
from perfectpay_async.bulk.counted import counted
from perfectpay_async.bulk.jobs import JobFacts, JobStore
from perfectpay_async.bulk.jobs.journal import Journal
from perfectpay_async.bulk.rows import Row
from perfectpay_async.cli.consoles import stderr_console, stdout_console
from perfectpay_async.cli.exits import ExitCode
from perfectpay_async.cli.naming import renamed
from perfectpay_async.client import PerfectPay
from perfectpay_async.errors import AuthenticationError, PermissionDenied

from .job_input import file_option, not_replaced, open_job_input
from .jobs import store_option
from .options import Pace, Target, pace_options

SCHEMA = 1
"""Version of the JSON form. New keys may be added to it; a changed meaning makes a new one."""

_SHOWN = 20


@click.command("verify")
@click.argument("job")
@click.option("--sample", type=click.IntRange(1), help="Look at so many cards, drawn at random.")
@click.option("--seed", type=int, help="Makes the sample repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print the account as one JSON object.")
@file_option
@pace_options
@store_option
def verify(
    *,
    job: str,
    sample: int | None,
    seed: int | None,
    as_json: bool,
    file: str | None,
    pace: Pace,
    store: JobStore,
) -> int:
    """Retrieve the cards of JOB's ok rows, and compare their expiry with the job's input.

    It changes nothing. Rows that are not ok, were skipped, or have a later row for the same card
    are left out. The key is read from PERFECTPAY_API_KEY.

    Exit codes: 0 all cards hold it, 1 some do not or could not be looked at, 2 wrong usage, 3 the
    input cannot be read, 4 key missing or refused, 6 the input is not that of the job, 7 there is
    no such job, or its journal cannot be read.
    """
    with closing(Journal(store.path(job), read_only=True)) as journal:
        facts = JobFacts.read(journal)
        client = Target(URL(facts.host), pace).client()
        with open_job_input(facts, file) as source, source.replaced_rows() as replaced:
            drawn = _draw(journal, sample, seed)
            rows = _applied(source.rows(), journal, drawn)
            left = (row for _, row in not_replaced(rows, replaced))
            report = asyncio.run(_verify(client, left, pace))
    if as_json:
        click.echo(json.dumps(_json(report)))
    else:
        _print(stdout_console(), report)
    _print_problems(stderr_console(), report, facts.unit)
    if isinstance(report.stopped_by, AuthenticationError | PermissionDenied):
        return ExitCode.CREDENTIALS
    return ExitCode.DONE if report.proven else ExitCode.NOT_ALL_DONE


async def _verify(client: PerfectPay, rows: Iterator[ExpiryRow], pace: Pace) -> VerifyReport:
    async with client:
        return await client.bulk.verify_expiries(rows, concurrency=pace.concurrency, rate=pace.rate)


def _draw(journal: Journal, sample: int | None, seed: int | None) -> frozenset[int] | None:
    """Return which of the ok rows to look at, counted from 0; None for all of them."""
    applied = journal.counts()[Verdict.OK]
    if sample is None or sample >= applied:
        return None
    return frozenset(random.Random(seed).sample(range(applied), sample))  # noqa: S311 - a sample is no secret


def _applied(
    rows: Iterator[Row], journal: Journal, drawn: frozenset[int] | None
) -> Iterator[tuple[int, ExpiryRow]]:
    """Iterate over the rows that ended ok, or those drawn of them, with their positions."""
    count = 0
    applied = journal.applied(0)
    for position, row in enumerate(rows):
        if position and position % CHUNK_ROWS == 0:
            applied = journal.applied(position // CHUNK_ROWS)
        if isinstance(row, ExpiryRow) and applied(position):
            if drawn is None or count in drawn:
                yield position, row
            count += 1


def _print(console: Console, report: VerifyReport) -> None:
    console.print(f"{counted(report.checked, 'card')} looked at")
    for finding, count in report.counts.items():
        good = finding is Finding.HOLDS
        style = "green" if good else "red"
        console.print(f"  {finding.value:<8} {count:>11,}", style=style if count else "dim")


def _print_problems(console: Console, report: VerifyReport, unit: str) -> None:
    for check in report.problems[:_SHOWN]:
        why = f": {check.message}" if check.message else ""
        console.print(
            f"{unit} {check.number}, {check.payment_method_id}: {check.finding}{why}", markup=False
        )
    bad = report.checked - report.counts[Finding.HOLDS]
    if bad > _SHOWN:
        console.print(f"... and {bad - _SHOWN:,} more")
    if report.stopped_by is not None:
        console.print(f"Stopped: {renamed(report.stopped_by)}", markup=False, style="red")


def _json(report: VerifyReport) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "checked": report.checked,
        **{finding.value: count for finding, count in report.counts.items()},
        "proven": report.proven,
        "stopped_by": None if report.stopped_by is None else type(report.stopped_by).__name__,
        "problems": [attrs.asdict(check) for check in report.problems],
    }
