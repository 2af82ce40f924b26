"""What the ledger of a fleet knows: jobs, chunks, workers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self, TypeAlias

import attrs
from attrs import field, frozen

from perfectpay_async.bulk import JobFacts, RowResult, SafetyStops
from perfectpay_async.bulk.jobs.records import ChunkState
from perfectpay_async.bulk.report import FAILED, Counts, Verdict
from perfectpay_async.bulk.settings import ATTEMPTS, DEADLINE

from .messages import ChunkMessage

Problem: TypeAlias = tuple[int, RowResult, float]
"""A result that is not ok: position in the input, the result, and when it ended."""


@frozen(kw_only=True)
class FleetSettings:
    """How every worker is to run a job. Secrets have no place here.

    Attributes:
        location: Path or URL of the input, the same for all workers.
        format: `csv` or `jsonl`.
        columns: Names of columns, as for `read_rows`.
        expiry_column: As for `read_rows`.
        header: The bytes before the first row, as text (a surrogate for each byte not in UTF-8).
        header_lines: How many lines these are.
        attempts: Most attempts for one row.
        deadline: Seconds for one row.
        only_forward: Whether a card is left alone that has this or a later expiry.
        max_failures: As for `SafetyStops`: in the job, and in each chunk by itself.
        max_outage: As for `SafetyStops`: for any of the workers.
    """

    location: str
    format: str
    columns: Mapping[str, str] = field(factory=dict[str, str])
    expiry_column: str | None = None
    header: str = ""
    header_lines: int = 0
    attempts: int = ATTEMPTS
    deadline: float = DEADLINE
    only_forward: bool = False
    max_failures: float | None = SafetyStops().max_failures
    max_outage: float | None = SafetyStops().max_outage

    @property
    def stops(self) -> SafetyStops:
        """When a worker stops the job."""
        return SafetyStops(max_failures=self.max_failures, max_outage=self.max_outage)

    def to_text(self) -> str:
        """Return them as JSON."""
        return json.dumps(attrs.asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return what `to_text` made."""
        values: dict[str, Any] = json.loads(text)
        return cls(**values)


@frozen(kw_only=True)
class ChunkSlice:
    """Where a chunk lies in its input.

    Attributes:
        number: Its number, from 0.
        start: Its first byte.
        stop: The byte after its last one.
        lines: Lines of the input before it.
        rows: How many rows it has.
        sha256: The hash of its bytes.
    """

    number: int
    start: int
    stop: int
    lines: int
    rows: int
    sha256: str


class JobState(StrEnum):
    """Whether workers may work on a job.

    Attributes:
        OPEN: They may.
        STOPPED: A safety stop, a refused key or an operator ended it; it can be opened again.
        GIVEN_UP: A newer job on the same input has replaced it.
    """

    OPEN = "open"
    STOPPED = "stopped"
    GIVEN_UP = "given up"


@frozen(kw_only=True)
class FleetJob:
    """A job of a fleet.

    Attributes:
        number: Its number, for people.
        facts: What identifies it.
        settings: How it is run.
        state: Whether workers may work on it.
        stopped_by: Name of the error that stopped it; empty when none did.
        reason: What that error says.
    """

    number: int
    facts: JobFacts
    settings: FleetSettings
    state: JobState = JobState.OPEN
    stopped_by: str = ""
    reason: str = ""

    def message(self, chunk: ChunkSlice) -> ChunkMessage:
        """Return the message about one of its chunks."""
        return ChunkMessage(
            job=self.facts.id,
            generation=self.facts.generation,
            chunk=chunk.number,
            source=(self.settings.location, chunk.start, chunk.stop),
            rows=chunk.rows,
            sha256=chunk.sha256,
        )


@frozen(kw_only=True)
class Progress:
    """How far a job is.

    Attributes:
        rows: Its rows.
        counts: How many of them ended how.
        requests: Requests whose results are in the ledger.
        requests_at_least: Whether more were sent: a worker was lost before it had saved its last
            results, and nobody knows how many requests they took.
        retried: Rows for which a request was repeated.
        chunks: Its chunks.
        done: Those that are done.
        dead: Those that were given up because they always ended their worker.
        running: Those that a live worker has.
        queued: Those with a message that no worker has taken.
        workers: Live workers of the fleet.
        seconds: How long it has been worked on; the time in which no worker had a chunk of it is
            not counted.
    """

    rows: int
    counts: Counts
    requests: int
    requests_at_least: bool
    retried: int
    chunks: int
    done: int
    dead: int
    running: int
    queued: int
    workers: int
    seconds: float

    @property
    def finished(self) -> int:
        """Rows that have ended."""
        return sum(self.counts.values())

    @property
    def failed(self) -> int:
        """Rows that were sent and are not known to be applied."""
        return sum(self.counts[verdict] for verdict in FAILED)

    @property
    def problem_count(self) -> int:
        """Rows that have ended and are not known to be applied, but for those skipped."""
        return self.failed + self.counts[Verdict.INVALID]

    @property
    def ended(self) -> bool:
        """Whether no chunk is left to be run."""
        return self.done + self.dead == self.chunks


@frozen(kw_only=True)
class Taken:
    """A chunk that this worker has now.

    Attributes:
        job: Its job.
        slice: Where it lies.
        fence: The fencing number: what is saved with an older one is refused.
        state: What is known of its rows.
        requests: Requests that were sent for it before.
        retried: Rows of it for which a request was repeated.
        from_dead: Whether it was taken from a worker that has just died, whose last requests may
            still be under way in the server.
        suspect: Whether it may be what ended its workers: it is to be run alone.
    """

    job: FleetJob
    slice: ChunkSlice
    fence: int
    state: ChunkState
    requests: int = 0
    retried: int = 0
    from_dead: bool = False
    suspect: bool = False


class Ending(StrEnum):
    """What became of a message about a chunk.

    Attributes:
        DONE: All rows of the chunk have ended.
        DONE_BEFORE: They had already.
        HELD: Another live worker has it.
        STOPPED: The job must not go on, or no longer counts.
        RELEASED: The worker gave it back, with rows open: it drains, or cannot read the input.
        DEAD: It was given up: time and again its worker died, or could not finish it.
        UNKNOWN: The ledger knows no such chunk, or another one under that number.
    """

    DONE = "done"
    DONE_BEFORE = "done before"
    HELD = "held"
    STOPPED = "stopped"
    RELEASED = "released"
    DEAD = "dead"
    UNKNOWN = "unknown"

    @property
    def requeue(self) -> bool:
        """Whether the message is to be delivered again."""
        return self is Ending.RELEASED

    @property
    def dead_letter(self) -> bool:
        """Whether the message belongs into the dead-letter queue."""
        return self in {Ending.DEAD, Ending.UNKNOWN}


@frozen(kw_only=True)
class ChunkReport:
    """What a worker did with a message about a chunk.

    Attributes:
        message: The message.
        ending: What became of it.
        counts: How the rows of the chunk have ended, if this worker had it.
        reason: Why it was not finished; empty when it was.
    """

    message: ChunkMessage
    ending: Ending
    counts: Counts | None = None
    reason: str = ""


@frozen(kw_only=True)
class WorkerFacts:
    """A worker, as it introduces itself.

    Attributes:
        id: A random id, another one for each session.
        name: For people: host and process.
        version: Version of the library.
        rate: Most requests per second of the whole fleet; None for no rate control.
    """

    id: str
    name: str
    version: str
    rate: float | None


@frozen(kw_only=True)
class WorkerEntry:
    """A live worker, as the ledger sees it.

    Attributes:
        facts: What it says of itself.
        share: Requests per second that it may send; None for no rate control.
        chunks: Chunks that it has.
    """

    facts: WorkerFacts
    share: float | None
    chunks: int


@frozen(kw_only=True)
class Standing:
    """What a renewed lease is worth.

    Attributes:
        share: Requests per second that the worker may send; None for no rate control. 0 while the
            others have not made room for a new worker.
        held: The chunks that it still has: job, number and fencing number of each, and whether the
            job is still open.
    """

    share: float | None
    held: Mapping[tuple[str, int, int], bool]
