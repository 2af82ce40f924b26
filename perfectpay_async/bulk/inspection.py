"""A look at a whole input before any of it is sent."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from datetime import date
from itertools import islice

from attrs import field, frozen

from .chunks import CHUNK_ROWS, Fingerprints, fingerprint
from .duplicates import DuplicateFinder, Duplicates
from .report import MAX_PROBLEMS
from .rows import BadRow, ExpiryRow, Row


@frozen(kw_only=True)
class Inspection:
    """What is in an input.

    Attributes:
        rows: All rows.
        bad: Rows that break a rule.
        past: Rows whose new expiry is in the past. They are not among the bad ones.
        problems: The first 1,000 rows that are bad or past.
        duplicates: Rows for a card that an earlier good row is for; None when they were not looked
            for.
        fingerprints: What proves later that the same input is read again.
    """

    rows: int
    bad: int
    past: int
    problems: tuple[BadRow, ...] = field(repr=False)
    duplicates: Duplicates | None
    fingerprints: Fingerprints = field(repr=False)

    @property
    def good(self) -> int:
        """Rows that can be sent."""
        return self.rows - self.bad - self.past


def inspect_rows(
    rows: Iterable[Row], *, today: date, look_for_duplicates: bool = True
) -> Inspection:
    """Read an input to its end and return what is in it.

    The memory it takes does not depend on the length of the input, but for 16 bytes per 1,000
    rows.

    Args:
        rows: The input.
        today: The day that decides whether an expiry is in the past.
        look_for_duplicates: Whether to do so. It takes about as long as the reading, and disk
            space: see `DuplicateFinder`.

    Raises:
        InputRefused: The input as a whole cannot be trusted, or there is no room for temporary
            files.
        OSError: It cannot be read.
    """
    total = bad = past = 0
    problems: list[BadRow] = []
    joined = bytearray()
    rows = iter(rows)
    with ExitStack() as stack:
        finder = stack.enter_context(DuplicateFinder()) if look_for_duplicates else None
        while chunk := tuple(islice(rows, CHUNK_ROWS)):
            joined += fingerprint(chunk)
            total += len(chunk)
            for row in chunk:
                if isinstance(row, ExpiryRow) and not row.expiry.is_expired(today):
                    if finder is not None:
                        finder.add(row.number, row.payment_method_id)
                    continue
                bad += isinstance(row, BadRow)
                past += isinstance(row, ExpiryRow)
                if len(problems) < MAX_PROBLEMS:
                    problems.append(_problem(row))
        duplicates = None if finder is None else finder.find(MAX_PROBLEMS)
    return Inspection(
        rows=total,
        bad=bad,
        past=past,
        problems=tuple(problems),
        duplicates=duplicates,
        fingerprints=Fingerprints(total, bytes(joined)),
    )


def _problem(row: Row) -> BadRow:
    return row if isinstance(row, BadRow) else BadRow(row.number, "expiry must not be in the past")
