"""`perfectpay bulk status`: the jobs, and how far one of them is."""

from __future__ import annotations

import json
from typing import Final

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from perfectpay_async.bulk import JobAccount, Verdict
from perfectpay_async.bulk.counted import counted
from perfectpay_async.bulk.jobs import JobStore
from perfectpay_async.bulk.reports import (
    headline,
    lower_bound,
    moment,
    number,
    printable,
    state,
    summary,
)
from perfectpay_async.bulk.reports.as_json import SCHEMA
from perfectpay_async.cli.consoles import stdout_console
from perfectpay_async.cli.exits import ExitCode

from .jobs import store_option

_WIDEST: Final = 10_000


@click.command("status")
@click.argument("job", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object.")
@store_option
def status(*, job: str | None, as_json: bool, store: JobStore) -> int:
    """Say how far JOB is, or list all jobs.

    The job may be running meanwhile. Exit codes: 0 said, 7 there is no such job, or its journal
    cannot be read.
    """
    if job is None:
        for wrong in store.unreadable():
            click.echo(f"Left out: {wrong}", err=True)
        accounts = store.accounts()
        if as_json:
            click.echo(json.dumps({"schema": SCHEMA, "jobs": [summary(each) for each in accounts]}))
        else:
            _print_list(stdout_console(), accounts, store)
        return ExitCode.DONE
    account = store.account(job)
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, **summary(account)}))
    else:
        _print_one(stdout_console(), account)
    return ExitCode.DONE


def _print_list(console: Console, accounts: list[JobAccount], store: JobStore) -> None:
    if not accounts:
        console.print(f"There are no jobs in {store.directory}", markup=False)
        return
    table = Table("job", "state", "created", "input", "host", box=None)
    for heading in ("rows", "ok", "failed", "remaining"):
        table.add_column(heading, justify="right")
    for account in accounts:
        table.add_row(
            account.name,
            state(account),
            moment(account.facts.created),
            escape(printable(account.facts.input)),
            account.facts.host,
            number(account.rows),
            number(account.counts[Verdict.OK]),
            number(account.problem_count),
            number(account.remaining),
        )
    # As wide as it is: a name that is cut cannot be passed to another command.
    console.width = _WIDEST
    console.print(table)


def _print_one(console: Console, account: JobAccount) -> None:
    facts = account.facts
    console.print(
        f"{account.name}: {state(account)}, {printable(facts.input)} to {facts.host}", markup=False
    )
    console.print(f"{headline(account).text}.")
    console.print(
        f"begun {moment(facts.created)}, generation {facts.generation}, "
        f"{counted(len(account.runs), 'run')}, {counted(account.requests, 'request')} "
        f"in {account.seconds:,.0f} s"
    )
    if note := lower_bound(account):
        console.print(note)
    for verdict, count in account.counts.items():
        console.print(f"  {verdict.value:<11} {count:>11,}")
    console.print(f"  {'remaining':<11} {number(account.remaining):>11}")
    for group in account.groups[:20]:
        code = f" ({group.code})" if group.code else ""
        console.print(
            f"  {group.rows:,} x {group.verdict}: {printable(group.message)}{code}, "
            f"first {facts.unit} {group.first}",
            markup=False,
        )
