"""The FILE of a bulk command and the options that say what is in it."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from typing import BinaryIO, Final, cast

import click
from attrs import frozen

from perfectpay_async.bulk.counted import agreeing
from perfectpay_async.bulk.inspection import Inspection, inspect_rows
from perfectpay_async.bulk.jobs import JobFacts
from perfectpay_async.bulk.rows import COLUMNS, InputRefused, Row
from perfectpay_async.bulk.sources import Format, format_of, read_rows
from perfectpay_async.bulk.sources.columns import Columns
from perfectpay_async.cli.exits import InputNotTaken
from perfectpay_async.errors import ConfigurationError

STDIN: Final = "-"
_PIECE: Final = 1 << 20
REFUSE, ALLOW = "refuse", "allow"


@frozen
class Source:
    """What the command line says about the input.

    Attributes:
        file: Its path, or "-" for standard input.
        format: Its format.
        columns: Which columns to look for.
        on_duplicate: What to do with a second row for a card: `refuse` or `allow`.
    """

    file: str
    format: Format
    columns: Columns
    on_duplicate: str

    @property
    def unit(self) -> str:
        """What the numbers of its rows count."""
        return "row" if self.format == "parquet" else "line"


class Input:
    """An input that can be read twice.

    Args:
        stream: Its bytes; seekable.
        source: What is in it.
    """

    def __init__(self, stream: BinaryIO, source: Source) -> None:
        self._stream = stream
        self._source = source
        self._stamp = self._read_stamp()

    def inspect(self, *, look_for_duplicates: bool) -> Inspection:
        """Read it to its end and return what is in it.

        Raises:
            InputRefused: It cannot be trusted, or not be read.
        """
        # The day is the one by which the client refuses an expiry.
        today = datetime.now(UTC).date()
        inspection = inspect_rows(self.rows(), today=today, look_for_duplicates=look_for_duplicates)
        self._check_stamp()
        return inspection

    def facts(self) -> JobFacts:
        """Return what identifies a job on this input; the rows are not counted.

        Raises:
            InputRefused: It cannot be read.
        """
        size, _ = self._stamp
        digest = hashlib.sha256()
        with _reading():
            self._stream.seek(0)
            while piece := self._stream.read(_PIECE):
                digest.update(piece)
        file = self._source.file
        return JobFacts(
            input="stdin" if file == STDIN else os.path.basename(file),  # noqa: PTH119 - a str
            path="" if file == STDIN else os.path.realpath(file),
            size=size,
            sha256=digest.hexdigest(),
            unit=self._source.unit,
        )

    def rows(self, source: Source | None = None) -> Iterator[Row]:
        """Return the rows, from the first one on; where they cannot be read is an `InputRefused`.

        Args:
            source: What is in it, when that is not what was said first.

        Raises:
            InputNotTaken: The file has been changed since it was opened.
            UsageError: It is a Parquet file, and pyarrow is missing.
        """
        self._check_stamp()
        self._stream.seek(0)
        source = source or self._source
        columns = source.columns
        try:
            return _read(
                read_rows(
                    self._stream,
                    format=source.format,
                    columns=columns.names,
                    expiry_column=columns.expiry,
                )
            )
        except ConfigurationError as error:  # pyarrow is missing
            raise click.UsageError(error.message) from error

    def _read_stamp(self) -> tuple[int, int]:
        state = os.fstat(self._stream.fileno())
        return state.st_size, state.st_mtime_ns

    def _check_stamp(self) -> None:
        if self._read_stamp() != self._stamp:
            raise InputNotTaken(
                "the file was changed while it was read; nothing was sent: try again when it is "
                "complete"
            )


@contextmanager
def open_input(source: Source) -> Generator[Input]:
    """Open the input for as long as the context is.

    What comes from a pipe is copied to a temporary file first, so that all of it can be inspected
    before any of it is sent. No other user can read that file, and it has no name: it is gone when
    the context or the process ends, however it ends.

    Raises:
        InputRefused: It cannot be opened.
        InputNotTaken: There is no room for a copy.
    """
    with _opened(source.file) as stream:
        if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            yield Input(stream, source)
            return
        with tempfile.TemporaryFile() as spool:
            try:
                shutil.copyfileobj(stream, spool)
                spool.flush()
            except OSError as error:
                raise InputNotTaken(
                    f"the input cannot be copied to {tempfile.gettempdir()}: {error.strerror}; "
                    "TMPDIR may name another place"
                ) from error
            yield Input(cast("BinaryIO", spool), source)


def input_options(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command FILE and the options about it; it gets them as `source`."""

    @click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
    @click.option(
        "--format",
        "format_name",
        type=click.Choice(["auto", "csv", "jsonl", "parquet"]),
        default="auto",
        show_default=True,
        help="Format of FILE; auto goes by its name, and is csv without one.",
    )
    @click.option(
        "--map",
        "names",
        metavar="COLUMN=NAME,...",
        callback=parse_names,
        help=f"Names of columns in FILE, for any of {', '.join(COLUMNS)}.",
    )
    @click.option(
        "--expiry-column",
        metavar="NAME",
        help="Column of FILE that holds the whole expiry as MM/YY or MM/YYYY.",
    )
    @click.option(
        "--on-duplicate",
        type=click.Choice([REFUSE, ALLOW]),
        default=REFUSE,
        show_default=True,
        help="Refuse FILE when two rows are for one card, or send them in their order.",
    )
    @wraps(command)
    def with_source(
        *,
        file: str,
        format_name: str,
        names: dict[str, str],
        expiry_column: str | None,
        on_duplicate: str,
        **others: object,
    ) -> int:
        form = format_of(file) if format_name == "auto" else cast("Format", format_name)
        try:
            columns = Columns(names, expiry_column)
        except ConfigurationError as error:
            raise click.UsageError(f"--map, --expiry-column: {error.message}") from error
        return command(source=Source(file, form, columns, on_duplicate), **others)

    return with_source


def duplicates_refused(inspection: Inspection, source: Source) -> str | None:
    """Return why the input is refused for its duplicates, or None when it is not."""
    found = inspection.duplicates
    if found is None or not found.count or source.on_duplicate != REFUSE:
        return None
    first, unit = found.first[0], source.unit
    return (
        f"{found.count:,} of {inspection.rows:,} rows "
        f"{agreeing(found.count, 'repeats', 'repeat')} the card of an earlier one, first "
        f"{unit} {first.number} that of {unit} {first.earlier}; leave "
        "one row for each card, or say --on-duplicate allow to send them in their order"
    )


@contextmanager
def _opened(file: str) -> Generator[BinaryIO]:
    if file == STDIN:
        if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison] - it was closed
            raise InputNotTaken("standard input is closed")
        yield sys.stdin.buffer
        return
    with _reading():
        stream = open(file, "rb")  # noqa: PTH123, SIM115 - closed below
    with stream:
        yield stream


@contextmanager
def _reading() -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise InputRefused(f"the file cannot be read: {error.strerror}") from error


def _read(rows: Iterator[Row]) -> Iterator[Row]:
    with _reading():
        yield from rows


def parse_names(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> dict[str, str]:
    """Return the names of columns that an option says."""
    names: dict[str, str] = {}
    for pair in value.split(",") if value is not None else []:
        column, equals, name = (part.strip() for part in pair.partition("="))
        if not equals or not column or not name or column in names:
            raise click.BadParameter("it has the form payment_method_id=NAME,exp_month=NAME")
        names[column] = name
    return names
