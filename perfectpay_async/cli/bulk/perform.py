"""Runs a job, and tells how it ended and what to do next."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Unpack

import click

from perfectpay_async.bulk import BulkJob, RunOptions, Verdict
from perfectpay_async.bulk.rows import Row
from perfectpay_async.cli.account import account_json, print_account, print_problems
from perfectpay_async.cli.consoles import stderr_console, stdout_console
from perfectpay_async.cli.updating import Ending, update_cards
from perfectpay_async.client import PerfectPay


def perform(
    client: PerfectPay,
    rows: Iterator[Row],
    job: BulkJob,
    *,
    as_json: bool,
    quiet: bool,
    go_on: str,
    **options: Unpack[RunOptions],
) -> int:
    """Run a job and print its account.

    Args:
        client: Sends the calls.
        rows: The whole input.
        job: Keeps the account.
        as_json: Whether the account is printed as one JSON object.
        quiet: Whether no progress is shown.
        go_on: The command that goes on with the job when it has not ended.
        **options: As for `client.bulk.update_expiries`.

    Returns:
        The exit code.
    """
    console = None if quiet else stderr_console()
    ending = asyncio.run(update_cards(client, rows, job=job, console=console, **options))
    print_problems(stderr_console(), ending.report)
    if ending.failure is not None:
        click.echo(f"Error: {ending.failure.message}", err=True)
    name = job.path.stem
    if as_json:
        click.echo(account_json(ending.report, name))
    else:
        print_account(stdout_console(), ending.report)
    _tell_what_next(ending, name, go_on)
    return ending.exit_code


def _tell_what_next(ending: Ending, name: str, go_on: str) -> None:
    report = ending.report
    if report.remaining != 0:
        left = "Some" if report.remaining is None else f"{report.remaining:,}"
        click.echo(f"{left} rows have not ended. Go on with: {go_on}", err=True)
    elif report.exhausted or report.unknown:
        click.echo(
            f"Try what may succeed now again with: perfectpay bulk retry-failed {name}", err=True
        )
    if report.problem_count:
        click.echo(
            f"The rows that are not {Verdict.OK}: perfectpay bulk dead-letter {name}", err=True
        )
