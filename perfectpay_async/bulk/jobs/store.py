"""A directory of jobs: their names, and which of them is the one that counts for an input."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import attrs
from attrs import frozen

from perfectpay_async.bulk.chunks import Fingerprints
from perfectpay_async.bulk.counted import agreeing, counted

from .account import JobAccount, read_account
from .errors import JobRefused, JournalError
from .job import BulkJob, JobFacts, kept_by_a_fleet
from .journal import Journal
from .lock import FileLock, is_running

SUFFIX: Final = ".job"
"""What the names of journals end with."""

_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST_STEM: Final = 40


@frozen
class JobEntry:
    """A job of the directory.

    Attributes:
        name: Its name.
        path: Its journal.
        facts: What identifies it.
        finished: Rows that have ended.
    """

    name: str
    path: Path
    facts: JobFacts
    finished: int

    @property
    def complete(self) -> bool:
        """Whether all rows have ended."""
        return self.finished == self.facts.rows


class JobStore:
    """The directory in which a command keeps its jobs.

    Args:
        directory: The directory. It is made when the first job is.
    """

    def __init__(self, directory: Path) -> None:
        self.directory: Path = directory

    def path(self, name: str) -> Path:
        """Return the journal of a job.

        Raises:
            JournalError: There is no such job.
        """
        path = self.directory / f"{name.removesuffix(SUFFIX)}{SUFFIX}"
        if path.parent != self.directory or not path.is_file():
            raise JournalError(
                f"there is no job {name} in {self.directory}; 'perfectpay bulk status' lists them"
            )
        return path

    def jobs(self) -> list[JobEntry]:
        """Return all jobs, the newest first. What is no journal that can be read is left out."""
        found = [entry for entry in map(_entry, self._journals()) if entry is not None]
        return sorted(found, key=lambda entry: entry.facts.created, reverse=True)

    def account(self, name: str) -> JobAccount:
        """Return the account of a job, which may be running meanwhile.

        Raises:
            JournalError: There is no such job, or its journal cannot be read.
        """
        return _account(self.path(name), self.jobs())

    def accounts(self) -> list[JobAccount]:
        """Return the accounts of all `jobs`.

        Raises:
            JournalError: One of them cannot be read.
        """
        jobs = self.jobs()
        return [_account(entry.path, jobs) for entry in jobs]

    def unreadable(self) -> list[str]:
        """Return what is wrong with each journal that cannot be read."""
        found: list[str] = []
        for path in sorted(self._journals()):
            try:
                with closing(Journal(path, read_only=True)) as journal:
                    JobFacts.read(journal)
            except JournalError as error:
                found.append(error.message)
        return found

    def create(
        self, facts: JobFacts, fingerprints: Fingerprints, *, supersede: bool = False
    ) -> BulkJob:
        """Make a job on an input.

        Args:
            facts: What identifies it; the generation is found here.
            fingerprints: Those of the input.
            supersede: Whether an unfinished job on the same input is given up.

        Raises:
            JobRefused: There is an unfinished job on the same input.
            JournalError: The journal cannot be made, or one that is there cannot be read: it could
                be of a job on the same input.
        """
        with closing(self._lock()):
            if wrong := self.unreadable():
                raise JournalError(
                    f"{wrong[0]}; it could be of a job on this input: mend it, or move it away"
                )
            generation, path = 1, None
            for sibling in self.siblings(facts):
                generation = max(generation, sibling.facts.generation + 1)
                if is_running(sibling.path):
                    raise JobRefused(f"the job {sibling.name} on this input is being run")
                if sibling.facts.fleet is not None and not (sibling.complete or supersede):
                    raise JobRefused(kept_by_a_fleet(sibling.name, sibling.facts))
                # One of which nothing is recorded has nothing to go on with.
                if sibling.finished and not (sibling.complete or supersede):
                    rows = counted(sibling.facts.rows, "row")
                    have = agreeing(sibling.finished, "has", "have")
                    raise JobRefused(
                        f"the job {sibling.name} on this input is not finished: "
                        f"{sibling.finished:,} of {rows} {have} ended; say "
                        "--resume to go on with it, or --supersede to give it up and begin anew"
                    )
            stem = _NOT_IN_NAMES.sub("-", Path(facts.input).stem)[:_LONGEST_STEM].strip(".-")
            number = 1
            while path is None or path.exists():
                path = self.directory / f"{stem or 'job'}-{number}{SUFFIX}"
                number += 1
            return BulkJob.create(path, attrs.evolve(facts, generation=generation), fingerprints)

    def open(self, path: Path) -> BulkJob:
        """Open a job in order to run it.

        Raises:
            JobRefused: Another process has it, or a newer job on the same input has replaced it.
            JournalError: The journal cannot be read or written.
        """
        with closing(self._lock()):  # no newer one is made between the look and the locking
            job = BulkJob(path)
            newest = self.newest(job.facts)
        if newest is not None and newest.facts.generation > job.facts.generation:
            job.close()
            raise JobRefused(
                f"the job {path.stem} has been replaced by {newest.name}, a newer one on the same "
                "input; to go on with it could set cards back to older values"
            )
        return job

    def newest(self, facts: JobFacts) -> JobEntry | None:
        """Return the job on the same input and host that counts; None when there is none."""
        return _newest(facts, self.jobs())

    def siblings(self, facts: JobFacts) -> Iterator[JobEntry]:
        """Iterate over the jobs on the same input, operation and host."""
        return _siblings(facts, self.jobs())

    def elsewhere(self, facts: JobFacts) -> JobEntry | None:
        """Return a job on the same input and another host that has not ended."""
        return next(
            (
                entry
                for entry in _on_same_input(facts, self.jobs())
                if entry.facts.host != facts.host and not entry.complete
            ),
            None,
        )

    def next_generation(self, facts: JobFacts) -> int:
        """Return the generation for a job on that input whose rows are to be run again."""
        return max(entry.facts.generation for entry in self.siblings(facts)) + 1

    def _journals(self) -> list[Path]:
        return list(self.directory.glob(f"*{SUFFIX}"))

    def _lock(self) -> FileLock:
        return FileLock(
            self.directory / "jobs.lock",
            "another process is making a job in this very moment; try again",
        )


def _account(path: Path, jobs: Iterable[JobEntry]) -> JobAccount:
    account = read_account(path)
    newest = _newest(account.facts, jobs)
    if newest is None or newest.facts.generation <= account.facts.generation:
        return account
    return attrs.evolve(account, superseded_by=newest.name)


def _newest(facts: JobFacts, jobs: Iterable[JobEntry]) -> JobEntry | None:
    return max(_siblings(facts, jobs), key=lambda entry: entry.facts.generation, default=None)


def _siblings(facts: JobFacts, jobs: Iterable[JobEntry]) -> Iterator[JobEntry]:
    for entry in _on_same_input(facts, jobs):
        other = entry.facts
        same_place = (facts.operation, facts.host) == (other.operation, other.host)
        if same_place and _overlap(facts.shard, other.shard):
            yield entry


def _on_same_input(facts: JobFacts, jobs: Iterable[JobEntry]) -> Iterator[JobEntry]:
    for entry in jobs:
        other = entry.facts
        if (facts.path and facts.path == other.path) or (
            facts.sha256 and facts.sha256 == other.sha256
        ):
            yield entry


def _overlap(shard: str, other: str) -> bool:
    """Return whether a row can be in both parts of an input."""
    _, _, count = shard.partition("/")
    _, _, other_count = other.partition("/")
    return count != other_count or shard == other


def _entry(path: Path) -> JobEntry | None:
    try:
        with closing(Journal(path, read_only=True)) as journal:
            return JobEntry(
                path.name.removesuffix(SUFFIX),
                path,
                JobFacts.read(journal),
                sum(journal.counts().values()),
            )
    except JournalError:
        return None
