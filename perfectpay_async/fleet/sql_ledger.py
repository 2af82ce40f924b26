"""The ledger in a database: the same statements for PostgreSQL and for SQLite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeAlias

import attrs

from perfectpay_async.bulk import JobFacts, JobRefused, RowResult, Verdict
from perfectpay_async.bulk.chunks import Bitmap
from perfectpay_async.bulk.jobs.records import ChunkState
from perfectpay_async.bulk.report import no_counts

from .databases import Database
from .errors import LedgerError, SessionLost
from .messages import ChunkMessage
from .records import (
    ChunkSlice,
    Ending,
    FleetJob,
    FleetSettings,
    JobState,
    Progress,
    Standing,
    Taken,
    WorkerEntry,
    WorkerFacts,
)
from .schema import COUNTS, MIGRATIONS, PROBLEM_FIELDS
from .shares import next_share

Problem: TypeAlias = tuple[int, RowResult, float]
"""A result that is not ok: position in the input, the result, and when it ended."""

MAX_FUTILE: Final = 5
"""A chunk that was begun so often, without a row of it that ended, is given up."""
SUSPECT: Final = 2
"""A chunk that was begun so often in vain is run alone: it may be another one that ended the
worker, and that one is not to be blamed on its neighbours."""

_FORGET: Final = 86_400.0
_PAGE: Final = 1_000
_FACTS: Final = tuple(field.name for field in attrs.fields(JobFacts) if field.name != "shard")
_SLICE: Final = "number, start, stop, lines, rows, sha256"
_COUNTS: Final = ", ".join(COUNTS)
_JOB: Final = f"{', '.join(_FACTS)}, settings, state, stopped_by, reason"


class SqlLedger:
    """A ledger, as the protocol `Ledger` describes it.

    Args:
        database: Where it is.
    """

    def __init__(self, database: Database) -> None:
        self.database: Database = database
        self._live = f"SELECT id FROM fleet_worker WHERE until > {database.now}"

    def call_when_lost(self, callback: Callable[[], None] | None) -> None:
        """Say what to call in the event loop when the connection has ended by itself."""
        self.database.on_lost = callback

    async def close(self) -> None:
        """Close the connection."""
        await self.database.close()

    async def prepare(self) -> None:
        """Make the tables, or bring those of an older version up to date."""
        database = self.database
        async with database.transaction(alone=True):
            await database.run_script(
                "CREATE TABLE IF NOT EXISTS fleet_version (version INTEGER NOT NULL)"
            )
            found = await database.fetch("SELECT version FROM fleet_version")
            version = found[0][0] if found else 0
            if version > len(MIGRATIONS):
                raise LedgerError(
                    "the ledger was made by a newer version of perfectpay_async; use that version"
                )
            if version == len(MIGRATIONS):
                return
            for script in MIGRATIONS[version:]:
                await database.run_script(script.format(blob=database.blob))
            await database.fetch("DELETE FROM fleet_version")
            await database.fetch("INSERT INTO fleet_version VALUES ($1)", len(MIGRATIONS))

    # Jobs

    async def create_job(
        self,
        facts: JobFacts,
        settings: FleetSettings,
        chunks: Iterable[tuple[ChunkSlice, bytes]],
        *,
        supersede: bool,
    ) -> FleetJob:
        """Enter a job and its chunks, each with its fingerprint."""
        database = self.database
        async with database.transaction(alone=True):
            siblings = await database.fetch(
                "SELECT id, number, generation, state FROM fleet_job WHERE operation = $1 AND "
                "host = $2 AND (sha256 = $3 OR (path <> '' AND path = $4))",
                *(facts.operation, facts.host, facts.sha256, facts.path),
            )
            generation = 1
            for sibling, number, other, state in siblings:
                generation = max(generation, other + 1)
                if state == JobState.GIVEN_UP or await self._has_ended(sibling):
                    continue
                if not supersede:
                    raise JobRefused(
                        f"the job {number} on this input is not finished; go on with it by "
                        f"'perfectpay fleet reconcile {number}', or say --supersede to give it up "
                        "and begin anew"
                    )
                await database.fetch(
                    "UPDATE fleet_job SET state = $2 WHERE id = $1", sibling, JobState.GIVEN_UP
                )
            facts = attrs.evolve(facts, generation=generation)
            marks = ", ".join(f"${at}" for at in range(1, len(_FACTS) + 3))
            await database.fetch(
                f"INSERT INTO fleet_job ({_JOB}, number) SELECT {marks}, '', '', "
                "coalesce(max(number), 0) + 1 FROM fleet_job",
                *(getattr(facts, name) for name in _FACTS),
                settings.to_text(),
                JobState.OPEN.value,
            )
            await database.run_many(
                f"INSERT INTO fleet_chunk (job, {_SLICE}, fingerprint) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                ((facts.id, *attrs.astuple(chunk), mark) for chunk, mark in chunks),
            )
        return await self.job(facts.id)

    async def jobs(self) -> list[FleetJob]:
        """Return all jobs, the newest first."""
        return await self._jobs("ORDER BY number DESC")

    async def job(self, name: str) -> FleetJob:
        """Return a job by its number or id."""
        found = await self._jobs("WHERE id = $1 OR CAST(number AS TEXT) = $1", name)
        if not found:
            raise JobRefused(f"there is no job {name}; 'perfectpay fleet status' lists them")
        return found[0]

    async def stop_job(self, job: str, stopped_by: str, reason: str) -> None:
        """Let no worker go on with a job."""
        async with self.database.transaction():
            await self.database.fetch(
                "UPDATE fleet_job SET state = $2, stopped_by = $3, reason = $4 "
                "WHERE id = $1 AND state = $5",
                *(job, JobState.STOPPED.value, stopped_by, reason, JobState.OPEN.value),
            )

    async def reopen_job(self, job: str) -> None:
        """Let workers go on with a job, and with the chunks of it that were given up."""
        async with self.database.transaction():
            await self.database.fetch(
                "UPDATE fleet_job SET state = $2, stopped_by = '', reason = '' "
                "WHERE id = $1 AND state = $3",
                *(job, JobState.OPEN.value, JobState.STOPPED.value),
            )
            await self.database.fetch(
                "UPDATE fleet_chunk SET state = 'open', futile = 0, note = '', holder = NULL "
                "WHERE job = $1 AND state = 'dead'",
                job,
            )

    async def progress(self, job: str) -> Progress:
        """Return how far a job is."""
        sums = ", ".join(f"sum({column})" for column in (*COUNTS, "requests", "retried", "rows"))
        live = f"holder IN ({self._live})"
        async with self.database.transaction():
            found = await self.database.fetch(
                f"SELECT state, {live}, queued IS NOT NULL, count(*), {sums} FROM fleet_chunk "
                f"WHERE job = $1 GROUP BY state, {live}, queued IS NOT NULL",
                job,
            )
            ((workers,),) = await self.database.fetch(
                f"SELECT count(*) FROM ({self._live}) AS live"
            )
        counts, numbers = no_counts(), dict.fromkeys(("requests", "retried", "rows"), 0)
        chunks = dict.fromkeys(("open", "done", "dead", "running", "queued"), 0)
        for state, running, queued, count, *sums_found in found:
            for verdict, value in zip(Verdict, sums_found, strict=False):
                counts[verdict] += int(value)
            for name, value in zip(numbers, sums_found[len(COUNTS) :], strict=True):
                numbers[name] += int(value)
            chunks[state] += count
            if state == "open":
                chunks["running"] += count if running else 0
                chunks["queued"] += count if queued and not running else 0
        return Progress(
            rows=numbers["rows"],
            counts=counts,
            requests=numbers["requests"],
            retried=numbers["retried"],
            chunks=chunks["open"] + chunks["done"] + chunks["dead"],
            done=chunks["done"],
            dead=chunks["dead"],
            running=chunks["running"],
            queued=chunks["queued"],
            workers=workers,
        )

    # Chunks, for the coordinator

    async def to_enqueue(
        self, job: FleetJob, *, window: int, stale: float | None
    ) -> list[ChunkMessage]:
        """Return messages for chunks that no live worker has."""
        free = f"job = $1 AND state = 'open' AND (holder IS NULL OR holder NOT IN ({self._live}))"
        database = self.database
        async with database.transaction():
            if stale is not None:
                await database.fetch(
                    f"UPDATE fleet_chunk SET queued = NULL WHERE {free} AND "
                    f"queued < {database.now} - $2",
                    *(job.facts.id, stale),
                )
            ((waiting,),) = await database.fetch(
                f"SELECT count(*) FROM fleet_chunk WHERE {free} AND queued IS NOT NULL",
                job.facts.id,
            )
            found = await database.fetch(
                f"SELECT {_SLICE} FROM fleet_chunk WHERE {free} AND queued IS NULL "
                "ORDER BY number LIMIT $2",
                *(job.facts.id, max(0, window - waiting)),
            )
        return [job.message(_slice(values)) for values in found]

    async def note_sent(self, job: str, chunk: int) -> None:
        """Note that the message about a chunk is in the queue, unless a worker has it already."""
        async with self.database.transaction():
            await self.database.fetch(
                f"UPDATE fleet_chunk SET queued = {self.database.now} WHERE job = $1 AND "
                f"number = $2 AND (holder IS NULL OR holder NOT IN ({self._live}))",
                *(job, chunk),
            )

    async def bury(self, job: str, chunk: int, note: str) -> None:
        """Give a chunk up that is not done."""
        async with self.database.transaction():
            await self.database.fetch(
                "UPDATE fleet_chunk SET state = 'dead', note = $3, holder = NULL "
                "WHERE job = $1 AND number = $2 AND state = 'open'",
                *(job, chunk, note),
            )

    async def problems(self, job: str, verdicts: Iterable[Verdict], after: int) -> list[Problem]:
        """Return up to 1,000 results that are not ok, after that position."""
        names = ", ".join(f"'{verdict.value}'" for verdict in verdicts)
        async with self.database.transaction():
            found = await self.database.fetch(
                f"SELECT position, ended, {PROBLEM_FIELDS} FROM fleet_problem WHERE job = $1 AND "
                f"position > $2 AND verdict IN ({names}) ORDER BY position LIMIT {_PAGE}",
                *(job, after),
            )
        return [
            (position, RowResult(number, card, Verdict(verdict), *rest), ended)
            for position, ended, number, card, verdict, *rest in found
        ]

    async def chunks(self, job: str, after: int) -> list[tuple[ChunkState, bytes]]:
        """Return the state and the fingerprint of up to 1,000 chunks, after that number."""
        async with self.database.transaction():
            found = await self.database.fetch(
                f"SELECT fingerprint, rows, bitmap, skips, {_COUNTS} FROM fleet_chunk "
                f"WHERE job = $1 AND number > $2 ORDER BY number LIMIT {_PAGE}",
                *(job, after),
            )
        return [(_state(rest), bytes(mark)) for mark, *rest in found]

    async def dead_chunks(self, job: str) -> list[tuple[int, str]]:
        """Return the numbers of up to 1,000 chunks that were given up, and why."""
        async with self.database.transaction():
            found = await self.database.fetch(
                "SELECT number, note FROM fleet_chunk WHERE job = $1 AND state = 'dead' "
                f"ORDER BY number LIMIT {_PAGE}",
                job,
            )
        return [(number, note) for number, note in found]

    # Workers

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
                "SELECT c.job, c.number, c.fence, j.state FROM fleet_chunk AS c "
                "JOIN fleet_job AS j ON j.id = c.job WHERE c.holder = $1",
                worker,
            )
        return Standing(
            share=share,
            held={(job, number, fence): state == "open" for job, number, fence, state in chunks},
        )

    async def leave(self, worker: str) -> None:
        """Take a worker off; its chunks are free for others."""
        async with self.database.transaction(alone=True):
            await self._forget(worker)
        await self.database.drop(worker)

    async def workers(self) -> list[WorkerEntry]:
        """Return the live workers."""
        database = self.database
        async with database.transaction():
            found = await database.fetch(
                "SELECT w.id, name, version, rate, share, (SELECT count(*) FROM fleet_chunk "
                f"WHERE holder = w.id) FROM fleet_worker AS w WHERE until > {database.now} "
                "ORDER BY began"
            )
            held = await database.held([each[0] for each in found])
        return [
            WorkerEntry(
                facts=WorkerFacts(id=worker, name=name, version=version, rate=rate),
                share=share,
                chunks=chunks,
            )
            for worker, name, version, rate, share, chunks in found
            if worker in held
        ]

    # Chunks, for a worker

    async def take(self, worker: str, message: ChunkMessage) -> Taken | Ending:
        """Take the chunk of a message, or say why not."""
        database, key = self.database, (message.job, message.chunk)
        async with database.transaction():
            found = await database.fetch(
                f"SELECT {_SLICE}, state, fence, futile, holder, requests, retried, bitmap, skips, "
                f"{_COUNTS} FROM fleet_chunk WHERE job = $1 AND number = $2 {database.for_update}",
                *key,
            )
            jobs = await self._read_jobs("WHERE id = $1", message.job)
            if not found or message != jobs[0].message(chunk := _slice(found[0][:6])):
                return Ending.UNKNOWN
            state, fence, futile, holder, requests, retried, bitmap, skips, *counts = found[0][6:]
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
        return Taken(
            job=job,
            slice=chunk,
            fence=fence + 1,
            state=_state((chunk.rows, bitmap, skips, *counts)),
            requests=requests,
            retried=retried,
            from_dead=holder not in {None, worker},
            suspect=futile >= SUSPECT,
        )

    async def start(self, taken: Taken) -> None:
        """Note that the work on a taken chunk begins, in case it does not end."""
        async with self.database.transaction():
            found = await self.database.fetch(
                "UPDATE fleet_chunk SET futile = futile + 1 WHERE job = $1 AND number = $2 "
                "AND fence = $3 RETURNING number",
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
                    "UPDATE fleet_chunk SET holder = NULL WHERE job = $1 AND number = $2",
                    *(job, taken.slice.number),
                )
            if problems:
                await database.run_many(
                    f"INSERT INTO fleet_problem (job, position, {PROBLEM_FIELDS}, ended) "
                    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) "
                    "ON CONFLICT (job, position) DO NOTHING",
                    [_problem(job, problem) for problem in problems],
                )

    async def release(self, taken: Taken, note: str) -> None:
        """Give a taken chunk back; nothing is done when another worker has it already."""
        async with self.database.transaction():
            await self.database.fetch(
                "UPDATE fleet_chunk SET holder = NULL, note = $4 "
                "WHERE job = $1 AND number = $2 AND fence = $3",
                *(taken.job.facts.id, taken.slice.number, taken.fence, note),
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

    async def _has_ended(self, job: str) -> bool:
        return not await self.database.fetch(
            "SELECT 1 FROM fleet_chunk WHERE job = $1 AND state <> 'done' LIMIT 1", job
        )

    async def _jobs(self, where: str, *values: Any) -> list[FleetJob]:
        async with self.database.transaction():
            return await self._read_jobs(where, *values)

    async def _read_jobs(self, where: str, *values: Any) -> list[FleetJob]:
        found = await self.database.fetch(
            f"SELECT number, {_JOB} FROM fleet_job {where}",
            *values,
        )
        return [_job(values) for values in found]


def _job(values: Sequence[Any]) -> FleetJob:
    number, *facts, settings, state, stopped_by, reason = values
    return FleetJob(
        number=number,
        facts=JobFacts(**dict(zip(_FACTS, facts, strict=True))),
        settings=FleetSettings.from_text(settings),
        state=JobState(state),
        stopped_by=stopped_by,
        reason=reason,
    )


def _slice(values: Sequence[Any]) -> ChunkSlice:
    number, start, stop, lines, rows, digest = values
    return ChunkSlice(number=number, start=start, stop=stop, lines=lines, rows=rows, sha256=digest)


def _state(values: Sequence[Any]) -> ChunkState:
    rows, bitmap, skips, *counts = values
    return ChunkState(
        rows,
        rows,
        None,
        Bitmap(None if bitmap is None else bytes(bitmap)),
        Bitmap(None if skips is None else bytes(skips)),
        dict(zip(Verdict, counts, strict=True)),
    )


def _problem(job: str, problem: Problem) -> tuple[Any, ...]:
    position, result, ended = problem
    return (
        job,
        position,
        result.number,
        result.payment_method_id,
        result.verdict.value,
        result.attempts,
        round(result.elapsed, 3),
        result.status,
        result.code,
        result.request_id,
        result.message,
        ended,
    )
