"""Drives rows through a fixed number of workers: bounded, ordered per card, stoppable."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import cast

from .rows import BadRow, Place


class Driver:
    """Workers that pull one source, so that memory does not grow with the input.

    Rows of one card are processed one after the other, in the order of the input; rows of
    different cards in any order.

    Args:
        ready: Returns the next row if it can be begun at once; None says nothing.
        wait: Returns the next row when it can be begun, or None at the end. It is awaited by one
            worker at a time.
        process: Handles one row.

    Attributes:
        stopped: Whether no more rows are to be begun.
    """

    def __init__(
        self,
        ready: Callable[[], Place | None],
        wait: Callable[[], Awaitable[Place | None]],
        process: Callable[[Place], Awaitable[None]],
    ) -> None:
        self.stopped: bool = False
        self._ready = ready
        self._wait = wait
        self._exhausted = False
        self._is_awaited = False  # then nobody else may ask for a row
        self._process = process
        self._failure: Exception | None = None
        self._turn = asyncio.Lock()
        self._waiting: set[asyncio.Task[None]] = set()
        # For each card with a row under way: the rows that wait for its end.
        self._under_way: dict[str | int, deque[asyncio.Event] | None] = {}

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
            Exception: The first one that `ready`, `wait` or `process` raised. The rows that were
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
        try:
            while (place := self._take() or await self._wait_for_one()) is not None:
                # Since it was taken nothing was awaited: a card's rows line up in their order.
                row = place.row
                card = place.position if isinstance(row, BadRow) else row.payment_method_id
                is_later = card in self._under_way
                try:
                    if is_later:
                        await self._line_up(card)
                    else:
                        self._under_way[card] = None
                    if not (is_later and self.stopped):
                        await self._process(place)
                finally:
                    line = self._under_way.pop(card)
                    if line is not None:
                        self._let_next_go(card, line)
        except Exception as error:  # noqa: BLE001 - `run` raises it
            self._failure = self._failure or error
            self.stop()

    def _take(self) -> Place | None:
        may_ask = not (self.stopped or self._exhausted or self._is_awaited)
        place = self._ready() if may_ask else None
        return None if self.stopped else place  # perhaps stopped by the source itself

    async def _wait_for_one(self) -> Place | None:
        worker = cast("asyncio.Task[None]", asyncio.current_task())
        self._waiting.add(worker)
        try:
            async with self._turn:
                if self.stopped or self._exhausted:
                    return None
                self._is_awaited = True
                try:
                    place = await self._wait()
                finally:
                    self._is_awaited = False
                if place is None or self.stopped:  # as above
                    self._exhausted = True
                    return None
                return place
        finally:
            self._waiting.discard(worker)

    async def _line_up(self, card: str | int) -> None:
        line = self._under_way[card]
        if line is None:
            line = self._under_way[card] = deque()
        turn = asyncio.Event()
        line.append(turn)
        await turn.wait()

    def _let_next_go(self, card: str | int, line: deque[asyncio.Event]) -> None:
        line.popleft().set()
        self._under_way[card] = line or None
