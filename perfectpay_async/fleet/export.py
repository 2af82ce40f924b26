"""A fleet's job as the journal of one machine, so that everything that reads those reads it too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import attrs

from perfectpay_async.bulk import JobFacts, Verdict
from perfectpay_async.bulk.jobs import RunRecord
from perfectpay_async.bulk.jobs.journal import Journal
from perfectpay_async.bulk.jobs.records import ChunkState

from .ledger import Ledger
from .records import FleetJob, Problem


async def export_journal(ledger: Ledger, job: FleetJob, path: Path) -> bool:
    """Write a journal that says what the ledger says. It can be read, but no job be run from it.

    An earlier export is replaced.

    Args:
        ledger: The ledger.
        job: The job; no worker should have any of its chunks.
        path: The journal.

    Returns:
        Whether it was written.

    Raises:
        JournalError: It cannot be written.
        LedgerError: The ledger cannot be read.
    """
    if not await asyncio.to_thread(_is_free_for, path, job.facts):
        return False
    made = path.with_name(f"{path.name}.export")
    made.unlink(missing_ok=True)
    progress = await ledger.progress(job.facts.id)
    options = {
        **json.loads(job.facts.options),
        "fleet": job.number,
        "requests_at_least": progress.requests_at_least,
    }
    facts = attrs.evolve(job.facts, options=json.dumps(options))
    meta = {name: str(value) for name, value in attrs.asdict(facts).items()}
    await asyncio.to_thread(Journal.create, made, meta)
    with closing(Journal(made)) as journal:
        after = -1
        while page := await ledger.chunks(job.facts.id, after):
            await asyncio.to_thread(_write_chunks, journal, after + 1, page)
            after += len(page)
        last = -1
        while problems := await ledger.problems(job.facts.id, Verdict, last):
            await asyncio.to_thread(_write_problems, journal, problems)
            last = problems[-1][0]
        run = RunRecord(
            1,
            began=job.facts.created,
            seen=job.facts.created + progress.seconds,  # as if nothing lay in between
            ending="end of input" if progress.ended else "stopped",
            requests=progress.requests,
            retried=progress.retried,
        )
        with journal.transaction():
            journal.write_run(run)
    made.replace(path)
    return True


def _is_free_for(path: Path, facts: JobFacts) -> bool:
    if not path.exists():
        return True
    with closing(Journal(path, read_only=True)) as journal:
        found = JobFacts.read(journal)
    return (found.id, found.generation) == (facts.id, facts.generation)


def _write_chunks(journal: Journal, first: int, page: Sequence[tuple[ChunkState, bytes]]) -> None:
    with journal.transaction():
        for number, (state, mark) in enumerate(page, first):
            journal.write_chunk(number, attrs.evolve(state, fingerprint=mark))


def _write_problems(journal: Journal, problems: Sequence[Problem]) -> None:
    with journal.transaction():
        journal.write_problems(problems)
