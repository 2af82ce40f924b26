"""`perfectpay fleet status`: the workers, the jobs, and how far they are."""

from __future__ import annotations

import asyncio
import json
from typing import Final

import click
from rich.console import Group
from rich.live import Live
from rich.table import Table

from perfectpay_async.bulk import Verdict
from perfectpay_async.cli.consoles import stdout_console
from perfectpay_async.cli.exits import ExitCode
from perfectpay_async.cli.signals import call_on_signals
from perfectpay_async.fleet import FleetJob, Ledger, Progress, WorkerEntry

from .options import opened_ledger, run

SCHEMA: Final = 1
"""Version of the JSON form. New keys may be added; a changed meaning makes a new one."""


@click.command("status")
@click.argument("job", required=False)
@click.option("--watch", is_flag=True, help="Show it anew each second, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object.")
def status(*, job: str | None, watch: bool, as_json: bool) -> int:
    """Say how far JOB is, or all jobs, and which workers there are.

    Exit codes: 0 said, 6 there is no such job, 7 the ledger cannot be used.
    """
    if watch and as_json:
        raise click.UsageError("say --watch or --json, not both")
    return run(_watch(job) if watch else _once(job, as_json=as_json))


async def _once(name: str | None, *, as_json: bool) -> int:
    async with opened_ledger() as ledger:
        found, workers = await _look(ledger, name)
        if as_json:
            click.echo(json.dumps(_as_json(found, workers)))
        else:
            stdout_console().print(_tables(found, workers))
            for job, _ in found if name is not None else []:
                for number, note in await ledger.dead_chunks(job.facts.id):
                    click.echo(f"chunk {number} was given up: {note}")
    return ExitCode.DONE


async def _watch(name: str | None) -> int:
    ended = asyncio.Event()
    async with opened_ledger() as ledger:
        with call_on_signals(lambda _number: ended.set()), Live(console=stdout_console()) as live:
            while not ended.is_set():
                live.update(_tables(*await _look(ledger, name)), refresh=True)
                try:
                    async with asyncio.timeout(1.0):
                        await ended.wait()
                except TimeoutError:
                    continue
    return ExitCode.DONE


async def _look(
    ledger: Ledger, name: str | None
) -> tuple[list[tuple[FleetJob, Progress]], list[WorkerEntry]]:
    jobs = await ledger.jobs() if name is None else [await ledger.job(name)]
    found = [(job, await ledger.progress(job.facts.id)) for job in jobs]
    return found, await ledger.workers()


def _state(job: FleetJob, progress: Progress) -> str:
    if progress.done == progress.chunks:
        return "finished"
    return "running" if job.state == "open" and progress.running else job.state.value


def _tables(found: list[tuple[FleetJob, Progress]], workers: list[WorkerEntry]) -> Group:
    jobs = Table("job", "state", "input", box=None)
    for heading in ("rows", "ok", "failed", "left", "chunks"):
        jobs.add_column(heading, justify="right")
    jobs.add_column("of these")
    for job, progress in found:
        chunks = {"running": progress.running, "queued": progress.queued, "dead": progress.dead}
        jobs.add_row(
            str(job.number),
            _state(job, progress),
            job.facts.input,
            f"{progress.rows:,}",
            f"{progress.counts[Verdict.OK]:,}",
            f"{progress.problem_count:,}",
            f"{progress.rows - progress.finished:,}",
            f"{progress.done:,}/{progress.chunks:,}",
            ", ".join(f"{count:,} {name}" for name, count in chunks.items() if count),
        )
    people = Table("worker", "version", box=None)
    people.add_column("share", justify="right")
    people.add_column("chunks", justify="right")
    for worker in workers:
        share = "no limit" if worker.share is None else f"{worker.share:,.1f}/s"
        people.add_row(worker.facts.name, worker.facts.version, share, str(worker.chunks))
    return Group(
        jobs if found else "There are no jobs in the ledger.",
        people if workers else "No worker is running.",
    )


def _as_json(
    found: list[tuple[FleetJob, Progress]], workers: list[WorkerEntry]
) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "jobs": [
            {
                "job": job.number,
                "id": job.facts.id,
                "state": _state(job, progress),
                "stopped_by": job.stopped_by or None,
                "reason": job.reason or None,
                "input": job.facts.input,
                "host": job.facts.host,
                "generation": job.facts.generation,
                "created": round(job.facts.created, 3),
                "rows": progress.rows,
                **{verdict.value: progress.counts[verdict] for verdict in Verdict},
                "remaining": progress.rows - progress.finished,
                "requests": progress.requests,
                "requests_at_least": progress.requests_at_least,
                "seconds": round(progress.seconds, 1),
                "chunks": progress.chunks,
                "done": progress.done,
                "running": progress.running,
                "queued": progress.queued,
                "dead": progress.dead,
            }
            for job, progress in found
        ],
        "workers": [
            {
                "worker": worker.facts.name,
                "version": worker.facts.version,
                "share": worker.share,
                "chunks": worker.chunks,
            }
            for worker in workers
        ],
    }
