"""The rows of a bulk update, and where they come from: any iterable, or a CSV file.

A row that breaks a rule becomes a `BadRow`, which is accounted for like any other row. Only what
makes the whole input doubtful stops the reading: no header, broken quoting, a card number.
Neither ever quotes a value of the input.
"""

from __future__ import annotations

import csv
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from os import PathLike
from typing import Final, TextIO, TypeAlias

from attrs import frozen

from perfectpay_async.entities import CardExpiry, check_payment_method_id
from perfectpay_async.entities.checks import has_check_digit, is_digits
from perfectpay_async.errors import InvalidRequestError, PerfectPayError

COLUMNS: Final = ("payment_method_id", "exp_month", "exp_year")
MAX_ROW: Final = 65_536
"""Most characters of one row, so that a quote that is never closed cannot fill the memory."""

_EXPIRY_RULES: Final = {
    "month": "exp_month must be 1 to 12",
    "year": "exp_year must be 2000 to 2099, or its last two digits",
}
_CARD_NUMBER_LENGTHS: Final = range(13, 20)
_GROUPING: Final = str.maketrans("", "", " -")
_MAX_COLUMN_NAME: Final = 40


class InputRefused(PerfectPayError):  # noqa: N818 - says what happened, as all our errors do
    """The input as a whole cannot be trusted. The message says where, and never quotes a value."""


@frozen
class ExpiryRow:
    """One card that gets a new expiry.

    Attributes:
        number: Where it stands in the input: the line of a file, else the position from 1.
        payment_method_id: Which card.
        expiry: Its new expiry.
    """

    number: int
    payment_method_id: str
    expiry: CardExpiry


@frozen
class BadRow:
    """A row that breaks a rule and is not sent.

    Attributes:
        number: Where it stands in the input.
        reason: One sentence that names the field and the rule.
    """

    number: int
    reason: str


Row: TypeAlias = ExpiryRow | BadRow
RowLike: TypeAlias = Row | tuple[str, CardExpiry]


class Rows(AsyncIterator[Row]):
    """Rows from any source. A pair gets its position in the source as its number.

    Args:
        source: Any iterable or async iterable.
    """

    def __init__(self, source: Iterable[RowLike] | AsyncIterable[RowLike]) -> None:
        self._items = aiter(source) if isinstance(source, AsyncIterable) else _Async(source)
        self._number = 0

    async def __anext__(self) -> Row:
        item = await anext(self._items)
        self._number += 1
        return _as_row(item, self._number)


def read_csv(source: str | PathLike[str] | TextIO) -> Iterator[Row]:
    """Iterate over the rows of a CSV file, in bounded memory.

    The first line is the header; of its columns `payment_method_id`, `exp_month` and `exp_year`
    are read, in any order and any case, and others are ignored. A month may have one digit, a
    year two or four: they are all sent in the same form (`03`, `27`), so that the same row always
    makes the same request.

    Args:
        source: Path of a UTF-8 file, or an open text stream, which is not closed.

    Yields:
        Each row in the order of the file, numbered by its first line. Blank lines are left out.

    Raises:
        InputRefused: The header lacks a column, quotes are out of place, a row is longer than
            65,536 characters, or a cell of any column looks like a card number.
        OSError: The file cannot be read.
    """
    if not isinstance(source, str | PathLike):
        yield from _CsvReader(source)
        return
    # What is not UTF-8 does no harm in a column that is ignored; in an id it makes a bad row.
    with open(source, encoding="utf-8", errors="surrogateescape", newline="") as stream:  # noqa: PTH123 - a path may be a str
        yield from _CsvReader(stream)


class _CsvReader:
    """Iterates over the rows of one CSV stream."""

    def __init__(self, stream: TextIO) -> None:
        self._lines = _Lines(stream)
        self._header: list[str] = []

    def __iter__(self) -> Iterator[Row]:
        records = self._records()
        for _, cells in records:
            self._header = [_normalised(cell) for cell in cells]
            break
        id_at, month_at, year_at = _positions(self._header)
        for number, cells in records:
            if len(cells) != len(self._header):
                yield BadRow(
                    number, f"the row has {len(cells)} cells, but the header {len(self._header)}"
                )
            else:
                yield _expiry_row(number, cells[id_at], cells[month_at], cells[year_at])

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        records = csv.reader(self._lines, strict=True)
        while True:
            number = self._lines.start_record()
            try:
                cells = next(records, None)
            except csv.Error:
                cells = None
                broken = True
            else:
                broken = False
            if broken:
                raise InputRefused(
                    f"line {number}: quotes are out of place, so it is unclear where the row ends"
                )
            if cells is None:
                return
            column = next((at for at, cell in enumerate(cells) if _is_card_number(cell)), None)
            if column is not None:
                del cells  # this frame is about to enter a traceback
                raise InputRefused(
                    f"line {number}, {self._column(column)} looks like a card number; "
                    "card numbers must not be in this file"
                )
            if cells:
                yield number, [cell.strip() for cell in cells]

    def _column(self, at: int) -> str:
        name = self._header[at] if at < len(self._header) else ""
        shown = name.isprintable() and 0 < len(name) <= _MAX_COLUMN_NAME
        return f"column {at + 1} ({name})" if shown else f"column {at + 1}"


class _Lines:
    """Hands lines to the CSV parser, and bounds what one row can take."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._number = 0
        self._first = 1
        self._size = 0

    def start_record(self) -> int:
        """Return the number of the line at which the next row starts."""
        self._first = self._number + 1
        self._size = 0
        return self._first

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            line = self._stream.readline(MAX_ROW + 1)
        except UnicodeDecodeError:
            line = None
        if line is None:
            raise InputRefused(f"the input is not UTF-8 text, somewhere after line {self._number}")
        if not line:
            raise StopIteration
        self._number += 1
        self._size += len(line)
        problem = ""
        if self._size > MAX_ROW:
            problem = f"has more than {MAX_ROW:,} characters; is a quote never closed?"
        elif "\0" in line:
            problem = "holds a NUL character; save the file as UTF-8 text"
        if problem:
            del line  # it may hold anything, and this frame is about to enter a traceback
            raise InputRefused(f"line {self._first}: the row {problem}")
        return line.removeprefix("\ufeff") if self._number == 1 else line


class _Async(AsyncIterator[RowLike]):
    """An iterable as an async iterator. No generator: one that is left halfway needs closing."""

    def __init__(self, items: Iterable[RowLike]) -> None:
        self._items = iter(items)

    async def __anext__(self) -> RowLike:
        for item in self._items:
            return item
        raise StopAsyncIteration


def _as_row(item: object, number: int) -> Row:
    match item:
        case ExpiryRow() | BadRow():
            return item
        case (str() as payment_method_id, CardExpiry() as expiry):
            return ExpiryRow(number, payment_method_id, expiry)
        case _:
            return BadRow(
                number, "a row must be an ExpiryRow or a pair of payment_method_id and CardExpiry"
            )


def _normalised(name: str) -> str:
    return "_".join(name.lower().split())


def _positions(header: list[str]) -> list[int]:
    if not header:
        raise InputRefused(f"the input is empty; its first line must be {','.join(COLUMNS)}")
    for column in COLUMNS:
        if header.count(column) != 1:
            found = "lacks" if column not in header else "repeats"
            raise InputRefused(
                f"the header {found} the column {column}; the first line must name the columns "
                f"{', '.join(COLUMNS)}, separated by commas"
            )
    return [header.index(column) for column in COLUMNS]


def _expiry_row(number: int, payment_method_id: str, month: str, year: str) -> Row:
    try:
        check_payment_method_id(payment_method_id)
        return ExpiryRow(number, payment_method_id, CardExpiry(month, year))
    except InvalidRequestError as error:
        return BadRow(number, _EXPIRY_RULES.get(error.field or "", error.message))


def _is_card_number(cell: str) -> bool:
    if len(cell) < _CARD_NUMBER_LENGTHS.start:
        return False
    digits = cell.translate(_GROUPING)
    return len(digits) in _CARD_NUMBER_LENGTHS and is_digits(digits) and has_check_digit(digits)
