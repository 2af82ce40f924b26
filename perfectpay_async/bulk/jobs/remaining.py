"""The rows of a job: those that have not ended yet, and proof that the input is the same."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from itertools import count

from perfectpay_async.bulk.chunks import CHUNK_ROWS, Fingerprint
from perfectpay_async.bulk.rows import InputRefused, Place, Row, Rows

from .journal import Journal
from .writer import JournalWriter, Reading


class RemainingRows(AsyncIterator[Place]):
    """Rows that a job has still to run, with their positions in its input.

    Of a chunk that was read before, no row is given before all of it was compared. Rows that are
    read for the first time are given one by one, so a slow source holds nothing up.

    Args:
        rows: The whole input, from its first row on.
        journal: What is known of it.
        writer: Gets the fingerprints of the chunks that are read for the first time.
        expected: Rows of the input; None when it has never been read to its end.
        unit: What the numbers of the rows count.

    Attributes:
        taken: Rows of the input read so far, the ones that had ended included.
        ended: Whether it has come to its end.
    """

    def __init__(
        self,
        rows: Rows,
        journal: Journal,
        writer: JournalWriter,
        *,
        expected: int | None,
        unit: str,
    ) -> None:
        self.taken: int = 0
        self.ended: bool = False
        self._rows = rows
        self._journal = journal
        self._writer = writer
        self._expected = expected
        self._unit = unit
        self._ready: deque[Place] = deque()
        self._number = -1
        self._begin_chunk()

    def ready(self) -> Place | None:
        """Return the next one if neither a chunk nor the source must be awaited; else None.

        Raises:
            InputRefused: As below.
        """
        if self._ready:
            return self._ready.popleft()
        if self._offset < self._state.seen or (row := self._rows.ready()) is None:
            return None
        return self._taken_new(row)

    async def __anext__(self) -> Place:
        """Return the next one.

        Raises:
            InputRefused: From here on it is not the input that the job was begun with.
        """
        while not self._ready:
            if self._offset < self._state.seen:
                await self._take_again()
            elif (row := await anext(self._rows, None)) is not None:
                return self._taken_new(row)
            else:
                if self._offset > 0:
                    self._writer.end_of_chunk(self._reading(ended=True))
                self.ended = True
                raise StopAsyncIteration
        return self._ready.popleft()

    async def _take_again(self) -> None:
        """Read the rows of the chunk that were read before, and compare them."""
        rows: list[Row] = []
        while len(rows) < self._state.seen:
            if (row := self._rows.ready() or await anext(self._rows, None)) is None:
                break
            rows.append(row)
        self._print.add(*rows)
        if self._print.value != self._state.fingerprint:
            where = f"from {self._unit} {rows[0].number} on, " if rows else "it ends too early: "
            raise InputRefused(
                f"{where}the input is not the one that the job was begun with; "
                "nothing of that was sent"
            )
        self._ready.extend(self._state.bitmap.gaps(map(Place, count(self.taken), rows)))
        self._offset += len(rows)
        self.taken += len(rows)
        if self._state.rows is not None:
            self._begin_chunk(ended_short=self._state.rows < CHUNK_ROWS)
        await asyncio.sleep(0)  # chunks that have ended must not hold the loop up

    def _taken_new(self, row: Row) -> Place:
        """Take a row that is read for the first time."""
        if self._ended_short or self.taken == self._expected:
            raise InputRefused(
                f"from {self._unit} {row.number} on, the input is longer than the one that the "
                "job was begun with; nothing of that was sent"
            )
        self._print.add(row)
        place = Place(self.taken, row)
        self.taken += 1
        self._offset += 1
        if self._offset == CHUNK_ROWS:
            self._writer.end_of_chunk(self._reading(ended=True))
            self._begin_chunk()
        else:
            self._writer.reading = self._reading(ended=False)
        return place

    def _reading(self, *, ended: bool) -> Reading:
        return Reading(self._number, self._offset, self._print.value, ended)

    def _begin_chunk(self, *, ended_short: bool = False) -> None:
        self._number += 1
        self._offset = 0
        self._state = self._journal.chunk(self._number)
        self._print = Fingerprint()
        self._ended_short = ended_short
