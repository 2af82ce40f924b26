"""The rows of a run as the command line needs them: they can be ended from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from perfectpay_async.bulk import InputRefused
from perfectpay_async.bulk.rows import Row


class Feed(AsyncIterator[Row]):
    """Rows from a local file, until the last one, a refusal, or `stop`.

    Args:
        rows: What `read_csv` or `read_rows` returned.

    Attributes:
        refused: Why the rest of the input was refused.
        stopped: Whether `stop` was called.
    """

    def __init__(self, rows: Iterator[Row]) -> None:
        self.refused: InputRefused | None = None
        self.stopped: bool = False
        self._rows = rows

    def stop(self) -> None:
        """End the iteration before the next row."""
        self.stopped = True

    async def __anext__(self) -> Row:
        row = None if self.stopped else self._read()
        if row is None:
            raise StopAsyncIteration
        return row

    def _read(self) -> Row | None:
        try:
            return next(self._rows, None)
        except InputRefused as error:
            self.refused = error
        except OSError as error:
            self.refused = InputRefused(f"the rest of the input cannot be read: {error.strerror}")
        return None
