"""One bulk update on the command line: progress, signals, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

import click
from attrs import frozen
from rich.console import Console

from perfectpay_async.bulk import BulkReport, InputRefused, JournalError, RunOptions, SafetyStop
from perfectpay_async.bulk.jobs import BulkJob
from perfectpay_async.bulk.rows import Row
from perfectpay_async.bulk.run import GRACE
from perfectpay_async.client import PerfectPay
from perfectpay_async.errors import AuthenticationError, PerfectPayError, PermissionDenied

from .exits import ExitCode
from .progress import show_progress
from .signals import call_on_signals

_ABOUT_THE_KEY = (AuthenticationError, PermissionDenied)


@frozen
class Ending:
    """How a bulk update ended.

    Attributes:
        report: The account.
        failure: Why the rest of the input was not read, or the journal not written.
        signal: The signal that ended it.
    """

    report: BulkReport
    failure: PerfectPayError | None = None
    signal: int | None = None

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that says so."""
        if isinstance(self.failure, JournalError):
            return ExitCode.JOURNAL
        if self.signal is not None:
            return ExitCode(128 + self.signal)
        if isinstance(self.report.stopped_by, _ABOUT_THE_KEY):
            return ExitCode.CREDENTIALS
        if isinstance(self.report.stopped_by, SafetyStop):
            return ExitCode.SAFETY_STOP
        if self.failure is not None and not self.report.attempts:
            return ExitCode.INPUT_REFUSED
        return ExitCode.DONE if self.report.complete else ExitCode.NOT_ALL_DONE


async def update_cards(
    client: PerfectPay,
    rows: Iterator[Row],
    *,
    job: BulkJob,
    console: Console | None,
    **options: Unpack[RunOptions],
) -> Ending:
    """Update all cards of an input, until its end or a signal.

    The first SIGINT or SIGTERM begins no more rows and gives those under way ten seconds; the
    second abandons them.

    Args:
        client: Sends the calls. It is closed afterwards.
        rows: The input.
        job: Keeps the account.
        console: Where to show progress, or None for nowhere.
        **options: As for `client.bulk.update_expiries`.
    """
    received: list[int] = []
    failure: PerfectPayError | None = None

    def stop(number: int) -> None:
        received.append(number)
        grace = GRACE if len(received) == 1 else 0.0
        if grace:
            click.echo(f"Finishing what is under way, {grace:.0f} s at most.", err=True)
        run.stop(grace)

    async with client:
        run = client.bulk.expiry_run(rows, job=job, **options)
        with call_on_signals(stop):
            async with show_progress(run.tally, job.rows, console):
                try:
                    async with run:
                        pass
                except (InputRefused, JournalError) as error:
                    if not run.begun:
                        raise
                    failure = error
    return Ending(run.report, failure, received[0] if received else None)
