"""The input of a job that exists: the same file again."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TypeVar

import click
from attrs import frozen

from perfectpay_async.bulk import BadRow, ExpiryRow, JobFacts, JobRefused, RowResult
from perfectpay_async.bulk.duplicates import DuplicateFinder
from perfectpay_async.bulk.rows import Row

from .inputs import ALLOW, Input, Source, open_input
from .perform import source_of

_Numbered = TypeVar("_Numbered", ExpiryRow, BadRow, Row, RowResult)


@frozen
class JobInput:
    """The input of a job.

    Attributes:
        source: What is in it.
    """

    source: Source
    _opened: Input
    _begun: date

    def rows(self) -> Iterator[Row]:
        """Return the rows, from the first one on."""
        return self._opened.rows()

    @contextmanager
    def replaced_rows(self) -> Generator[Iterator[int]]:
        """Give the numbers of the rows for whose card there is a later row, in ascending order.

        Where duplicates were refused there are none.
        """
        if self.source.on_duplicate != ALLOW:
            yield iter(())
            return
        with DuplicateFinder() as finder:
            for row in self.rows():
                # An expiry that has passed since the job was begun may have been sent before.
                if isinstance(row, ExpiryRow) and not row.expiry.is_expired(self._begun):
                    finder.add(row.number, row.payment_method_id)
            yield finder.earlier_rows()


def file_option(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command `--file`, for a job whose input is not where it was."""
    return click.option(
        "--file",
        type=click.Path(exists=True, dir_okay=False, allow_dash=True),
        help="The input of the job, when it is no file or has been moved.",
    )(command)


@contextmanager
def open_job_input(facts: JobFacts, file: str | None) -> Generator[JobInput]:
    """Open the input of a job for as long as the context is.

    Args:
        facts: What identifies the job.
        file: Where the input is now; None for where it was.

    Raises:
        UsageError: It is not said where it is.
        JobRefused: It is not the same as it was.
        InputRefused: It cannot be read.
    """
    place = file or facts.path
    if not place:
        raise click.UsageError(f"the job's input was {facts.input}: say with --file where it is")
    source = source_of(facts, place)
    with open_input(source) as opened:
        if opened.facts().sha256 != facts.sha256:
            raise JobRefused(
                f"{place} is not the input that the job was begun with, or has been changed since"
            )
        yield JobInput(source, opened, datetime.fromtimestamp(facts.created, UTC).date())


def not_replaced(
    rows: Iterable[tuple[int, _Numbered]], replaced: Iterator[int]
) -> Iterator[tuple[int, _Numbered]]:
    """Iterate over rows, or results of rows, but for those with one of the numbers.

    Args:
        rows: Each with its position, in the order of the input.
        replaced: The numbers, in ascending order.
    """
    next_one = next(replaced, None)
    for position, row in rows:
        while next_one is not None and next_one < row.number:
            next_one = next(replaced, None)
        if row.number != next_one:
            yield position, row
