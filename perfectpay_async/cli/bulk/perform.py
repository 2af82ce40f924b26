"""Runs a job, and tells how it ended and what to do next."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Iterator

import click

from perfectpay_async.bulk import BulkJob, JobFacts, RunOptions, Shard, Verdict
from perfectpay_async.bulk.counted import agreeing, counted
from perfectpay_async.bulk.jobs import JobStore
from perfectpay_async.bulk.rows import Row
from perfectpay_async.bulk.sources.columns import Columns
from perfectpay_async.cli.account import account_json, print_account, print_problems
from perfectpay_async.cli.consoles import stderr_console, stdout_console
from perfectpay_async.cli.updating import Ending, update_cards
from perfectpay_async.client import PerfectPay
from perfectpay_async.errors import ConfigurationError

from .inputs import Source
from .jobs import elsewhere
from .options import Pace


def perform(
    client: PerfectPay,
    rows: Iterator[Row],
    job: BulkJob,
    pace: Pace,
    options: RunOptions,
    *,
    as_json: bool,
    quiet: bool,
    store: JobStore,
    file: str,
) -> int:
    """Run a job and print its account.

    Args:
        client: Sends the calls.
        rows: The whole input.
        job: Keeps the account.
        pace: How fast, and how many at once.
        options: What else was said about this run.
        as_json: Whether the account is printed as one JSON object.
        quiet: Whether no progress is shown.
        store: Where the job is.
        file: Where the input is.

    Returns:
        The exit code.
    """
    console = None if quiet else stderr_console()
    options["concurrency"], options["rate"] = pace.concurrency, pace.rate
    options["only_forward"] = json.loads(job.facts.options)["only_forward"]
    options["shard"] = parse_shard(job.facts.shard)
    ending = asyncio.run(update_cards(client, rows, job=job, console=console, **options))
    print_problems(stderr_console(), ending.report, job.facts.unit)
    if ending.failure is not None:
        click.echo(f"Error: {ending.failure.message}", err=True)
    name = job.path.stem
    if as_json:
        click.echo(account_json(ending.report, name))
    else:
        print_account(stdout_console(), ending.report)
    _tell_what_next(ending, job, store, file)
    return ending.exit_code


def parse_shard(text: str | None) -> Shard | None:
    """Return the shard that a text such as `0/4` names; None for no text.

    Raises:
        BadParameter: It names none.
    """
    if not text:
        return None
    index, _, count = text.partition("/")
    try:
        return Shard(int(index), int(count))
    except (ValueError, ConfigurationError):
        raise click.BadParameter("it has the form INDEX/COUNT, from 0/COUNT on") from None


def source_of(facts: JobFacts, file: str) -> Source:
    """Return how the file that a job was begun with is to be read."""
    said = json.loads(facts.options)
    columns = Columns(said["columns"], said["expiry_column"])
    return Source(file, said["format"], columns, said["on_duplicate"])


def _tell_what_next(ending: Ending, job: BulkJob, store: JobStore, file: str) -> None:
    report = ending.report
    if report.remaining != 0:
        left = "Some rows have"
        if (many := report.remaining) is not None:
            left = f"{counted(many, 'row')} {agreeing(many, 'has', 'have')}"
        parts = ["run", file, "--resume", "--base-url", job.facts.host]
        parts += ["--shard", job.facts.shard] if job.facts.shard else []
        click.echo(f"{left} not ended. Go on with: {_command(store, *parts)}", err=True)
    elif report.exhausted or report.unknown:
        command = _command(store, "retry-failed", job.path.stem)
        click.echo(f"Try what may succeed now again with: {command}", err=True)
    if report.problem_count:
        command = _command(store, "dead-letter", job.path.stem)
        click.echo(f"The rows that are not {Verdict.OK}: {command}", err=True)


def _command(store: JobStore, *parts: str) -> str:
    return shlex.join(["perfectpay", "bulk", *parts, *elsewhere(store)])
