"""All of the ledger in a database: what a coordinator needs besides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import attrs

from perfectpay_async.bulk import JobFacts, JobRefused, RowResult, Verdict
from perfectpay_async.bulk.jobs.records import ChunkState
from perfectpay_async.bulk.report import no_counts
from perfectpay_async.fleet.errors import LedgerError
from perfectpay_async.fleet.messages import ChunkMessage
from perfectpay_async.fleet.records import (
    ChunkSlice,
    FleetJob,
    FleetSettings,
    JobState,
    Problem,
    Progress,
    WorkerEntry,
    WorkerFacts,
)

from .rows import FACTS, JOB, SLICE, STATE, slice_of, state_of
from .schema import COUNTS, MIGRATIONS, PROBLEM_FIELDS
from .worker_ledger import SqlWorkerLedger

_PAGE: Final = 1_000


class SqlLedger(SqlWorkerLedger):
    """A ledger, as the protocol `Ledger` describes it."""

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
            marks = ", ".join(f"${at}" for at in range(1, len(FACTS) + 3))
            await database.fetch(
                f"INSERT INTO fleet_job ({JOB}, number) SELECT {marks}, '', '', "
                "coalesce(max(number), 0) + 1 FROM fleet_job",
                *(getattr(facts, name) for name in FACTS),
                settings.to_text(),
                JobState.OPEN.value,
            )
            await database.run_many(
                f"INSERT INTO fleet_chunk (job, {SLICE}, fingerprint) "
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
        names = ("requests", "retried", "rows", "begun", "uncounted")
        sums = ", ".join(f"sum({column})" for column in (*COUNTS, *names))
        live = f"holder IN ({self._live})"
        async with self.database.transaction():
            found = await self.database.fetch(
                f"SELECT state, {live}, queued IS NOT NULL, count(*), {sums} FROM fleet_chunk "
                f"WHERE job = $1 GROUP BY state, {live}, queued IS NOT NULL",
                job,
            )
            ((workers, seconds),) = await self.database.fetch(
                "SELECT count(*), (SELECT worked FROM fleet_job WHERE id = $1) "
                f"FROM ({self._live}) AS live",
                job,
            )
        counts, numbers = no_counts(), dict.fromkeys(names, 0)
        chunks = dict.fromkeys(("open", "done", "dead", "running", "queued"), 0)
        for state, running, queued, count, *sums_found in found:
            for verdict, value in zip(Verdict, sums_found, strict=False):
                counts[verdict] += int(value)
            values = dict(zip(names, map(int, sums_found[len(COUNTS) :]), strict=True))
            if running:
                values["begun"] = 0  # what is not counted yet will be
            for name, value in values.items():
                numbers[name] += value
            chunks[state] += count
            if state == "open":
                chunks["running"] += count if running else 0
                chunks["queued"] += count if queued and not running else 0
        return Progress(
            rows=numbers["rows"],
            counts=counts,
            requests=numbers["requests"],
            requests_at_least=numbers["begun"] + numbers["uncounted"] > 0,
            retried=numbers["retried"],
            chunks=chunks["open"] + chunks["done"] + chunks["dead"],
            done=chunks["done"],
            dead=chunks["dead"],
            running=chunks["running"],
            queued=chunks["queued"],
            workers=workers,
            seconds=seconds or 0.0,
        )

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
                f"SELECT {SLICE} FROM fleet_chunk WHERE {free} AND queued IS NULL "
                "ORDER BY number LIMIT $2",
                *(job.facts.id, max(0, window - waiting)),
            )
        return [job.message(slice_of(values)) for values in found]

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
                f"SELECT fingerprint, {STATE} FROM fleet_chunk "
                f"WHERE job = $1 AND number > $2 ORDER BY number LIMIT {_PAGE}",
                *(job, after),
            )
        return [(state_of(rest), bytes(mark)) for mark, *rest in found]

    async def dead_chunks(self, job: str) -> list[tuple[int, str]]:
        """Return the numbers of up to 1,000 chunks that were given up, and why."""
        async with self.database.transaction():
            found = await self.database.fetch(
                "SELECT number, note FROM fleet_chunk WHERE job = $1 AND state = 'dead' "
                f"ORDER BY number LIMIT {_PAGE}",
                job,
            )
        return [(number, note) for number, note in found]

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

    async def _has_ended(self, job: str) -> bool:
        return not await self.database.fetch(
            "SELECT 1 FROM fleet_chunk WHERE job = $1 AND state <> 'done' LIMIT 1", job
        )

    async def _jobs(self, where: str, *values: Any) -> list[FleetJob]:
        async with self.database.transaction():
            return await self._read_jobs(where, *values)
