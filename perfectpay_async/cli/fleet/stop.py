"""`perfectpay fleet stop`: let no worker go on with a job."""

from __future__ import annotations

import click

from perfectpay_async.cli.exits import ExitCode
from perfectpay_async.fleet import JobState

from .options import opened_ledger, run


@click.command("stop")
@click.argument("job")
def stop(*, job: str) -> int:
    """Let no worker go on with JOB. Rows under way are finished.

    'perfectpay fleet reconcile' goes on with it.
    """
    return run(_stop(job))


async def _stop(name: str) -> int:
    async with opened_ledger() as ledger:
        job = await ledger.job(name)
        progress = await ledger.progress(job.facts.id)
        if progress.ended:
            said = "had finished already; there was nothing to stop"
        elif job.state is not JobState.OPEN:
            said = f"was {job.state} already"
        else:
            await ledger.stop_job(job.facts.id, "FleetError", "it was stopped by an operator")
            said = "is stopped; workers end their rows within a second or so"
    click.echo(f"Job {job.number} {said}.")
    return ExitCode.DONE
