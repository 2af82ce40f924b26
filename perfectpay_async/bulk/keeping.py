"""What a run needs of whatever keeps its account: a job's journal, or the ledger of a fleet."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Protocol

from perfectpay_async.errors import PerfectPayError

from .jobs import JobFacts, RunRecord, Sample
from .report import Counts, RowResult
from .rows import Place, Rows


class Recorder(Protocol):
    """Takes the results of one run."""

    @property
    def full(self) -> bool:
        """Whether too many results are not safe yet, so that no row must be begun."""
        ...

    def put(self, position: int, result: RowResult) -> None:
        """Take the result of the row at that position of the input."""

    async def room(self) -> None:
        """Wait while it is full."""

    def note_run(self, run: RunRecord, sample: Sample | None = None) -> None:
        """Take what the run has done so far."""

    async def flush(self) -> None:
        """Make all results safe, and take no more.

        Raises:
            PerfectPayError: They could not be made safe, now or before.
        """


class OpenRows(Protocol):
    """The rows that have not ended yet, with their positions.

    Attributes:
        taken: Rows read so far, the ones that had ended included.
        ended: Whether there are no more.
    """

    taken: int
    ended: bool

    def ready(self) -> Place | None:
        """Return the next one if it need not be awaited; None says nothing."""

    def __aiter__(self) -> AsyncIterator[Place]: ...

    async def __anext__(self) -> Place: ...


class Keeper(Protocol):
    """Keeps the account of rows for longer than one run."""

    @property
    def facts(self) -> JobFacts:
        """What identifies the job."""
        ...

    @property
    def counts(self) -> Counts:
        """How many rows have ended how."""
        ...

    @property
    def rows(self) -> int | None:
        """All rows; None until they are known."""
        ...

    def problems(self) -> Iterable[tuple[int, RowResult]]:
        """Iterate over the results that are not ok, each with its position."""
        ...

    def bind(self, operation: str, host: str, shard: str) -> None:
        """Say what is done, where, and to which part; or check that it is what was said before."""

    def begin(self, on_failure: Callable[[PerfectPayError], None]) -> Recorder:
        """Begin a run; `on_failure` is called when its results cannot be kept any more."""
        ...

    def remaining(self, rows: Rows) -> OpenRows:
        """Return the rows that have not ended yet."""
        ...

    def new_run(self) -> RunRecord:
        """Return the entry of a run that begins now."""
        ...

    def end(self, rows: int | None) -> None:
        """End the run; `rows` are those of the input, when it was read to its end."""
