"""`FleetWorker`: runs chunks, whatever queue they come from."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Final, Self

from perfectpay_async.bulk import BulkRun, InputRefused
from perfectpay_async.bulk.report import Counts
from perfectpay_async.bulk.rows import Row
from perfectpay_async.bulk.settings import CONCURRENCY, RATE
from perfectpay_async.client import PerfectPay

from .errors import LedgerAway, LedgerError, SessionLost
from .ledger import WorkerLedger
from .locations import read_range
from .messages import ChunkMessage
from .pace import RatePool, WorkerPace
from .recorder import ChunkKeeper
from .records import ChunkReport, Ending, FleetSettings, Taken
from .session import LEASE, MARGIN, Session
from .slices import parse_slice
from .tasks import end_tasks

SETTLE: Final = 2.0
"""Seconds before a chunk of a worker that has just died is gone on with: its last requests may
still be under way in the server, and there must never be two for one card."""
GRACE: Final = 10.0
"""Seconds that rows under way have to end when the worker must stop."""

_INPUT_PATIENCE: Final = 60.0
_PAUSE: Final = 1.0
_DRAINS: Final = "the worker drains"
_STOPPED: Final = "the job was stopped"
_LOG: Final = logging.getLogger("perfectpay_async.fleet")


class FleetWorker:
    """Runs chunks of fleet jobs; an async context manager.

    It takes part in the fleet for as long as the context is open: it holds a lease in the ledger,
    and has its share of the rate. One worker in a process, with one client, is enough; it runs any
    number of chunks at once.

    Args:
        client: Sends the calls. It is not closed.
        ledger: Where the account is kept.
        rate: Most requests per second of the whole fleet, retries included; None for no rate
            control, for a server of your own, such as the sandbox.
        concurrency: Rows under way at once, in all chunks together.
        chunks: Chunks that are run at once; further ones wait.
        pool: A rate that all workers draw from, instead of a fixed share for each.
        lease: Seconds after which the chunks of a worker that is not heard of go to others.
        margin: Seconds before that in which it sends nothing more: the client's `attempt_timeout`.

    Example:
        >>> async def main(client, ledger, messages):
        ...     async with FleetWorker(client, ledger, rate=40) as worker:
        ...         async for message in messages:
        ...             report = await worker.run_chunk(message)
    """

    def __init__(
        self,
        client: PerfectPay,
        ledger: WorkerLedger,
        *,
        rate: float | None = RATE,
        concurrency: int = CONCURRENCY,
        chunks: int = 1,
        pool: RatePool | None = None,
        lease: float = LEASE,
        margin: float = MARGIN,
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._session = Session(ledger, rate=rate, lease=lease, margin=margin)
        self._concurrency = concurrency
        self._chunks = chunks
        self._pool = pool
        self._pace: WorkerPace | None = None
        self._works: set[_ChunkWork] = set()
        self._running: set[tuple[str, int]] = set()
        self._door = asyncio.Lock()
        self._places = asyncio.Semaphore(chunks)
        self._drained = asyncio.Event()

    @property
    def session(self) -> Session:
        """Its lease and its share of the rate."""
        return self._session

    async def __aenter__(self) -> Self:
        if self._pool is not None:
            await self._pool.__aenter__()  # first, for it may refuse
        await self._session.__aenter__()
        self._pace = WorkerPace(self._session, self._concurrency, self._pool)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            await self._pool.__aexit__(kind, error, traceback)
        await self._session.__aexit__(kind, error, traceback)

    def drain(self, grace: float = GRACE) -> None:
        """Begin no more rows, and give the chunks back.

        Args:
            grace: Seconds that rows under way have to end; then they are abandoned, and run again
                by another worker.
        """
        self._drained.set()
        for work in self._works:
            work.end(grace)

    async def run_chunk(self, message: ChunkMessage) -> ChunkReport:
        """Run the rows of a chunk that have not ended yet.

        It may be called for one chunk as often as a queue delivers its message, here and
        elsewhere: only one worker has the chunk at a time. It waits while the ledger is away.

        Args:
            message: Says which.

        Returns:
            What became of it, and with it what is to be done with the message.

        Raises:
            LedgerError: The ledger cannot be used any more.
        """
        place = (message.job, message.chunk)
        if place in self._running:
            return ChunkReport(message=message, ending=Ending.HELD)
        self._running.add(place)
        try:
            return await self._run_until_ended(message)
        finally:
            self._running.discard(place)

    async def _run_until_ended(self, message: ChunkMessage) -> ChunkReport:
        while not self._drained.is_set():
            try:
                taken = await self._take(message)
                if isinstance(taken, Ending):
                    return ChunkReport(message=message, ending=taken)
                report = await self._hold(message, taken)
            except (SessionLost, LedgerAway) as error:
                _LOG.warning("chunk %d of job %s: %s", message.chunk, message.job, error.message)
                await self._wait(_PAUSE)
                continue
            if report is not None:
                return report
        return ChunkReport(message=message, ending=Ending.RELEASED, reason=_DRAINS)

    async def _take(self, message: ChunkMessage) -> Taken | Ending:
        waiting = asyncio.ensure_future(self._session.id())
        draining = asyncio.ensure_future(self._drained.wait())
        try:
            await asyncio.wait([waiting, draining], return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                return Ending.RELEASED
            return await self._ledger.take(waiting.result(), message)
        finally:
            await end_tasks(waiting, draining)

    async def _read(self, taken: Taken) -> list[Row] | None:
        """Return the rows of a chunk; None when the input cannot be read, or is another one."""
        end = asyncio.get_running_loop().time() + _INPUT_PATIENCE
        while True:
            try:
                return await asyncio.to_thread(_read_rows, taken)
            except InputRefused as error:
                await self._ledger.stop_job(taken.job.facts.id, type(error).__name__, error.message)
                return None
            except OSError as error:
                _LOG.warning("the input cannot be read: %s", error.strerror)
                if asyncio.get_running_loop().time() >= end or self._drained.is_set():
                    return None
            await self._wait(_PAUSE)

    async def _hold(self, message: ChunkMessage, taken: Taken) -> ChunkReport | None:
        """Do what is to be done with a taken chunk; return None when it is to be taken anew."""
        work = _ChunkWork()
        key = (taken.job.facts.id, taken.slice.number, taken.fence)
        self._session.begin(key, work)
        self._works.add(work)
        try:
            async with self._turn(alone=taken.suspect):
                return await self._work_on(message, taken, work)
        finally:
            self._works.discard(work)
            self._session.end(key)

    @asynccontextmanager
    async def _turn(self, *, alone: bool) -> AsyncGenerator[None]:
        """Wait for a place among the chunks that are run at once, or for all of them."""
        places = self._chunks if alone else 1
        had = 0
        try:
            async with self._door:  # who wants all places is not overtaken
                while had < places:
                    await self._places.acquire()
                    had += 1
            yield
        finally:
            for _ in range(had):
                self._places.release()

    async def _work_on(
        self, message: ChunkMessage, taken: Taken, work: _ChunkWork
    ) -> ChunkReport | None:
        if work.lost:
            return None
        await self._ledger.start(taken)
        rows = await self._read(taken)
        if rows is None:
            said = "the input cannot be read, or was changed"
            await self._ledger.release(taken, said)
            return ChunkReport(message=message, ending=Ending.RELEASED, reason=said)
        if taken.from_dead:
            await self._wait(SETTLE)
        run = self._run(taken, rows, taken.job.settings)
        async with run:
            work.begin(run)
            if self._drained.is_set():
                run.stop()
        return await self._settle(message, taken, work, run)

    def _run(self, taken: Taken, rows: Sequence[Row], settings: FleetSettings) -> BulkRun:
        return self._client.bulk.expiry_run(
            rows,
            job=ChunkKeeper(self._ledger, taken, lambda: self._session.may_send),
            pace=self._pace,
            rate=None,
            concurrency=max(1, self._concurrency // self._chunks),
            attempts=settings.attempts,
            deadline=settings.deadline,
            only_forward=settings.only_forward,
            stops=settings.stops,
        )

    async def _settle(
        self, message: ChunkMessage, taken: Taken, work: _ChunkWork, run: BulkRun
    ) -> ChunkReport | None:
        counts: Counts = dict(taken.state.counts)
        if taken.state.complete:
            return ChunkReport(message=message, ending=Ending.DONE, counts=counts)
        reason = run.report.stopped_by
        if isinstance(reason, LedgerError) or not self._session.may_send:
            return None  # a process that was frozen has failures that say nothing about the job
        if reason is None and not work.stopped and not self._drained.is_set():
            return None  # the lease ended in between: some rows were not begun
        ending, said = Ending.STOPPED, _STOPPED
        if reason is not None:
            said = reason.message
            await self._ledger.stop_job(taken.job.facts.id, type(reason).__name__, said)
        elif not work.stopped:
            ending, said = Ending.RELEASED, _DRAINS
        await self._ledger.release(taken, said)
        return ChunkReport(message=message, ending=ending, counts=counts, reason=said)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._drained.wait()


class _ChunkWork:
    """What is done with one chunk, as the session sees it; the run begins some time later."""

    def __init__(self) -> None:
        self.stopped = False
        self.lost: LedgerError | None = None
        self._run: BulkRun | None = None

    def begin(self, run: BulkRun) -> None:
        """Begin the run, unless the chunk was lost or stopped meanwhile."""
        self._run = run
        if self.lost is not None:
            run.halt(self.lost)
        elif self.stopped:
            run.stop()

    def lose(self, error: LedgerError) -> None:
        """Send nothing more."""
        if self.lost is None:
            self.lost = error
            if self._run is not None:
                self._run.halt(error)

    def stop(self, grace: float = GRACE) -> None:
        """Begin no more rows."""
        self.stopped = True
        self.end(grace)

    def end(self, grace: float) -> None:
        """Begin no more rows, though the job goes on elsewhere."""
        if self._run is not None:
            self._run.stop(grace)


def _read_rows(taken: Taken) -> list[Row]:
    chunk, settings = taken.slice, taken.job.settings
    return parse_slice(read_range(settings.location, chunk.start, chunk.stop), chunk, settings)
