"""The account of a job, as its journal has it: for programs and for reports."""

from __future__ import annotations

import json
from contextlib import closing
from os import PathLike
from pathlib import Path

from attrs import field, frozen

from perfectpay_async.bulk.report import FAILED, Counts, Verdict

from .job import JobFacts
from .journal import Journal
from .lock import is_running
from .records import ProblemGroup, RunRecord, Sample


@frozen(kw_only=True)
class JobAccount:
    """What has become of the rows of a job so far.

    Attributes:
        name: The job's name.
        path: Its journal.
        facts: What identifies it.
        counts: How many rows have ended how.
        running: Whether a process is running it.
        runs: Its runs.
        groups: What the rows that are not ok have in common, the most frequent first; 100 at most.
        samples: The course of all runs.
        superseded_by: Name of the newer job on the same input, for which this one can be run no
            more; None when there is none, or when nobody has looked (`JobStore.account` does).
    """

    name: str
    path: Path
    facts: JobFacts
    counts: Counts
    running: bool
    runs: tuple[RunRecord, ...]
    groups: tuple[ProblemGroup, ...] = field(repr=False)
    samples: tuple[Sample, ...] = field(repr=False)
    superseded_by: str | None = None

    @property
    def rows(self) -> int | None:
        """Rows of the input; None until it has been read to its end."""
        return None if self.facts.rows < 0 else self.facts.rows

    @property
    def finished(self) -> int:
        """Rows that have ended, one way or another."""
        return sum(self.counts.values())

    @property
    def remaining(self) -> int | None:
        """Rows that have not ended; None when the rows are not known."""
        return None if self.rows is None else self.rows - self.finished

    @property
    def failed(self) -> int:
        """Rows that were sent and are not known to be applied."""
        return sum(self.counts[verdict] for verdict in FAILED)

    @property
    def problem_count(self) -> int:
        """Rows that have ended and are not known to be applied, but for those skipped."""
        return self.failed + self.counts[Verdict.INVALID]

    @property
    def state(self) -> str:
        """`running`, `finished` when all rows have ended, `superseded` or else `unfinished`."""
        if self.running:
            return "running"
        if self.remaining == 0:
            return "finished"
        return "unfinished" if self.superseded_by is None else "superseded"

    @property
    def requests(self) -> int:
        """Requests whose results are in the journal."""
        return sum(run.requests for run in self.runs)

    @property
    def requests_at_least(self) -> bool:
        """Whether more were sent: a run, or a worker of a fleet, was killed before it noted all."""
        ended = self.runs[:-1] if self.running else self.runs
        if any(run.ending is None for run in ended):
            return True
        return bool(json.loads(self.facts.options).get("requests_at_least"))

    @property
    def seconds(self) -> float:
        """Seconds that the runs have taken."""
        return sum(run.seconds for run in self.runs)


def read_account(path: str | PathLike[str]) -> JobAccount:
    """Read the account of a job, which may be running meanwhile.

    Args:
        path: Its journal.

    Raises:
        JournalError: It is no journal, damaged, or has been written by a newer version.
    """
    path = Path(path)
    with closing(Journal(path, read_only=True)) as journal:
        return JobAccount(
            name=path.stem,
            path=path,
            facts=JobFacts.read(journal),
            counts=journal.counts(),
            running=is_running(path),
            runs=tuple(journal.runs()),
            groups=tuple(journal.problem_groups()),
            samples=tuple(journal.samples()),
        )
