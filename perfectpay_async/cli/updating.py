"""One bulk update on the command line: progress, signals, and how it ended."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import click
from attrs import evolve, frozen
from rich.console import Console

from perfectpay_async.bulk import BulkReport, InputRefused, Tally
from perfectpay_async.client import PerfectPay
from perfectpay_async.errors import AuthenticationError, PermissionDenied

from .exits import ExitCode
from .feed import Feed
from .progress import show_progress
from .signals import call_on_signals

GRACE: Final = 10.0
"""Seconds that the rows under way have to finish after the first signal."""

_ABOUT_THE_KEY: Final = (AuthenticationError, PermissionDenied)


@frozen
class Ending:
    """How a bulk update ended.

    Attributes:
        report: The account.
        refused: Why the rest of the input was not read.
        signal: The signal that ended it.
    """

    report: BulkReport
    refused: InputRefused | None
    signal: int | None

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that says so."""
        if self.signal is not None:
            return ExitCode(128 + self.signal)
        if isinstance(self.report.stopped_by, _ABOUT_THE_KEY):
            return ExitCode.CREDENTIALS
        if self.refused is not None and not self.report.attempts:
            return ExitCode.INPUT_REFUSED
        return ExitCode.DONE if self.report.complete else ExitCode.NOT_ALL_DONE


async def update_cards(
    client: PerfectPay,
    feed: Feed,
    *,
    total: int | None,
    concurrency: int,
    rate: float | None,
    attempts: int,
    console: Console | None,
) -> Ending:
    """Update all cards of `feed`, until its end or a signal.

    The first SIGINT or SIGTERM begins no more rows and gives those under way ten seconds; the
    second abandons them.

    Args:
        client: Sends the calls.
        feed: The rows.
        total: How many there are, or None when that is not known.
        concurrency: Rows under way at once.
        rate: Most requests per second, or None for no rate control.
        attempts: Most attempts for one row.
        console: Where to show progress, or None for nowhere.
    """
    now = asyncio.get_running_loop().time
    started = now()
    tally = Tally()
    limit = asyncio.timeout(None)
    received: list[int] = []

    def stop(number: int) -> None:
        received.append(number)
        feed.stop()
        if len(received) == 1:
            click.echo(f"Finishing what is under way, {GRACE:.0f} s at most.", err=True)
        with suppress(RuntimeError):  # the run has ended in this very moment
            limit.reschedule(now() + (GRACE if len(received) == 1 else 0.0))

    try:
        async with show_progress(tally, total, console), limit:
            with call_on_signals(stop):
                report = await client.bulk.update_expiries(
                    feed,
                    concurrency=concurrency,
                    rate=rate,
                    attempts=attempts,
                    on_result=tally.add,
                    on_rate=tally.note_rate,
                )
    except TimeoutError:
        if not limit.expired():
            raise
        report = tally.report(elapsed=now() - started, total=None)
    # To the run, a feed that was stopped has come to its end.
    if feed.stopped or feed.refused or report.not_started is None:
        report = evolve(report, not_started=None if total is None else total - report.rows)
    return Ending(report, feed.refused, received[0] if received else None)
