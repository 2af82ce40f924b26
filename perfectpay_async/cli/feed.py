"""The rows of a run as the command line needs them: they can be ended from outside."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Final

from perfectpay_async.bulk import InputRefused
from perfectpay_async.bulk.rows import Row

_AHEAD: Final = 1_000
"""So many rows are read from a pipe ahead of the run."""


class Feed(AsyncIterator[Row]):
    """Rows from a local file, until the last one, a refusal, or `stop`.

    Args:
        rows: What `read_csv` returned.

    Attributes:
        refused: Why the rest of the input was refused.
        stopped: Whether `stop` was called.
    """

    def __init__(self, rows: Iterator[Row]) -> None:
        self.refused: InputRefused | None = None
        self.stopped = False
        self._rows = rows

    def stop(self) -> None:
        """End the iteration before the next row."""
        self.stopped = True

    async def __anext__(self) -> Row:
        row = None if self.stopped else await self._next()
        if row is None:
            raise StopAsyncIteration
        return row

    async def _next(self) -> Row | None:
        return self._read()

    def _read(self) -> Row | None:
        try:
            return next(self._rows, None)
        except InputRefused as error:
            self.refused = error
            return None


class PipeFeed(Feed):
    """Rows from a pipe or terminal, which may let us wait: a thread reads them.

    The thread is a daemon, because nothing can wake it from a read that never returns.
    """

    def __init__(self, rows: Iterator[Row]) -> None:
        super().__init__(rows)
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Row | Exception | None] = asyncio.Queue()
        self._room = threading.Semaphore(_AHEAD)
        threading.Thread(target=self._read_all, name="perfectpay-stdin", daemon=True).start()

    def stop(self) -> None:
        """End the iteration, also of who waits for the next row already."""
        super().stop()
        self._queue.put_nowait(None)

    async def _next(self) -> Row | None:
        row = await self._queue.get()
        self._room.release()
        if isinstance(row, Exception):
            raise row
        return row

    def _read_all(self) -> None:
        row: Row | Exception | None = None
        with suppress(RuntimeError):  # the loop is closed: the run has ended
            while True:
                self._room.acquire()
                try:
                    row = self._read()
                except Exception as error:  # noqa: BLE001 - `_next` raises it
                    row = error
                self._loop.call_soon_threadsafe(self._queue.put_nowait, row)
                if row is None or isinstance(row, Exception):
                    return
