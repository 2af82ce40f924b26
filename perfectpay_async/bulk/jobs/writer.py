"""Writes results to the journal from a thread of its own, many with one commit.

A commit waits for the disk, so it must not happen in the event loop, and not once per row.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple, TypeAlias

from perfectpay_async.bulk.chunks import CHUNK_ROWS
from perfectpay_async.bulk.report import NO_PROBLEM, RowResult, Verdict

from .errors import JournalError
from .journal import Journal
from .records import ChunkState, RunRecord, Sample

COMMIT_SECONDS: Final = 0.050
"""A result waits for others no longer than this before it is committed."""
COMMIT_ROWS: Final = 500
"""So many results are committed without a wait."""
MAX_WAITING: Final = 2_000
"""With so many results gathered for the next commit, whoever has a further one must wait."""

_Problem: TypeAlias = tuple[int, RowResult, float]
_Positions: TypeAlias = defaultdict[Verdict, list[int]]


class Reading(NamedTuple):
    """How far a chunk of the input has been read for the first time.

    Attributes:
        chunk: Its number.
        seen: Rows of it that were read.
        fingerprint: Of these.
        ended: Whether it has no more.
    """

    chunk: int
    seen: int
    fingerprint: bytes
    ended: bool


class JournalWriter:
    """Takes results in the event loop and commits them in a thread.

    Args:
        journal: Where to. Nobody else may write to it until `close`.
        on_failure: Called in the event loop when the journal cannot be written any more. What is
            given to `put` after that is dropped: nobody can be told later that it was done.

    Attributes:
        failure: Why the journal cannot be written any more.
        reading: How far the input has been read; to be set before a row of it is begun.
        full: Whether too many results wait for the next commit.
    """

    def __init__(self, journal: Journal, on_failure: Callable[[JournalError], None]) -> None:
        self.failure: JournalError | None = None
        self.reading: Reading | None = None
        self.full: bool = False
        self._journal = journal
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._condition = threading.Condition(self._lock)
        self._ended: _Positions = defaultdict(list)
        self._waiting = 0  # so many of them
        self._problems: list[_Problem] = []
        self._ends: list[Reading] = []
        self._run: RunRecord | None = None
        self._samples: list[Sample] = []
        self._open: dict[int, ChunkState] = {}
        self._closing = False
        self._room = asyncio.Event()
        self._room.set()
        self._thread = threading.Thread(target=self._work, name="perfectpay-journal", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether nothing more is written."""
        return not self._thread.is_alive()

    def put(self, position: int, result: RowResult) -> None:
        """Take the result of the row at that position of the input."""
        verdict = result.verdict
        with self._lock:  # and not the condition, whose own methods cost three times as much
            if self.failure is not None:
                return
            self._ended[verdict].append(position)
            if verdict not in NO_PROBLEM:
                self._problems.append((position, result, time.time()))
            self._waiting = waiting = self._waiting + 1
            if waiting in {1, COMMIT_ROWS}:
                self._condition.notify()
            if waiting >= MAX_WAITING:  # in one step: the commit of these makes room again
                self.full = True
                self._room.clear()

    async def room(self) -> None:
        """Wait while it is full."""
        await self._room.wait()

    def end_of_chunk(self, reading: Reading) -> None:
        """Take what is known of a chunk of the input that has been read to its end."""
        with self._condition:
            self._ends.append(reading)
            self.reading = None  # in one step: what is older must not be written after it
            self._condition.notify()

    def note_run(self, run: RunRecord, sample: Sample | None = None) -> None:
        """Take what the run has done so far."""
        with self._condition:
            self._run = run
            if sample is not None:
                self._samples.append(sample)
            self._condition.notify()

    async def flush(self) -> None:
        """Commit what there is and end the thread; a cancelled wait does not stop it.

        Raises:
            JournalError: It could not be committed, now or before.
        """
        await asyncio.shield(self._loop.run_in_executor(None, self.close))
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        """Commit what there is and end the thread. It waits for the disk."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join()

    def _work(self) -> None:
        try:
            while self._commit_next():
                pass
        except JournalError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, no more must be sent
            self._fail(JournalError(f"the journal failed with {type(error).__name__}"))

    def _commit_next(self) -> bool:
        """Wait for something to commit, and commit it; return whether there may be more."""
        with self._condition:
            while not (self._waiting or self._ends or self._run or self._closing):
                self._condition.wait()
            self._condition.wait_for(
                lambda: self._closing or self._waiting >= COMMIT_ROWS, COMMIT_SECONDS
            )
            ended, self._ended = self._ended, defaultdict(list)
            self._waiting = 0
            problems, self._problems = self._problems, []
            # Last the one that is being read: it covers all rows whose results are here.
            readings, self._ends = [*self._ends, *filter(None, [self.reading])], []
            run, self._run = self._run, None
            samples, self._samples = self._samples, []
            closing = self._closing
        if ended or readings or run:
            with self._journal.transaction():
                self._write(ended, problems, readings)
                if run is not None:
                    self._journal.write_run(run)
                for sample in samples:
                    self._journal.write_sample(sample)
            if self.full:  # else it would wake the event loop for nothing
                self._tell(self._make_room)
        return not closing

    def _write(
        self,
        ended: _Positions,
        problems: Sequence[_Problem],
        readings: Iterable[Reading],
    ) -> None:
        touched: set[int] = set()
        for verdict, positions in ended.items():
            offsets: defaultdict[int, list[int]] = defaultdict(list)
            for position in positions:
                offsets[position // CHUNK_ROWS].append(position % CHUNK_ROWS)
            for number, of_chunk in offsets.items():
                self._chunk(number).mark_all(of_chunk, verdict)
            touched.update(offsets)
        for reading in readings:
            state = self._chunk(reading.chunk)
            state.seen, state.fingerprint = reading.seen, reading.fingerprint
            state.rows = reading.seen if reading.ended else None
            touched.add(reading.chunk)
        for number in touched:
            state = self._open[number]
            self._journal.write_chunk(number, state)
            if state.complete:
                del self._open[number]
        if problems:
            self._journal.write_problems(problems)

    def _chunk(self, number: int) -> ChunkState:
        if number not in self._open:
            self._open[number] = self._journal.chunk(number)
        return self._open[number]

    def _fail(self, error: JournalError) -> None:
        with self._condition:
            self.failure = error
            self._ended.clear()
            self._problems = []
        self._tell(self._make_room)
        self._tell(lambda: self._on_failure(error))

    def _make_room(self) -> None:
        self.full = False
        self._room.set()

    def _tell(self, callback: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop has been closed meanwhile
            self._loop.call_soon_threadsafe(callback)
