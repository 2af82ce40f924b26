"""`perfectpay bulk dead-letter`: the rows of a job that are not ok, as a file to mend and run."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, TextIO

import click

from perfectpay_async.bulk import ExpiryRow, RowResult, Verdict
from perfectpay_async.bulk.counted import agreeing, counted
from perfectpay_async.bulk.jobs import JobFacts, JobStore
from perfectpay_async.bulk.jobs.journal import Journal
from perfectpay_async.bulk.report import NO_PROBLEM
from perfectpay_async.bulk.rows import Row
from perfectpay_async.cli.exits import ExitCode

from .job_input import file_option, not_replaced, open_job_input
from .jobs import store_option

_CLASSES: Final = [verdict.value for verdict in Verdict if verdict not in NO_PROBLEM]
# A spreadsheet takes a cell that begins with one of these for a formula (OWASP, CSV injection).
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")


@click.command("dead-letter")
@click.argument("job")
@click.option(
    "--class",
    "classes",
    type=click.Choice(_CLASSES),
    multiple=True,
    default=_CLASSES,
    show_default=True,
    help="Which rows; may be said several times.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl"]),
    default="csv",
    show_default=True,
    help="Format of the output.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file to write to, which must not exist yet; by default standard output.",
)
@file_option
@store_option
def dead_letter(
    *,
    job: str,
    classes: tuple[str, ...],
    form: str,
    output: Path | None,
    file: str | None,
    store: JobStore,
) -> int:
    """Write the rows of JOB that are not ok, with what happened to each.

    The output has the columns of an input, and more: mend it, and give it to `perfectpay bulk run`.
    A row is left out when a later row of the input is for the same card: to run it now could set
    the card back. Months and years come from the job's input, because no journal holds them. Of a
    row that breaks a rule there is what can be shown safely; its line in the input has the rest. In
    CSV, a cell that a spreadsheet would take for a formula gets
    a ' in front.

    Exit codes: 0 written, 2 wrong usage, 3 the input cannot be read, 6 it is not that of the job,
    7 there is no such job, or its journal cannot be read.
    """
    path = store.path(job)
    with closing(Journal(path, read_only=True)) as journal:
        facts = JobFacts.read(journal)
        wanted = [Verdict(name) for name in classes]
        with (
            open_job_input(facts, file) as source,
            source.replaced_rows() as replaced,
            _opened(output) as stream,
        ):
            problems = _Counted(journal.problems(wanted))
            left = not_replaced(problems, replaced)
            write = _write_csv if form == "csv" else _write_jsonl
            count = write(stream, _records(source.rows(), left, facts.unit))
    click.echo(counted(count, "row"), err=True)
    if left_out := problems.count - count:
        be = agreeing(left_out, "is", "are")
        click.echo(f"{left_out:,} more {be} left out: a later row is for the same card", err=True)
    return ExitCode.DONE


class _Counted(Iterator[tuple[int, RowResult]]):
    """Counts the problems that it hands on."""

    def __init__(self, problems: Iterable[tuple[int, RowResult]]) -> None:
        self.count: int = 0
        self._problems = iter(problems)

    def __next__(self) -> tuple[int, RowResult]:
        problem = next(self._problems)
        self.count += 1
        return problem


@contextmanager
def _opened(output: Path | None) -> Generator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    try:
        with output.open("x", encoding="utf-8", newline="") as stream:
            yield stream
    except OSError as error:
        raise click.UsageError(f"--output {output}: {error.strerror}") from error


def _records(
    rows: Iterator[Row], problems: Iterable[tuple[int, RowResult]], unit: str
) -> Iterator[dict[str, object]]:
    """Iterate over the rows of the input that have a problem, with both."""
    position = -1
    row: Row | None = None
    for wanted, result in problems:
        while position < wanted:
            row = next(rows)
            position += 1
        month, year = _expiry_of(row)
        yield {
            "payment_method_id": result.payment_method_id,
            "exp_month": month,
            "exp_year": year,
            unit: result.number,
            "class": result.verdict.value,
            "status": result.status,
            "code": result.code,
            "request_id": result.request_id,
            "attempts": result.attempts,
            "message": result.message,
        }


def _expiry_of(row: Row | None) -> tuple[str | None, str | None]:
    if isinstance(row, ExpiryRow):
        return row.expiry.wire_month, row.expiry.wire_year
    return (None, None) if row is None else (row.exp_month, row.exp_year)


def _write_csv(stream: TextIO, records: Iterator[dict[str, object]]) -> int:
    writer = csv.writer(stream, lineterminator="\n")
    count = 0
    for count, record in enumerate(records, 1):
        if count == 1:
            writer.writerow(record)
        writer.writerow(map(_cell, record.values()))
    return count


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULAS) else text


def _write_jsonl(stream: TextIO, records: Iterator[dict[str, object]]) -> int:
    count = 0
    for count, record in enumerate(records, 1):  # noqa: B007 - as above
        stream.write(json.dumps(record) + "\n")
    return count
