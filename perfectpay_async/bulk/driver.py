"""Drives rows through a fixed number of workers: bounded, ordered per card, stoppable."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import cast

from .rows import BadRow, Place


class Driver:
    """Workers that pull one source, so that memory does not grow with the input.

    Rows of one card are processed one after the other, in the order of the input; rows of
    different cards in any order.

    Args:
        take: Returns the next row, or None at the end. It is awaited by one worker at a time.
        process: Handles one row.

    Attributes:
        stopped: Whether no more rows are to be begun.
    """

    def __init__(
        self,
        take: Callable[[], Awaitable[Place | None]],
        process: Callable[[Place], Awaitable[None]],
    ) -> None:
        self.stopped: bool = False
        self._next = take
        self._exhausted = False
        self._process = process
        self._failure: Exception | None = None
        self._turn = asyncio.Lock()
        self._waiting: set[asyncio.Task[None]] = set()
        # For each card with a row under way: the end of the last row that was taken for it.
        self._ends: dict[str | int, _End] = {}

    def stop(self) -> None:
        """Take no more rows. Those under way are finished."""
        self.stopped = True
        for worker in self._waiting - {
            asyncio.current_task()
        }:  # perhaps for a row that never comes
            worker.cancel()

    async def run(self, workers: int, limit: asyncio.Timeout | None = None) -> None:
        """Process the rows until there are no more, or until `stop` is called.

        Args:
            workers: Rows under way at once.
            limit: When it expires, the rows under way are abandoned.

        Raises:
            Exception: The first one that `take` or `process` raised. The rows that were
                under way have been finished by then.
        """
        with suppress(TimeoutError):  # of the limit: a worker keeps what its row raised
            async with limit or asyncio.timeout(None), asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._work())
        failure, self._failure = self._failure, None
        if failure is not None:
            try:
                raise failure
            finally:
                del failure  # its traceback holds this frame: a cycle

    async def _work(self) -> None:
        worker = cast("asyncio.Task[None]", asyncio.current_task())
        try:
            while (taken := await self._take(worker)) is not None:
                await self._handle(*taken)
        except Exception as error:  # noqa: BLE001 - `run` raises it
            self._failure = self._failure or error
            self.stop()

    async def _take(self, worker: asyncio.Task[None]) -> tuple[Place, _End | None, _End] | None:
        """Return the next row, the end of the card's row before it, and the end of its own."""
        self._waiting.add(worker)
        try:
            # One worker at a time, so that a card's rows line up in the order of the input.
            await self._turn.acquire()
            try:
                if self.stopped or self._exhausted:
                    return None
                place = await self._next()
                if place is None or self.stopped:  # perhaps by the source itself
                    self._exhausted = True
                    return None
                card, end = _card(place), _End()
                earlier = self._ends.get(card)
                self._ends[card] = end
                return place, earlier, end
            finally:
                self._turn.release()
        finally:
            self._waiting.discard(worker)

    async def _handle(self, place: Place, earlier: _End | None, end: _End) -> None:
        try:
            if earlier is not None:
                await earlier.wait()
            if earlier is None or not self.stopped:
                await self._process(place)
        finally:
            end.come()
            card = _card(place)
            if self._ends[card] is end:
                del self._ends[card]


class _End:
    """The end of a row. It is nearly never waited for, so its event is made by who waits."""

    __slots__ = ("_came", "_event")

    def __init__(self) -> None:
        self._came = False
        self._event: asyncio.Event | None = None

    def come(self) -> None:
        self._came = True
        if self._event is not None:
            self._event.set()

    async def wait(self) -> None:
        if not self._came:
            self._event = self._event or asyncio.Event()
            await self._event.wait()


def _card(place: Place) -> str | int:
    row = place.row
    return place.position if isinstance(row, BadRow) else row.payment_method_id
