"""Drives rows through a fixed number of workers: bounded, ordered per card, stoppable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

from .rows import BadRow, Row


class Driver:
    """Workers that pull one iterator, so that memory does not grow with the input.

    Rows of one card are processed one after the other, in the order of the input; rows of
    different cards in any order.

    Args:
        rows: Where the rows come from. It is asked for one row at a time.
        process: Handles one row.

    Attributes:
        taken: Rows taken from the iterator so far.
        exhausted: Whether the iterator has come to its end.
        stopped: Whether no more rows are to be begun.
    """

    def __init__(self, rows: AsyncIterator[Row], process: Callable[[Row], Awaitable[None]]) -> None:
        self.taken: int = 0
        self.exhausted: bool = False
        self.stopped: bool = False
        self._rows = rows
        self._process = process
        self._failure: Exception | None = None
        self._turn = asyncio.Lock()
        self._waiting: set[asyncio.Task[None]] = set()
        # For each card with a row under way: the end of the last row that was taken for it.
        self._ends: dict[str | int, asyncio.Event] = {}

    def stop(self) -> None:
        """Take no more rows. Those under way are finished."""
        self.stopped = True
        for worker in self._waiting:  # perhaps for a row that never comes
            worker.cancel()

    async def run(self, workers: int) -> None:
        """Process the rows until there are no more, or until `stop` is called.

        Raises:
            Exception: The first one that the iterator or `process` raised. The rows that were
                under way have been finished by then.
        """
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._work())
        failure, self._failure = self._failure, None
        if failure is not None:
            try:
                raise failure
            finally:
                del failure  # its traceback holds this frame: a cycle

    async def _work(self) -> None:
        try:
            while (taken := await self._take()) is not None:
                await self._handle(*taken)
        except Exception as error:  # noqa: BLE001 - `run` raises it
            self._failure = self._failure or error
            self.stop()

    async def _take(self) -> tuple[Row, asyncio.Event | None, asyncio.Event] | None:
        """Return the next row, the end of the card's row before it, and the end of its own."""
        worker = cast("asyncio.Task[None]", asyncio.current_task())
        self._waiting.add(worker)
        try:
            # One worker at a time, so that a card's rows line up in the order of the input.
            async with self._turn:
                if self.stopped or self.exhausted:
                    return None
                row = await anext(self._rows, None)
                if row is None:
                    self.exhausted = True
                    return None
                self.taken += 1
                earlier, end = self._ends.get(_card(row)), asyncio.Event()
                self._ends[_card(row)] = end
                return row, earlier, end
        finally:
            self._waiting.discard(worker)

    async def _handle(self, row: Row, earlier: asyncio.Event | None, end: asyncio.Event) -> None:
        try:
            if earlier is not None:
                await earlier.wait()
            if earlier is None or not self.stopped:
                await self._process(row)
        finally:
            end.set()
            if self._ends[_card(row)] is end:
                del self._ends[_card(row)]


def _card(row: Row) -> str | int:
    return row.number if isinstance(row, BadRow) else row.payment_method_id
