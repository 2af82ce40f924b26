"""Keeps the results of a chunk, and saves them in the ledger each second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from typing import Final

import attrs

from perfectpay_async.bulk import JobFacts, JobRefused, RowResult
from perfectpay_async.bulk.chunks import CHUNK_ROWS, Bitmap
from perfectpay_async.bulk.jobs import RunRecord, Sample
from perfectpay_async.bulk.jobs.records import ChunkState
from perfectpay_async.bulk.report import FAILED, NO_PROBLEM, Counts
from perfectpay_async.bulk.rows import Place, Row, Rows
from perfectpay_async.errors import PerfectPayError

from .errors import LedgerAway, LedgerError, SessionLost
from .ledger import WorkerLedger
from .records import Problem, Taken

SAVE_SECONDS: Final = 1.0
"""So often the results are saved: a worker that is killed loses no more than those since."""
PATIENCE: Final = 60.0
"""Seconds for which results are kept at the end while the ledger is away."""

_LATE: Final = 2.0 * SAVE_SECONDS


class ChunkRecorder:
    """Takes the results of one chunk, and saves them.

    Args:
        ledger: Where to.
        taken: The chunk; its state is that of the ledger, and is kept up to date here.
        leased: Returns whether the lease still runs.
        on_failure: Called when another worker has the chunk, or the ledger cannot be used.
    """

    def __init__(
        self,
        ledger: WorkerLedger,
        taken: Taken,
        leased: Callable[[], bool],
        on_failure: Callable[[PerfectPayError], None],
    ) -> None:
        self._ledger = ledger
        self._taken = taken
        self._leased = leased
        self._on_failure = on_failure
        self._first = taken.slice.number * CHUNK_ROWS
        self._requests = self._retried = 0
        self._problems: list[Problem] = []
        self._unsaved_since: float | None = None
        self._failure: LedgerError | None = None
        self._now = asyncio.get_running_loop().time
        self._room = asyncio.Event()
        self._room.set()
        self._closing = asyncio.Event()
        self._task = asyncio.create_task(self._keep_saving())

    def put(self, position: int, result: RowResult) -> None:
        """Take the result of the row at that position of the input.

        What failed without a lease is run again: the process was frozen, perhaps, and its requests
        ran out of time.
        """
        if result.verdict in FAILED and not self._leased():
            return
        self._taken.state.mark(position - self._first, result.verdict)
        if result.verdict not in NO_PROBLEM:
            self._problems.append((position, result, time.time()))
        if self._unsaved_since is None:
            self._unsaved_since = self._now()

    @property
    def full(self) -> bool:
        """Whether the ledger is away, so that no row must be begun."""
        return not self._room.is_set()

    async def room(self) -> None:
        """Wait while the ledger is away: what could not be saved would be sent again."""
        await self._room.wait()

    def note_run(self, run: RunRecord, sample: Sample | None = None) -> None:  # noqa: ARG002 - a fleet keeps no course
        """Take what the run has done so far."""
        self._requests, self._retried = run.requests, run.retried

    async def flush(self) -> None:
        """Save all results, and take no more.

        Raises:
            LedgerError: They could not be saved.
        """
        self._closing.set()
        try:
            await asyncio.wait([self._task])  # not cancelled: half a save would only be repeated
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        end = self._now() + PATIENCE
        while self._failure is None:
            try:
                await self._save()
            except LedgerAway:
                if self._now() >= end:
                    raise
                await asyncio.sleep(SAVE_SECONDS)
            else:
                return
        raise self._failure

    async def _keep_saving(self) -> None:
        while self._failure is None and not self._closing.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(SAVE_SECONDS):
                    await self._closing.wait()
            if self._unsaved_since is None or self._closing.is_set():
                continue
            try:
                await self._save()
            except LedgerAway:
                self._block_if_late()
            except LedgerError as error:
                self._fail(error)
            except Exception as error:  # noqa: BLE001 - whatever it is, no more must be sent
                self._fail(LedgerError(f"the ledger failed with {type(error).__name__}"))
        self._room.set()

    async def _save(self) -> None:
        taken, since = self._taken, self._unsaved_since
        # A copy: the rows that end while it is saved come with the next one, all of them.
        state, problems = copy_of(taken.state), tuple(self._problems)
        self._unsaved_since = None
        saved = False
        try:
            await self._ledger.save(
                taken,
                state,
                problems,
                requests=taken.requests + self._requests,
                retried=taken.retried + self._retried,
            )
            saved = True
        except SessionLost as error:
            self._fail(error)
            raise
        finally:
            if not saved:
                self._unsaved_since = since or self._unsaved_since
        del self._problems[: len(problems)]
        self._room.set()

    def _block_if_late(self) -> None:
        since = self._unsaved_since
        if since is not None and self._now() - since > _LATE:
            self._room.clear()

    def _fail(self, error: LedgerError) -> None:
        if self._failure is None:
            self._failure = error
            self._on_failure(error)


def copy_of(state: ChunkState) -> ChunkState:
    """Return a copy that does not change with the original."""
    return attrs.evolve(
        state,
        bitmap=Bitmap(bytes(state.bitmap)),
        skips=Bitmap(bytes(state.skips)),
        counts=dict(state.counts),
    )


class ChunkKeeper:
    """The account of one chunk, as a bulk run wants it.

    Args:
        ledger: Where it is.
        taken: The chunk.
        leased: Returns whether the lease still runs.
    """

    def __init__(self, ledger: WorkerLedger, taken: Taken, leased: Callable[[], bool]) -> None:
        self._ledger = ledger
        self._taken = taken
        self._leased = leased

    @property
    def facts(self) -> JobFacts:
        """What identifies the job."""
        return self._taken.job.facts

    @property
    def counts(self) -> Counts:
        """How many rows have ended how."""
        return self._taken.state.counts

    @property
    def rows(self) -> int:
        """Rows of the chunk."""
        return self._taken.slice.rows

    def problems(self) -> Iterable[tuple[int, RowResult]]:
        """Return nothing: what ended before is in the ledger."""
        return ()

    def bind(self, operation: str, host: str, shard: str) -> None:
        """Check that the job is for this client.

        Raises:
            JobRefused: It is not.
        """
        facts = self.facts
        if (operation, host, shard) != (facts.operation, facts.host, facts.shard):
            raise JobRefused(f"the job is for {facts.host}, and this worker for {host}")

    def begin(self, on_failure: Callable[[PerfectPayError], None]) -> ChunkRecorder:
        """Begin a run."""
        return ChunkRecorder(self._ledger, self._taken, self._leased, on_failure)

    def remaining(self, rows: Rows) -> _OpenRows:
        """Return the rows that have not ended yet."""
        return _OpenRows(rows, self._taken)

    def new_run(self) -> RunRecord:
        """Return the entry of a run that begins now."""
        now = time.time()
        return RunRecord(1, began=now, seen=now)

    def end(self, rows: int | None) -> None:
        """End the run."""


class _OpenRows(AsyncIterator[Place]):
    """Those rows of a chunk that have not ended, with their positions in the whole input."""

    def __init__(self, rows: Rows, taken: Taken) -> None:
        self.taken: int = 0
        self.ended: bool = False
        self._rows = rows
        self._bitmap = taken.state.bitmap
        self._first = taken.slice.number * CHUNK_ROWS

    def ready(self) -> Place | None:
        while (row := self._rows.ready()) is not None:
            if (place := self._open(row)) is not None:
                return place
        return None

    async def __anext__(self) -> Place:
        async for row in self._rows:
            if (place := self._open(row)) is not None:
                return place
        self.ended = True
        raise StopAsyncIteration

    def _open(self, row: Row) -> Place | None:
        offset = self.taken
        self.taken += 1
        return None if offset in self._bitmap else Place(self._first + offset, row)
