"""The lines of a text, one at a time, however long they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TextIO

from perfectpay_async.bulk.rows import InputRefused

MAX_ROW: Final = 65_536
"""Most characters of one row, so that a quote that is never closed cannot fill the memory."""

_OTHERS: Final = {
    "PK\x03\x04": "an Excel workbook or another zip file; save the sheet as CSV UTF-8",
    "\udcd0\udccf\x11": "an old Excel workbook; save the sheet as CSV UTF-8",
    "\x1f\udc8b": "compressed with gzip; unpack it",
    "PAR1": "a Parquet file; say that its format is parquet",
}
"""What a file that is no text begins with, as it is decoded, and what it is then."""


class Lines:
    """Hands out lines, and bounds what one row can take.

    Args:
        stream: Where they come from.
    """

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
        """Return the next line.

        Raises:
            InputRefused: The row is too long, holds a NUL character, or is not UTF-8, or the file
                is none of text.
        """
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
        if self._number == 1:
            line = line.removeprefix("\ufeff")
            if (kind := _other(line)) is not None:
                del line  # it may hold anything, and this frame is about to enter a traceback
                raise InputRefused(f"the input is {kind}, and try again")
        problem = ""
        if self._size > MAX_ROW:
            problem = f"has more than {MAX_ROW:,} characters; is a quote never closed?"
        elif "\0" in line:
            problem = "holds a NUL character; save the file as UTF-8 text"
        if problem:
            del line  # as above
            raise InputRefused(f"line {self._first}: the row {problem}")
        return line


def _other(start: str) -> str | None:
    return next((kind for magic, kind in _OTHERS.items() if start.startswith(magic)), None)
