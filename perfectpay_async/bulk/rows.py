"""The rows of a bulk update. They come from any iterable of pairs, or from one of the `sources`.

A row that breaks a rule becomes a `BadRow`, which is accounted for like any other row. Only what
makes the whole input doubtful stops the reading, with an `InputRefused`. Neither ever quotes a
value of the input.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from functools import partial
from itertools import count
from typing import Final, NamedTuple, TypeAlias

from attrs import frozen

from perfectpay_async.entities import CardExpiry
from perfectpay_async.errors import PerfectPayError

COLUMNS: Final = ("payment_method_id", "exp_month", "exp_year")


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
        payment_method_id: Which card; None when there is no id that keeps the rules.
        exp_month: The month as the input has it; None when it could be anything else.
        exp_year: The year in the same way.
    """

    number: int
    reason: str
    payment_method_id: str | None = None
    exp_month: str | None = None
    exp_year: str | None = None


Row: TypeAlias = ExpiryRow | BadRow
RowLike: TypeAlias = Row | tuple[str, CardExpiry]


class Place(NamedTuple):
    """A row and where it stands in its input.

    Attributes:
        position: Rows before it.
        row: The row.
    """

    position: int
    row: Row


class Rows(AsyncIterator[Row]):
    """Rows from any source. A pair gets its position in the source as its number.

    Args:
        source: Any iterable or async iterable.

    Attributes:
        ready: Returns the next row if the source need not be awaited for it; None says nothing.
    """

    def __init__(self, source: Iterable[RowLike] | AsyncIterable[RowLike]) -> None:
        # No generator makes one of the other: one that is left halfway needs closing.
        self._awaited = aiter(source) if isinstance(source, AsyncIterable) else None
        self._numbers = count(1)
        items = () if isinstance(source, AsyncIterable) else source
        # No method, because that would be one call more for every row.
        self.ready: Callable[[], Row | None] = partial(
            next, map(_as_row, items, self._numbers), None
        )

    async def __anext__(self) -> Row:
        if (row := self.ready()) is not None:
            return row
        if self._awaited is None:
            raise StopAsyncIteration
        return _as_row(await anext(self._awaited), next(self._numbers))


class Places(AsyncIterator[Place]):
    """All rows of a source with their positions.

    Args:
        rows: The source.

    Attributes:
        taken: Rows read so far.
        ended: Whether the source has come to its end.
    """

    def __init__(self, rows: Rows) -> None:
        self.taken: int = 0
        self.ended: bool = False
        self._rows = rows

    def ready(self) -> Place | None:
        """Return the next one if the source need not be awaited for it; None says nothing."""
        if (row := self._rows.ready()) is None:
            return None
        place = Place(self.taken, row)
        self.taken += 1
        return place

    async def __anext__(self) -> Place:
        row = await anext(self._rows, None)
        if row is None:
            self.ended = True
            raise StopAsyncIteration
        place = Place(self.taken, row)
        self.taken += 1
        return place


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
