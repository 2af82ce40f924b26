"""Rows of a JSONL file: one JSON object on each line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, NoReturn, TextIO

from perfectpay_async.bulk.rows import BadRow, InputRefused, Row

from .card_numbers import card_number_refused, holds_card_number, text_holds_card_number
from .columns import ColumnProblem, Columns, Layout, normalised
from .lines import Lines


class JsonlRows:
    """Iterates over the rows of one JSONL stream.

    Lines stand for themselves, so a line that is no object, or one that lacks a column, is a bad
    row. Blank lines are left out.

    Args:
        stream: The text, with line ends as they are.
        columns: The members to look for in each object.
    """

    def __init__(self, stream: TextIO, columns: Columns) -> None:
        self._lines = Lines(stream)
        self._columns = columns
        # Nearly always, all objects have the same members in the same order.
        self._names: list[str] = []
        self._layout: Layout | str = ""

    def __iter__(self) -> Iterator[Row]:
        empty = True
        while True:
            number = self._lines.start_record()
            line = next(self._lines, None)
            if line is None:
                break
            if not line.isspace():
                empty = False
                row = self._row(number, _pairs(line))
                if isinstance(row, InputRefused):
                    del line  # this frame is about to enter a traceback
                    raise row
                yield row
        if empty:
            raise InputRefused(
                "the input is empty; each line must be a JSON object with "
                + ", ".join(self._columns.wanted)
            )

    def _row(self, number: int, pairs: list[tuple[str, Any]] | None) -> Row | InputRefused:
        if pairs is None:
            return BadRow(number, "the line is not a JSON object that has each name once")
        column = next((at for at, pair in enumerate(pairs) if _has_card_number(*pair)), None)
        if column is not None:
            return card_number_refused(f"line {number}", column, pairs[column][0])
        layout = self._find([name for name, _ in pairs])
        if isinstance(layout, str):
            return BadRow(number, layout)
        cells = [value.strip() if isinstance(value, str) else value for _, value in pairs]
        return layout.row(number, cells)

    def _find(self, names: list[str]) -> Layout | str:
        if names != self._names or not self._layout:
            self._names = names
            try:
                self._layout = self._columns.find([normalised(name) for name in names])
            except ColumnProblem as problem:
                self._layout = f"the object {problem}"
        return self._layout


def _has_card_number(name: str, value: Any) -> bool:
    return text_holds_card_number(name) or holds_card_number(value)


class _Members(list[tuple[str, Any]]):
    """The members of an object. A class of its own, to be told from a JSON array."""


def _members(pairs: list[tuple[str, Any]]) -> _Members:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name is repeated")
    return _Members(pairs)


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("not a JSON number")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_members)


def _pairs(line: str) -> list[tuple[str, Any]] | None:
    """Return the members of the object on the line, or None if it is none."""
    try:
        value = _DECODER.decode(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, _Members) else None
