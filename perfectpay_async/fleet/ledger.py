"""The ledger of a fleet: what became of every row. It is the truth, and a queue a mere hint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from perfectpay_async.bulk import JobFacts, Verdict
from perfectpay_async.bulk.jobs.records import ChunkState
from perfectpay_async.errors import ConfigurationError

from .databases import SqliteDatabase
from .messages import ChunkMessage
from .records import (
    ChunkSlice,
    Ending,
    FleetJob,
    FleetSettings,
    Problem,
    Progress,
    Standing,
    Taken,
    WorkerEntry,
    WorkerFacts,
)
from .sql import SqlLedger


class WorkerLedger(Protocol):
    """What a worker needs of the ledger.

    Everything raises `LedgerAway` when the ledger cannot be reached at the moment, and
    `LedgerError` when it cannot be used at all.
    """

    def call_when_lost(self, callback: Callable[[], None] | None) -> None:
        """Say what to call in the event loop when the connection has ended by itself.

        Whoever was known by it is taken for dead by the others.
        """

    async def join(self, worker: WorkerFacts, lease: float, *, instead_of: str | None) -> None:
        """Make a worker known, with a lease of that many seconds."""

    async def renew(self, worker: str, lease: float) -> Standing:
        """Begin the lease anew.

        Raises:
            SessionLost: It had ended.
        """
        ...

    async def leave(self, worker: str) -> None:
        """Take a worker off; its chunks are free for others."""

    async def take(self, worker: str, message: ChunkMessage) -> Taken | Ending:
        """Take the chunk of a message, or say why not.

        A worker may take a chunk anew that it has already: what it had of it counts no more.

        Raises:
            SessionLost: The worker's lease has ended.
        """
        ...

    async def start(self, taken: Taken) -> None:
        """Note that the work on a taken chunk begins, in case it does not end.

        Raises:
            SessionLost: Another worker has taken it since.
        """

    async def save(
        self,
        taken: Taken,
        state: ChunkState,
        problems: Sequence[Problem],
        *,
        requests: int,
        retried: int,
    ) -> None:
        """Enter what is known of a taken chunk now. It may be said more than once.

        Raises:
            SessionLost: Another worker has taken it since.
        """

    async def release(self, taken: Taken, note: str) -> None:
        """Give a taken chunk back; nothing is done when another worker has it already."""

    async def stop_job(self, job: str, stopped_by: str, reason: str) -> None:
        """Let no worker go on with a job, unless it has ended."""


class Ledger(WorkerLedger, Protocol):
    """All of the ledger: what a coordinator needs besides."""

    async def prepare(self) -> None:
        """Make the tables, or bring those of an older version up to date.

        Raises:
            LedgerError: They are of a newer version.
        """

    async def create_job(
        self,
        facts: JobFacts,
        settings: FleetSettings,
        chunks: Iterable[tuple[ChunkSlice, bytes]],
        *,
        supersede: bool,
    ) -> FleetJob:
        """Enter a job and its chunks, each with its fingerprint.

        Raises:
            JobRefused: A job on the same input has not ended.
        """
        ...

    async def jobs(self) -> list[FleetJob]:
        """Return all jobs, the newest first."""
        ...

    async def job(self, name: str) -> FleetJob:
        """Return a job by its number or id.

        Raises:
            JobRefused: There is none.
        """
        ...

    async def progress(self, job: str) -> Progress:
        """Return how far a job is."""
        ...

    async def workers(self) -> list[WorkerEntry]:
        """Return the live workers."""
        ...

    async def to_enqueue(
        self, job: FleetJob, *, window: int, stale: float | None
    ) -> list[ChunkMessage]:
        """Return messages for chunks that no live worker has.

        Args:
            job: Their job.
            window: So many chunks may wait for a worker.
            stale: A message that was not taken for so many seconds is lost; None for never.
        """
        ...

    async def note_sent(self, job: str, chunk: int) -> None:
        """Note that the message about a chunk is in the queue, unless a worker has it already."""

    async def bury(self, job: str, chunk: int, note: str) -> None:
        """Give a chunk up that is not done."""

    async def reopen_job(self, job: str) -> None:
        """Let workers go on with a job, and with the chunks of it that were given up."""

    async def problems(self, job: str, verdicts: Iterable[Verdict], after: int) -> list[Problem]:
        """Return up to 1,000 results that are not ok, after that position."""
        ...

    async def chunks(self, job: str, after: int) -> list[tuple[ChunkState, bytes]]:
        """Return the state and the fingerprint of up to 1,000 chunks, after that number."""
        ...

    async def dead_chunks(self, job: str) -> list[tuple[int, str]]:
        """Return the numbers of up to 1,000 chunks that were given up, and why."""
        ...

    async def close(self) -> None:
        """Close the connection."""


def open_ledger(address: str) -> Ledger:
    """Return the ledger at an address; nothing is connected yet.

    Args:
        address: `postgresql://user@host/database`, or the path of a SQLite file, for workers that
            are all on one machine.

    Raises:
        ConfigurationError: The address is none, or asyncpg is missing.
    """
    scheme, separator, _ = address.partition("://")
    if scheme in {"postgresql", "postgres"} and separator:
        from .databases.postgres import PostgresDatabase

        return SqlLedger(PostgresDatabase(address))
    if separator or not address:
        raise ConfigurationError(
            "the ledger is postgresql://user@host/database, or the path of a SQLite file"
        )
    return SqlLedger(SqliteDatabase(Path(address)))
