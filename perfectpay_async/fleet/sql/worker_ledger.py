"""What a worker needs of the ledger in a database: its lease, and the chunks that it has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from perfectpay_async.bulk.jobs.records import ChunkState
from perfectpay_async.fleet.databases import Database
from perfectpay_async.fleet.errors import SessionLost
from perfectpay_async.fleet.messages import ChunkMessage
from perfectpay_async.fleet.records import (
    Ending,
    FleetJob,
    JobState,
    Problem,
    Standing,
    Taken,
    WorkerFacts,
)
from perfectpay_async.fleet.shares import next_share

from .rows import JOB, SLICE, STATE, job_of, problem_values, slice_of, state_of
from .schema import COUNTS, PROBLEM_FIELDS

MAX_FUTILE: Final = 5
"""A chunk that was begun so often, without a row of it that ended, is given up."""
SUSPECT: Final = 2
"""A chunk that was begun so often in vain is run alone: it may be another one that ended the
worker, and that one is not to be blamed on its neighbours."""

_FORGET: Final = 86_400.0
_IDLE: Final = 5.0
"""When no worker was seen to have a chunk of a job for so many seconds, it was not worked on."""


class SqlWorkerLedger:
    """A ledger, as the protocol `WorkerLedger` describes it.

    Args:
        database: Where it is.
    """

    def __init__(self, database: Database) -> None:
        self.database: Database = database
        self._live = f"SELECT id FROM fleet_worker WHERE until > {database.now}"

    def call_when_lost(self, callback: Callable[[], None] | None) -> None:
        """Say what to call in the event loop when the connection has ended by itself."""
        self.database.on_lost = callback

    async def join(self, worker: WorkerFacts, lease: float, *, instead_of: str | None) -> None:
        """Make a worker known, with a lease of that many seconds."""
        database = self.database
        await database.hold(worker.id)
        async with database.transaction(alone=True):
            await self._forget(instead_of)
            await database.fetch(
                f"DELETE FROM fleet_worker WHERE until < {database.now} - {_FORGET}"
            )
            await database.fetch(
                "INSERT INTO fleet_worker (id, name, version, rate, began, until, share) VALUES "
                f"($1, $2, $3, $4, {database.now}, {database.now} + $5, 0)",
                *(worker.id, worker.name, worker.version, worker.rate, lease),
            )

    async def renew(self, worker: str, lease: float) -> Standing:
        """Begin the lease anew."""
        database = self.database
        async with database.transaction(alone=True):
            await self._must_be_live(worker)
            found = await database.fetch(
                f"SELECT id, rate, share FROM fleet_worker WHERE until > {database.now}"
            )
            held = await database.held([each for each, _, _ in found])
            live = [entry for entry in found if entry[0] in held or entry[0] == worker]
            share = next_share(
                [rate for _, rate, _ in live],
                [claimed or 0.0 for each, _, claimed in live if each != worker],
            )
            await database.fetch(
                f"UPDATE fleet_worker SET until = {database.now} + $2, share = $3 WHERE id = $1",
                *(worker, lease, share),
            )
            chunks = await database.fetch(
                "SELECT c.job, c.number, c.fence, j.state, "
                f"j.seen NOT BETWEEN {database.now} - 0.5 AND {database.now} FROM fleet_chunk AS c "
                "JOIN fleet_job AS j ON j.id = c.job WHERE c.holder = $1",
                worker,
            )
            for job in {job for job, _, _, _, unseen in chunks if unseen}:
                await self._see_work(job)
        return Standing(
            share=share,
            held={(job, number, fence): state == "open" for job, number, fence, state, _ in chunks},
        )

    async def leave(self, worker: str) -> None:
        """Take a worker off; its chunks are free for others."""
        async with self.database.transaction(alone=True):
            await self._forget(worker)
        await self.database.drop(worker)

    async def take(self, worker: str, message: ChunkMessage) -> Taken | Ending:
        """Take the chunk of a message, or say why not."""
        database, key = self.database, (message.job, message.chunk)
        async with database.transaction():
            found = await database.fetch(
                f"SELECT {SLICE}, state, fence, futile, holder, requests, retried, {STATE} "
                f"FROM fleet_chunk WHERE job = $1 AND number = $2 {database.for_update}",
                *key,
            )
            jobs = await self._read_jobs("WHERE id = $1", message.job)
            if not found or message != jobs[0].message(chunk := slice_of(found[0][:6])):
                return Ending.UNKNOWN
            state, fence, futile, holder, requests, retried, *rest = found[0][6:]
            if state != "open":
                return Ending.DEAD if state == "dead" else Ending.DONE_BEFORE
            job = jobs[0]
            if refused := await self._refuse(worker, job, key, holder, futile):
                return refused
            await database.fetch(
                "UPDATE fleet_chunk SET holder = $3, fence = fence + 1 "
                "WHERE job = $1 AND number = $2",
                *(*key, worker),
            )
            await self._see_work(message.job)
        return Taken(
            job=job,
            slice=chunk,
            fence=fence + 1,
            state=state_of(rest),
            requests=requests,
            retried=retried,
            from_dead=holder not in {None, worker},
            suspect=futile >= SUSPECT,
        )

    async def start(self, taken: Taken) -> None:
        """Note that the work on a taken chunk begins, in case it does not end."""
        async with self.database.transaction():
            found = await self.database.fetch(
                "UPDATE fleet_chunk SET futile = futile + 1, begun = 1, "
                "uncounted = CASE WHEN begun = 1 THEN 1 ELSE uncounted END "
                "WHERE job = $1 AND number = $2 AND fence = $3 RETURNING number",
                *(taken.job.facts.id, taken.slice.number, taken.fence),
            )
        if not found:
            raise SessionLost("another worker has taken the chunk")

    async def save(
        self,
        taken: Taken,
        state: ChunkState,
        problems: Sequence[Problem],
        *,
        requests: int,
        retried: int,
    ) -> None:
        """Enter what is known of a taken chunk now. It may be said more than once."""
        job, database = taken.job.facts.id, self.database
        columns = ", ".join(f"{column} = ${at}" for at, column in enumerate(COUNTS, 9))
        async with database.transaction():
            found = await database.fetch(
                f"UPDATE fleet_chunk SET bitmap = $4, skips = $5, requests = $6, retried = $7, "
                f"state = $8, {columns}, "
                f"futile = CASE WHEN {' + '.join(COUNTS)} < ${9 + len(COUNTS)} THEN 0 "
                "ELSE futile END WHERE job = $1 AND number = $2 AND fence = $3 RETURNING number",
                *(job, taken.slice.number, taken.fence),
                *(bytes(state.bitmap), bytes(state.skips), requests, retried),
                "done" if state.complete else "open",
                *state.counts.values(),
                state.finished,
            )
            if not found:
                raise SessionLost("another worker has taken the chunk")
            if state.complete:
                await database.fetch(
                    "UPDATE fleet_chunk SET holder = NULL, begun = 0 "
                    "WHERE job = $1 AND number = $2",
                    *(job, taken.slice.number),
                )
                await self._see_work(job)
            if problems:
                await database.run_many(
                    f"INSERT INTO fleet_problem (job, position, {PROBLEM_FIELDS}, ended) "
                    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) "
                    "ON CONFLICT (job, position) DO NOTHING",
                    [problem_values(job, problem) for problem in problems],
                )

    async def release(self, taken: Taken, note: str) -> None:
        """Give a taken chunk back; nothing is done when another worker has it already."""
        job = taken.job.facts.id
        async with self.database.transaction():
            await self.database.fetch(
                "UPDATE fleet_chunk SET holder = NULL, begun = 0, note = $4 "
                "WHERE job = $1 AND number = $2 AND fence = $3",
                *(job, taken.slice.number, taken.fence, note),
            )
            await self._see_work(job)

    async def stop_job(self, job: str, stopped_by: str, reason: str) -> None:
        """Let no worker go on with a job, unless it has ended."""
        async with self.database.transaction():
            await self.database.fetch(
                "UPDATE fleet_job SET state = $2, stopped_by = $3, reason = $4 "
                "WHERE id = $1 AND state = $5 AND EXISTS "
                "(SELECT 1 FROM fleet_chunk WHERE job = $1 AND state = 'open')",
                *(job, JobState.STOPPED.value, stopped_by, reason, JobState.OPEN.value),
            )

    async def _refuse(
        self, worker: str, job: FleetJob, key: tuple[str, int], holder: str | None, futile: int
    ) -> Ending | None:
        """Return why an open chunk is not given to a worker."""
        database = self.database
        # Its message is used up, whatever comes of it, and so is what this worker had of it before.
        await database.fetch(
            "UPDATE fleet_chunk SET queued = NULL, "
            "holder = CASE WHEN holder = $3 THEN NULL ELSE holder END "
            "WHERE job = $1 AND number = $2",
            *(*key, worker),
        )
        if job.state is not JobState.OPEN:
            return Ending.STOPPED
        if holder not in {None, worker} and await self._is_live(str(holder)):
            return Ending.HELD
        if futile >= MAX_FUTILE:
            await database.fetch(
                "UPDATE fleet_chunk SET state = 'dead', holder = NULL, note = $3 "
                "WHERE job = $1 AND number = $2",
                *(*key, f"begun {futile} times, and no row of it ended"),
            )
            return Ending.DEAD
        await self._must_be_live(worker)
        return None

    async def _see_work(self, job: str) -> None:
        """Count the time since a worker was last seen to work on a job."""
        now = self.database.now
        await self.database.fetch(
            f"UPDATE fleet_job SET seen = {now}, worked = worked + "
            f"CASE WHEN {now} - seen BETWEEN 0 AND {_IDLE} THEN {now} - seen ELSE 0 END "
            "WHERE id = $1",
            job,
        )

    async def _forget(self, worker: str | None) -> None:
        if worker is not None:
            await self.database.fetch(
                "UPDATE fleet_chunk SET holder = NULL WHERE holder = $1", worker
            )
            await self.database.fetch("DELETE FROM fleet_worker WHERE id = $1", worker)

    async def _must_be_live(self, worker: str) -> None:
        if not await self.database.fetch(f"{self._live} AND id = $1", worker):
            raise SessionLost("the lease of this worker has ended")

    async def _is_live(self, worker: str) -> bool:
        leased = await self.database.fetch(f"{self._live} AND id = $1", worker)
        return bool(leased) and bool(await self.database.held([worker]))

    async def _read_jobs(self, where: str, *values: Any) -> list[FleetJob]:
        found = await self.database.fetch(
            f"SELECT number, {JOB} FROM fleet_job {where}",
            *values,
        )
        return [job_of(values) for values in found]
