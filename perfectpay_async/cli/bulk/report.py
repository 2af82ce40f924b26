"""`perfectpay bulk report`: the account of a job, to look at, to pass on, or for programs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from perfectpay_async.bulk import JobAccount
from perfectpay_async.bulk.jobs import JobStore
from perfectpay_async.bulk.reports import Commands, report_json, report_markdown, report_page
from perfectpay_async.cli.exits import ExitCode

from .jobs import elsewhere, store_option

_JSON: Final = "json"
_MARKDOWN: Final = "markdown"
_HTML: Final = "html"
_SUFFIXES: Final = {".json": _JSON, ".html": _HTML, ".htm": _HTML}


@click.command("report")
@click.argument("job")
@click.option(
    "--format",
    "form",
    type=click.Choice([_JSON, _MARKDOWN, _HTML]),
    help="What to write; by default what the name of --output says, or else markdown.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file to write to; by default standard output. A file that is there is replaced.",
)
@store_option
def report(*, job: str, form: str | None, output: Path | None, store: JobStore) -> int:
    """Write the account of JOB: what became of its rows, why, when, and what to do next.

    "html" is one page that needs no other file: open it in a browser. The job may be running
    meanwhile; the report is how it is now.

    Exit codes: 0 written, 2 wrong usage, 7 there is no such job, or its journal cannot be read.
    """
    account = store.account(job)
    suffix = "" if output is None else output.suffix.lower()
    written = _written(account, form or _SUFFIXES.get(suffix, _MARKDOWN), store).encode()
    if output is None:
        click.echo(written, nl=False)
    else:
        _replace(output, written, account)
    return ExitCode.DONE


def _written(account: JobAccount, form: str, store: JobStore) -> str:
    if form == _JSON:
        return report_json(account) + "\n"
    write = report_page if form == _HTML else report_markdown
    return write(account, Commands.of(account, *elsewhere(store)))


def _replace(output: Path, written: bytes, account: JobAccount) -> None:
    """Write a file as a whole: a browser that shows it never gets half of it.

    Raises:
        UsageError: It cannot be written, or is needed for the job.
    """
    facts = account.facts
    if output.resolve() in {account.path.resolve(), Path(facts.path or ".").resolve()}:
        raise click.UsageError(f"{output} belongs to the job; name another file for the report")
    made = output.with_name(f".{output.name}.{os.getpid()}.new")
    try:
        made.write_bytes(written)
        made.replace(output)
    except OSError as error:
        made.unlink(missing_ok=True)
        raise click.UsageError(f"{output} cannot be written: {error.strerror}") from error
