"""Chunks of a text input as ranges of its bytes: found in one pass, and read again by anybody."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO, TextIOWrapper
from typing import Any, BinaryIO, Final, TextIO, cast

import attrs

from perfectpay_async.bulk import InputRefused
from perfectpay_async.bulk.chunks import CHUNK_ROWS
from perfectpay_async.bulk.rows import Row
from perfectpay_async.bulk.sources.columns import Columns
from perfectpay_async.bulk.sources.csv_source import CsvRows
from perfectpay_async.bulk.sources.jsonl_source import JsonlRows
from perfectpay_async.bulk.sources.lines import Lines

from .records import ChunkSlice, FleetSettings

_READERS: Final[dict[str, Any]] = {"csv": CsvRows, "jsonl": JsonlRows}
_NEWLINES: Final = {"csv": "", "jsonl": "\n"}


class SlicedRows:
    """The rows of an input that is read for the first time; notes where its chunks lie.

    Args:
        stream: The input, from its first byte.
        settings: What is in it.

    Attributes:
        slices: The chunks; complete when all rows have been read.
    """

    def __init__(self, stream: BinaryIO, settings: FleetSettings) -> None:
        self.slices: list[ChunkSlice] = []
        self._text = _CountedText(_text(stream, settings.format), len(_header(settings)))
        self._settings = settings

    @property
    def size(self) -> int:
        """Bytes read so far."""
        return self._text.offset

    @property
    def sha256(self) -> str:
        """Hash of the bytes read so far."""
        return self._text.total.hexdigest()

    def __iter__(self) -> Iterator[Row]:
        text, lines = self._text, self._settings.header_lines
        start, rows = text.begin, 0
        last = text.begin, text.part.copy()

        def cut() -> ChunkSlice:
            return ChunkSlice(
                number=len(self.slices),
                start=start,
                stop=text.offset,
                lines=lines,
                rows=rows,
                sha256=text.part.hexdigest(),
            )

        try:
            for row in _rows(text, self._settings):
                rows += 1
                if rows == CHUNK_ROWS:
                    self.slices.append(cut())
                    start, lines, rows = text.offset, text.lines, 0
                    text.part = hashlib.sha256()
                last = text.offset, text.part.copy()
                yield row
        finally:
            text.detach()
        if rows:
            stop, part = last
            made = attrs.evolve(cut(), stop=stop, sha256=part.hexdigest())
            self.slices.append(made)


def measure_header(stream: BinaryIO, form: str) -> tuple[int, int]:
    """Return how many bytes come before the first row, and how many lines they are.

    Args:
        stream: The input, from its first byte.
        form: `csv` or `jsonl`.
    """
    text = _CountedText(_text(stream, form), 0)
    if form == "csv":
        with suppress(csv.Error, InputRefused):  # the reading of the rows says it better
            for cells in csv.reader(Lines(cast("TextIO", text)), strict=True):
                if cells:
                    break
    text.detach()
    return text.offset, text.lines


def parse_slice(data: bytes, chunk: ChunkSlice, settings: FleetSettings) -> list[Row]:
    """Return the rows of a chunk, with the numbers that they have in the whole input.

    Args:
        data: Its bytes.
        chunk: Where it lies.
        settings: What is in it.

    Raises:
        InputRefused: These are not the bytes that were inspected.
    """
    changed = InputRefused(
        f"the input was changed since the job was made: its chunk {chunk.number} is not the same"
    )
    if hashlib.sha256(data).hexdigest() != chunk.sha256:
        raise changed
    stream = _text(BytesIO(_header(settings) + data), settings.format)
    before = chunk.lines - settings.header_lines
    rows = [attrs.evolve(row, number=row.number + before) for row in _rows(stream, settings)]
    if len(rows) != chunk.rows:
        raise changed
    return rows


def _rows(text: Any, settings: FleetSettings) -> Iterator[Row]:
    columns = Columns(settings.columns, settings.expiry_column)
    return iter(_READERS[settings.format](text, columns))


def _header(settings: FleetSettings) -> bytes:
    return settings.header.encode("utf-8", "surrogateescape")


def _text(stream: Any, form: str) -> TextIOWrapper:
    return TextIOWrapper(stream, "utf-8", errors="surrogateescape", newline=_NEWLINES[form])


class _CountedText:
    """A text that counts the bytes that its lines took: what is decoded so is encoded the same."""

    def __init__(self, text: TextIOWrapper, begin: int) -> None:
        self.begin: int = begin
        self.offset: int = 0
        self.lines: int = 0
        self.total = hashlib.sha256()
        self.part = hashlib.sha256()
        self._text = text

    def detach(self) -> None:
        """Let the stream be its owner's to close."""
        if not self._text.buffer.closed:
            self._text.detach()

    def readline(self, limit: int = -1) -> str:
        line = self._text.readline(limit)
        data = line.encode("utf-8", "surrogateescape")
        self.lines += bool(line)
        self.total.update(data)
        if self.offset >= self.begin:
            self.part.update(data)
        self.offset += len(data)
        return line
