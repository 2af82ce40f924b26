"""`perfectpay fleet stop`: let no worker go on with a job."""

from __future__ import annotations

import click

from perfectpay_async.cli.exits import ExitCode

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
        await ledger.stop_job(job.facts.id, "FleetError", "it was stopped by an operator")
    click.echo(f"Job {job.number} is stopped; workers end their rows within a second or so.")
    return ExitCode.DONE
