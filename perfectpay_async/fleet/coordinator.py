"""`Coordinator`: brings the chunks of a job to the workers until the ledger is full."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from .errors import AccessRefused, FleetError, LedgerAway
from .ledger import Ledger
from .queues import ChunkQueue
from .records import FleetJob, JobState, Progress
from .stops import JobWatch

WINDOW: Final = 4
"""Messages for each live worker that may wait in the queue. Few: what waits there for long may be
lost with the broker, and an idle worker has nothing to gain from more."""
FEWEST: Final = 16
STALE: Final = 20.0
"""Seconds after which a message counts as lost, when none waits in the queue any more."""

_TICK: Final = 1.0
_LOG: Final = logging.getLogger("perfectpay_async.fleet")


class Coordinator:
    """Enqueues the chunks of one job that no live worker has, until all are done.

    It keeps nothing in memory that counts: it may be killed and run again at any time, and two at
    once do no harm.

    Args:
        ledger: The ledger.
        queue: The queue.
        job: The job.
        on_progress: Called with the progress and the job each second.
        stale: Seconds after which a message counts as lost.
    """

    def __init__(
        self,
        ledger: Ledger,
        queue: ChunkQueue,
        job: FleetJob,
        on_progress: Callable[[Progress, FleetJob], None] | None = None,
        *,
        stale: float = STALE,
    ) -> None:
        self.job: FleetJob = job
        self._ledger = ledger
        self._queue = queue
        self._on_progress = on_progress
        self._stale = stale
        self._watch = JobWatch(job.settings.stops)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Return as soon as possible. Workers go on with what is in the queue."""
        self._stopping.set()

    async def reopen(self) -> None:
        """Go on with a job that was stopped, and try the chunks again that were given up.

        Raises:
            FleetError: The queue cannot be reached.
            LedgerError: The ledger cannot be used.
        """
        job = self.job.facts.id
        await self._queue.take_dead_letters(job)  # they speak of the time before
        await self._ledger.reopen_job(job)

    async def run(self) -> Progress:
        """Bring all chunks to the workers; return when none is left, or the job was stopped.

        It stops the job when too many of its rows fail. While the ledger or the queue is away, it
        waits for them.

        Returns:
            How far the job is.

        Raises:
            AccessRefused: The broker refuses what is asked of it.
            LedgerError: The ledger cannot be used.
        """
        while True:
            try:
                progress = await self._step()
            except AccessRefused:
                raise
            except (LedgerAway, FleetError) as error:
                _LOG.warning("%s", error.message)
            else:
                over = progress.ended or self.job.state is not JobState.OPEN
                if (over and not progress.running) or self._stopping.is_set():
                    return progress
            try:
                async with asyncio.timeout(_TICK):
                    await self._stopping.wait()
            except TimeoutError:
                continue
            return await self._ledger.progress(self.job.facts.id)

    async def _step(self) -> Progress:
        job = self.job.facts.id
        self.job = await self._ledger.job(job)
        progress = await self._ledger.progress(job)
        if self._on_progress is not None:
            self._on_progress(progress, self.job)
        if progress.ended or self.job.state is not JobState.OPEN:
            return progress
        if (reason := self._watch.reason(progress.counts)) is not None:
            await self._ledger.stop_job(job, type(reason).__name__, reason.message)
            return progress
        for message in await self._queue.take_dead_letters(job):
            if message.generation == self.job.facts.generation:
                await self._ledger.bury(job, message.chunk, "the broker gave its message up")
        lost = await self._queue.waiting() == 0
        messages = await self._ledger.to_enqueue(
            self.job,
            window=max(FEWEST, WINDOW * progress.workers),
            stale=self._stale if lost else None,
        )
        for message in messages:
            await self._queue.send(message)
            await self._ledger.note_sent(job, message.chunk)
        return progress
