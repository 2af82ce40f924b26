"""Finds the ids that an input holds more than once, without holding them in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from heapq import nsmallest
from types import TracebackType
from typing import Final, Self

from attrs import frozen

from .rows import InputRefused

_BATCH: Final = 10_000
_CACHE_KIB: Final = 2_048
# 128 bits of a hash: that two ids share them by chance does not happen. An id itself is not
# written to the disk.
_DIGEST_SIZE: Final = 16
# The sorting is SQLite's, which merges sorted pieces from disk.
_FIND: Final = """
    SELECT number, earlier FROM (
        SELECT number, lag(number) OVER (PARTITION BY digest ORDER BY number) AS earlier FROM seen
    ) WHERE earlier IS NOT NULL
"""


@frozen(order=True)
class Duplicate:
    """A row for a card that an earlier row is for.

    Attributes:
        number: Where the row stands in the input.
        earlier: Where the last row before it for that card stands.
    """

    number: int
    earlier: int


@frozen
class Duplicates:
    """What was found.

    Attributes:
        count: Rows for a card that an earlier row is for.
        first: The first of them.
    """

    count: int
    first: tuple[Duplicate, ...]


class DuplicateFinder:
    """Notes ids and finds those that came more than once; a context manager.

    A small input stays in memory. A larger one goes to a temporary file that has no name and is
    gone when this is closed, or the process ends. A million rows take 28 MB of disk, and for the
    search the same again; of memory it takes some 3 MB more than a small one.
    """

    def __init__(self) -> None:
        self._batch: list[tuple[bytes, int]] = []
        # An empty name is a temporary file of SQLite's own, written when its cache is full.
        self._database = sqlite3.connect("", isolation_level=None)
        for setting in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_CACHE_KIB}"):
            self._database.execute(f"PRAGMA {setting}")
        self._database.execute("CREATE TABLE seen (digest BLOB NOT NULL, number INTEGER NOT NULL)")
        self._database.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._database.close()

    def add(self, number: int, payment_method_id: str) -> None:
        """Note the id of a row.

        Raises:
            InputRefused: There is no room for temporary files.
        """
        # What was not UTF-8 is in an id as lone surrogates.
        text = payment_method_id.encode("utf-8", "surrogatepass")
        self._batch.append((blake2b(text, digest_size=_DIGEST_SIZE).digest(), number))
        if len(self._batch) >= _BATCH:
            self._write()

    def find(self, most: int) -> Duplicates:
        """Find the duplicates.

        Args:
            most: So many of them are returned; all are counted.

        Raises:
            InputRefused: There is no room for temporary files.
        """
        self._write()
        count = 0

        def found() -> Iterator[Duplicate]:
            nonlocal count
            for number, earlier in self._database.execute(_FIND):
                count += 1
                yield Duplicate(number, earlier)

        with _room():
            first = nsmallest(most, found())
        return Duplicates(count, tuple(first))

    def earlier_rows(self) -> Iterator[int]:
        """Iterate over the numbers, in ascending order, of the rows that a later one is for too.

        Raises:
            InputRefused: There is no room for temporary files.
        """
        self._write()
        with _room():
            for (number,) in self._database.execute(f"SELECT earlier FROM ({_FIND}) ORDER BY 1"):  # noqa: S608 - constants
                yield number

    def _write(self) -> None:
        with _room():
            self._database.executemany("INSERT INTO seen VALUES (?, ?)", self._batch)
        self._batch.clear()


@contextmanager
def _room() -> Generator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise InputRefused(
            "there is no room for the temporary file in which duplicates are looked for; "
            "make room, or say with SQLITE_TMPDIR where there is some"
        ) from error
