"""`BulkJob`: a bulk update whose account outlives the process."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import attrs
from attrs import field, frozen

from perfectpay_async.bulk.report import Counts, RowResult, Verdict
from perfectpay_async.bulk.rows import Rows
from perfectpay_async.errors import ConfigurationError

from .errors import JobRefused, JournalError
from .journal import Journal
from .lock import lock_job
from .records import RunRecord
from .remaining import RemainingRows
from .writer import JournalWriter

RETRIED: Final = (Verdict.EXHAUSTED, Verdict.UNKNOWN)
"""What `BulkJob.reopen` runs again unless told otherwise: it may succeed now, and does no harm."""


@frozen(kw_only=True)
class JobFacts:
    """What identifies a job. It is written when the job is made, and compared when it is resumed.

    Attributes:
        id: A random id; part of the idempotency keys.
        generation: Orders the jobs on one input: the one with the highest number counts.
        created: When it was made, in seconds since 1970.
        operation: What it does.
        host: Root of the API that it was begun with; empty before its first run.
        input: Name of the input.
        path: Where the input is; empty when it is no file.
        size: Bytes of the input; -1 when it is no file.
        sha256: Hash of the input's bytes; empty when it is no file.
        rows: Rows of the input; -1 until it has been read to its end.
        unit: What the numbers of its rows count: `line` or `row`.
        shard: The part of the input that it runs, such as `0/4`; empty for all of it.
        options: What else the command that made it was told, as JSON.
    """

    id: str = field(factory=lambda: uuid.uuid4().hex)
    generation: int = 1
    created: float = field(factory=time.time)
    operation: str = "payment_methods.update"
    host: str = ""
    input: str = ""
    path: str = ""
    size: int = -1
    sha256: str = ""
    rows: int = -1
    unit: str = "row"
    shard: str = ""
    options: str = "{}"

    @property
    def fleet(self) -> int | None:
        """Number of the fleet's job whose account this is; None for a job of its own."""
        number: int | None = json.loads(self.options).get("fleet")
        return number

    @property
    def part(self) -> str:
        """Which rows it runs, in words."""
        return f"the shard {self.shard}" if self.shard else "all rows"

    @classmethod
    def read(cls, journal: Journal) -> JobFacts:
        """Return what a journal says of its job.

        Raises:
            JournalError: It does not say all of it.
        """
        meta = journal.meta()
        try:
            return cls(
                id=meta["id"],
                generation=int(meta["generation"]),
                created=float(meta["created"]),
                operation=meta["operation"],
                host=meta["host"],
                input=meta["input"],
                path=meta["path"],
                size=int(meta["size"]),
                sha256=meta["sha256"],
                rows=int(meta["rows"]),
                unit=meta["unit"],
                shard=meta["shard"],
                options=meta["options"],
            )
        except (KeyError, ValueError):
            raise JournalError(f"the journal {journal.path} is damaged") from None


def kept_by_a_fleet(name: str, facts: JobFacts) -> str:
    """Return why a job cannot be run from its journal: the ledger of a fleet has its account."""
    return (
        f"the job {name} is that of a fleet, whose workers may be sending it; go on with "
        f"'perfectpay fleet reconcile {facts.fleet}'"
    )


class BulkJob:
    """A bulk update with a journal: every result is on the disk, and it can be resumed.

    A killed process loses nothing: what it had not recorded yet (the requests under way, and what
    was answered in the last 50 ms or so) is sent again, and everything else is not. The file is
    for one process at a time; `read_account` looks at it meanwhile.

    Args:
        path: The journal. It is made if there is none, and resumed if there is.

    Raises:
        JobRefused: Another process has the job, or it is that of a fleet.
        JournalError: The journal cannot be made, read or written, is damaged, or has been written
            by a newer version.

    Examples:
        >>> async def main(client, rows):
        ...     with BulkJob("march.job") as job:
        ...         return await client.bulk.update_expiries(rows, job=job)
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path: Path = Path(path)
        self._writer: JournalWriter | None = None
        with ExitStack() as stack:
            stack.callback(lock_job(self.path).close)
            if not self.path.exists():
                _create(self.path, JobFacts(), ())
            self._journal = stack.enter_context(closing(Journal(self.path)))
            self._reader = stack.enter_context(closing(Journal(self.path, read_only=True)))
            self.facts: JobFacts = JobFacts.read(self._journal)
            if self.facts.fleet is not None:
                raise JobRefused(kept_by_a_fleet(self.path.stem, self.facts))
            self._held = stack.pop_all()

    @classmethod
    def create(
        cls,
        path: str | PathLike[str],
        facts: JobFacts,
        fingerprints: Iterable[tuple[int, bytes]],
    ) -> Self:
        """Make a job on an input that has been read already.

        Args:
            path: The journal to make.
            facts: What identifies the job.
            fingerprints: Those of the input: from the first row on, no other one is taken.

        Raises:
            JournalError: There is a file already, or none can be made there.
        """
        _create(Path(path), facts, fingerprints)
        return cls(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write what is not written yet, and let other processes have the job."""
        if self._writer is not None:  # its run was cancelled, and could not wait for the disk
            self._writer.close()
        self._held.close()

    @property
    def counts(self) -> Counts:
        """How many rows have ended how, as far as it is on the disk."""
        return self._reader.counts()

    @property
    def rows(self) -> int | None:
        """Rows of the input; None until it has been read to its end."""
        return None if self.facts.rows < 0 else self.facts.rows

    @property
    def complete(self) -> bool:
        """Whether every row has ended, one way or another."""
        return sum(self.counts.values()) == self.facts.rows

    def problems(self, verdicts: Iterable[Verdict] = Verdict) -> Iterable[tuple[int, RowResult]]:
        """Iterate over the results that are not ok, each with its position in the input.

        Args:
            verdicts: Which of them.
        """
        return self._reader.problems(verdicts)

    def reopen(self, positions: Iterable[int], generation: int) -> None:
        """Let the next run try some rows again.

        Args:
            positions: Their positions in the input, ascending; all of them ended, and not ok.
            generation: The job's new generation: the repeats have new idempotency keys.

        Raises:
            JournalError: It cannot be written.
        """
        self._set("generation", generation)
        self._journal.forget_problems(positions)

    def bind(self, operation: str, host: str, shard: str) -> None:
        """Say what the job does, where, and to which part; or check that it is as before.

        Raises:
            JobRefused: It was begun with something else.
        """
        facts = self.facts
        if operation != facts.operation:
            raise JobRefused(f"the job was begun with the operation {facts.operation}")
        if facts.host not in {"", host}:
            raise JobRefused(
                f"the job was begun with {facts.host}; resume it there, or make a new one"
            )
        if shard != facts.shard and (facts.host or facts.shard):
            # The rows of other shards count as skipped in it: they would never be run.
            raise JobRefused(
                f"the job was begun with {facts.part}; resume it so, or make a new one"
            )
        if not facts.host:
            self._set("shard", shard)
            self._set("host", host)

    def _set(self, name: str, value: str | int) -> None:
        self._journal.set_meta(name, str(value))
        self.facts = JobFacts.read(self._journal)

    def begin(self, on_failure: Callable[[JournalError], None]) -> JournalWriter:
        """Give the journal to a run: what it puts into the writer becomes part of the account.

        Args:
            on_failure: Called in the event loop when the journal cannot be written any more.

        Raises:
            ConfigurationError: A run has it that has not ended.
        """
        if self._writer is not None and not self._writer.ended:
            raise ConfigurationError("the job is running already")
        self._writer = JournalWriter(self._journal, on_failure)
        return self._writer

    def end(self, rows: int | None) -> None:
        """Take the journal back from a run.

        Args:
            rows: Rows of the input, when the run has read it to its end.

        Raises:
            JournalError: It cannot be written.
        """
        self._writer = None
        if rows is not None and self.facts.rows < 0:
            self._set("rows", rows)

    def remaining(self, rows: Rows) -> RemainingRows:
        """Return the rows of the input that have not ended yet, for the run that was begun.

        Raises:
            ConfigurationError: None was.
        """
        if self._writer is None:
            raise ConfigurationError("the job is not running")
        return RemainingRows(
            rows, self._reader, self._writer, expected=self.rows, unit=self.facts.unit
        )

    def new_run(self) -> RunRecord:
        """Return the entry of a run that begins now."""
        now = time.time()
        return RunRecord(len(self._reader.runs()) + 1, began=now, seen=now)


def _create(path: Path, facts: JobFacts, fingerprints: Iterable[tuple[int, bytes]]) -> None:
    meta = {name: str(value) for name, value in attrs.asdict(facts).items()}
    Journal.create(path, meta, fingerprints)
