"""Rows of a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from os import PathLike
from typing import TextIO

from perfectpay_async.bulk.rows import BadRow, InputRefused, Row

from .card_numbers import card_number_refused, text_holds_card_number
from .columns import ColumnProblem, Columns, Layout, normalised
from .lines import Lines


def read_csv(source: str | PathLike[str] | TextIO) -> Iterator[Row]:
    """Iterate over the rows of a CSV file, in bounded memory.

    The first line is the header; of its columns `payment_method_id`, `exp_month` and `exp_year`
    are read, in any order and any case, and others are ignored. Common other names will do, such
    as `id`, `month` and `year`, and instead of month and year one column `expiry` of the form
    `MM/YY` or `MM/YYYY`; `read_rows` takes names of your own. A month may have one digit, a year
    two or four: they are all sent in the same form (`03`, `27`), so that the same row always makes
    the same request.

    Args:
        source: Path of a UTF-8 file, or an open text stream, which is not closed.

    Yields:
        Each row in the order of the file, numbered by its first line. Blank lines are left out.

    Raises:
        InputRefused: The header lacks a column, quotes are out of place, a row is longer than
            65,536 characters, or a cell of any column has a card number in it.
        OSError: The file cannot be read.
    """
    if not isinstance(source, str | PathLike):
        yield from CsvRows(source, Columns())
        return
    # What is not UTF-8 does no harm in a column that is ignored; in an id it makes a bad row.
    with open(source, encoding="utf-8", errors="surrogateescape", newline="") as stream:  # noqa: PTH123 - a path may be a str
        yield from CsvRows(stream, Columns())


class CsvRows:
    """Iterates over the rows of one CSV stream.

    Args:
        stream: The text, with line ends as they are.
        columns: The columns to look for.
    """

    def __init__(self, stream: TextIO, columns: Columns) -> None:
        self._lines = Lines(stream)
        self._columns = columns
        self._header: list[str] = []

    def __iter__(self) -> Iterator[Row]:
        records = self._records()
        for _, cells in records:
            self._header = [normalised(cell) for cell in cells]
            break
        layout = self._layout()
        for number, cells in records:
            if len(cells) != len(self._header):
                yield BadRow(
                    number, f"the row has {len(cells)} cells, but the header {len(self._header)}"
                )
            else:
                yield layout.row(number, cells)

    def _layout(self) -> Layout:
        wanted = self._columns.wanted
        if not self._header:
            raise InputRefused(f"the input is empty; its first line must be {','.join(wanted)}")
        try:
            return self._columns.find(self._header)
        except ColumnProblem as problem:
            raise InputRefused(
                f"the header {problem}; the first line must name the columns "
                f"{', '.join(wanted)}, separated by commas"
            ) from None

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
            column = next(
                (at for at, cell in enumerate(cells) if text_holds_card_number(cell)), None
            )
            if column is not None:
                del cells  # this frame is about to enter a traceback
                name = self._header[column] if column < len(self._header) else ""
                raise card_number_refused(f"line {number}", column, name)
            if cells:
                yield number, [cell.strip() for cell in cells]
