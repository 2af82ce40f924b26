"""Chunks: stretches of 1,000 rows of an input. A journal keeps its account by them.

A fingerprint of each chunk proves later that the same input is read again, and a bitmap says which
of its rows have ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Final, TypeVar

from attrs import frozen

from .rows import BadRow, Row

CHUNK_ROWS: Final = 1_000
"""Rows of a chunk; the last one of an input may have fewer."""

_FINGERPRINT_SIZE: Final = 16

T = TypeVar("T")


class Fingerprint:
    """The hash of the rows of one chunk, fed with the rows as they are read."""

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=_FINGERPRINT_SIZE)

    def add(self, *rows: Row) -> None:
        """Add the next rows; many at once cost half as much."""
        self._hash.update("".join(map(_said, rows)).encode("utf-8", "surrogatepass"))

    @property
    def value(self) -> bytes:
        """The hash of what was added so far: 16 bytes."""
        return self._hash.digest()


def _said(row: Row) -> str:
    # The number too: a file that gained a blank line is another file.
    if isinstance(row, BadRow):
        return f"{row.number}\0{row.reason}\n"
    expiry = row.expiry
    return f"{row.number}\0{row.payment_method_id}\0{expiry.month:02d}/{expiry.year}\n"


def fingerprint(rows: Iterable[Row]) -> bytes:
    """Return the fingerprint of the rows of one chunk."""
    made = Fingerprint()
    made.add(*rows)
    return made.value


@frozen
class Fingerprints:
    """The fingerprints of all chunks of an input.

    Attributes:
        rows: Rows of the input.
        joined: The fingerprints, 16 bytes each, one after the other.
    """

    rows: int
    joined: bytes

    def __len__(self) -> int:
        return len(self.joined) // _FINGERPRINT_SIZE

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Iterate over the rows and the fingerprint of each chunk."""
        for number in range(len(self)):
            start = number * _FINGERPRINT_SIZE
            rows = min(CHUNK_ROWS, self.rows - number * CHUNK_ROWS)
            yield rows, self.joined[start : start + _FINGERPRINT_SIZE]


class Bitmap:
    """Which rows of a chunk have ended.

    Args:
        marks: What `bytes()` of an earlier one gave; None for no row.
    """

    def __init__(self, marks: bytes | None = None) -> None:
        self._marks = bytearray(marks or CHUNK_ROWS // 8)

    def __contains__(self, offset: int) -> bool:
        return bool(self._marks[offset >> 3] & 1 << (offset & 7))

    def gaps(self, items: Iterable[T]) -> Iterable[T]:
        """Return those of the items, one for each row, whose rows have not ended."""
        if not any(self._marks):
            return items
        return (item for offset, item in enumerate(items) if offset not in self)

    def mark(self, *offsets: int) -> None:
        """Mark the rows at these places of the chunk as ended."""
        marks = self._marks
        for offset in offsets:
            marks[offset >> 3] |= 1 << (offset & 7)

    def clear(self, offset: int) -> None:
        """Take a mark back."""
        self._marks[offset >> 3] &= ~(1 << (offset & 7))

    def __bytes__(self) -> bytes:
        return bytes(self._marks)

    @classmethod
    def full(cls) -> Bitmap:
        """Return one with all rows marked."""
        return cls(b"\xff" * (CHUNK_ROWS // 8))
