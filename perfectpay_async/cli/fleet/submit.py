"""`perfectpay fleet submit` and `reconcile`: bring a job to the workers, and see it through."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from yarl import URL

from perfectpay_async.bulk import (
    BulkReport,
    SafetyStop,
    Tally,
    Verdict,
)
from perfectpay_async.bulk.counted import agreeing, counted
from perfectpay_async.bulk.jobs import JobStore
from perfectpay_async.bulk.jobs.store import SUFFIX
from perfectpay_async.bulk.reports import UNCOUNTED
from perfectpay_async.bulk.settings import CONCURRENCY, RATE
from perfectpay_async.bulk.sources import format_of
from perfectpay_async.bulk.stops import SafetyStops
from perfectpay_async.cli.account import account_json, print_account, print_problems
from perfectpay_async.cli.bulk.inputs import parse_names
from perfectpay_async.cli.bulk.jobs import store_option
from perfectpay_async.cli.bulk.options import (
    Pace,
    Target,
    address_options,
    check_may_ask,
    confirm,
    limit_options,
)
from perfectpay_async.cli.consoles import stderr_console, stdout_console
from perfectpay_async.cli.exits import ExitCode
from perfectpay_async.cli.progress import show_progress
from perfectpay_async.cli.signals import call_on_signals
from perfectpay_async.errors import AuthenticationError, PerfectPayError, PermissionDenied
from perfectpay_async.fleet import (
    FleetError,
    FleetJob,
    FleetSettings,
    JobState,
    Ledger,
    Plan,
    Progress,
    enter_job,
    plan_job,
)
from perfectpay_async.fleet.coordinator import Coordinator
from perfectpay_async.fleet.export import export_journal
from perfectpay_async.fleet.locations import is_url

from .options import BROKER, from_environment, opened_ledger, require_fleet, run

if TYPE_CHECKING:
    from perfectpay_async.fleet.taskiq import RabbitQueue

_STOPPED_BY: Final[dict[str, tuple[type[PerfectPayError], ExitCode]]] = {
    "SafetyStop": (SafetyStop, ExitCode.SAFETY_STOP),
    "AuthenticationError": (AuthenticationError, ExitCode.CREDENTIALS),
    "PermissionDenied": (PermissionDenied, ExitCode.CREDENTIALS),
}


@click.command("submit")
@click.argument("location", metavar="FILE")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["auto", "csv", "jsonl"]),
    default="auto",
    show_default=True,
    help="Format of FILE; auto goes by its name.",
)
@click.option("--map", "names", metavar="COLUMN=NAME,...", callback=parse_names,
              help="Names of columns in FILE.")  # fmt: skip
@click.option("--expiry-column", metavar="NAME", help="Column that holds the whole expiry.")
@address_options
@limit_options
@click.option("--only-forward", is_flag=True, help="Skip cards that have this or a later expiry.")
@click.option("--supersede", is_flag=True, help="Give up a job on FILE that has not ended.")
@click.option("--json", "as_json", is_flag=True, help="Print the account as one JSON object.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("--yes", is_flag=True, help="Do not ask before anything but a sandbox is changed.")
@store_option
def submit(
    *,
    location: str,
    format_name: str,
    names: dict[str, str],
    expiry_column: str | None,
    address: URL,
    attempts: int,
    deadline: float,
    stops: SafetyStops,
    only_forward: bool,
    supersede: bool,
    as_json: bool,
    quiet: bool,
    yes: bool,
    store: JobStore,
) -> int:
    """Give the cards in FILE a new expiry, with all workers that there are.

    FILE is a CSV or JSONL file on a path that is the same for all workers, or the URL of an object
    whose server answers Range requests. It is read to its end once before anything is sent; each
    worker reads the ranges of bytes that it works on.

    This waits for the end, shows the progress, and writes a journal that 'perfectpay bulk report'
    and 'dead-letter' read. It may be ended or killed at any time: the workers go on with what is in
    the queue, and 'perfectpay fleet reconcile' sees the rest through.

    Exit codes are those of 'perfectpay bulk run'; 7 means that the ledger or the broker cannot be
    used.
    """
    require_fleet()
    broker = from_environment(BROKER)
    target = Target(address, Pace(CONCURRENCY, RATE))  # the workers have their own
    ask = check_may_ask(target, yes=yes, stdin_is_input=False)
    if not is_url(location):
        location = str(Path(location).absolute())
    plan = plan_job(
        FleetSettings(
            location=location,
            format=format_of(location.partition("?")[0]) if format_name == "auto" else format_name,
            columns=names,
            expiry_column=expiry_column,
            attempts=attempts,
            deadline=deadline,
            only_forward=only_forward,
            max_failures=stops.max_failures,
            max_outage=stops.max_outage,
        )
    )
    if bad := plan.inspection.rows - plan.inspection.good:
        of = f"{bad:,} of {counted(plan.inspection.rows, 'row')}"
        rule = agreeing(bad, "breaks a rule", "break a rule")
        click.echo(f"{of} {rule} and will not be sent.", err=True)
    if ask:
        confirm(target, plan.inspection.good)
    view = _View(store, as_json=as_json, quiet=quiet)
    return run(_submit(plan, address, broker, view, supersede=supersede))


@click.command("reconcile")
@click.argument("job")
@click.option("--json", "as_json", is_flag=True, help="Print the account as one JSON object.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@store_option
def reconcile(*, job: str, as_json: bool, quiet: bool, store: JobStore) -> int:
    """See JOB through to its end: enqueue the chunks that no live worker has.

    To be said after 'fleet submit' was ended or killed, after a job was stopped, or to try chunks
    again that were given up. Exit codes are those of 'fleet submit'.
    """
    require_fleet()
    broker = from_environment(BROKER)
    return run(_reconcile(job, broker, _View(store, as_json=as_json, quiet=quiet)))


class _View:
    """What is shown of a job, and how."""

    def __init__(self, store: JobStore, *, as_json: bool, quiet: bool) -> None:
        self.store = store
        self.as_json = as_json
        self.quiet = quiet


async def _submit(plan: Plan, address: URL, broker: str, view: _View, *, supersede: bool) -> int:
    from perfectpay_async.fleet.taskiq import RabbitQueue

    # A broker that cannot be used leaves no job behind.
    async with opened_ledger() as ledger, RabbitQueue(broker, address) as queue:
        job = await enter_job(ledger, plan, address, supersede=supersede)
        return await _see_through(ledger, queue, job, view)


async def _reconcile(name: str, broker: str, view: _View) -> int:
    from perfectpay_async.fleet.taskiq import RabbitQueue

    async with opened_ledger() as ledger:
        job = await ledger.job(name)
        async with RabbitQueue(broker, URL(job.facts.host)) as queue:
            return await _see_through(ledger, queue, job, view, reopen=True)


async def _see_through(
    ledger: Ledger, queue: RabbitQueue, job: FleetJob, view: _View, *, reopen: bool = False
) -> int:
    click.echo(f"The job is {job.number}, with {counted(job.facts.rows, 'row')}", err=True)
    if not await queue.workers() and not (await ledger.progress(job.facts.id)).ended:
        click.echo(
            "No worker is listening yet; start one, with the same variables and the key: "
            f"perfectpay fleet worker --base-url {job.facts.host}",
            err=True,
        )
    received: list[int] = []
    tally = Tally()

    def note(progress: Progress, _job: FleetJob) -> None:
        tally.counts, tally.retried = progress.counts, progress.retried

    def stop(number: int) -> None:
        received.append(number)
        coordinator.stop()

    coordinator = Coordinator(ledger, queue, job, note)
    if reopen:
        await coordinator.reopen()
    # From now on, no command of one machine takes the input for its own.
    await export_journal(ledger, job, _journal(job, view))
    with call_on_signals(stop):
        async with show_progress(tally, job.facts.rows, None if view.quiet else stderr_console()):
            progress = await coordinator.run()
            note(progress, job)
    return await _tell(ledger, coordinator.job, progress, view, received)


async def _tell(
    ledger: Ledger, job: FleetJob, progress: Progress, view: _View, received: list[int]
) -> int:
    report = await _report(ledger, job, progress)
    path = _journal(job, view)
    name = path.stem
    written = not received and await export_journal(ledger, job, path)
    print_problems(stderr_console(), report, job.facts.unit)
    if view.as_json:
        click.echo(account_json(report, str(job.number)))
    else:
        print_account(stdout_console(), report)
    if report.attempts_at_least:
        click.echo(UNCOUNTED.format("worker"), err=True)
    if progress.dead:
        click.echo(
            f"{counted(progress.dead, 'chunk')} {agreeing(progress.dead, 'was', 'were')} given up, "
            "because the workers died again and again; "
            f"'perfectpay fleet status {job.number}' says which",
            err=True,
        )
    if report.remaining:
        click.echo(
            f"{counted(report.remaining, 'row')} {agreeing(report.remaining, 'has', 'have')} "
            f"not ended. Go on with: perfectpay fleet reconcile {job.number}",
            err=True,
        )
    if written and report.problem_count:
        click.echo(
            f"The rows that are not {Verdict.OK}: perfectpay bulk dead-letter {name}", err=True
        )
    if received:
        return 128 + received[0]
    if report.stopped_by is not None:
        return _STOPPED_BY.get(job.stopped_by, (FleetError, ExitCode.NOT_ALL_DONE))[1]
    return ExitCode.DONE if report.complete else ExitCode.NOT_ALL_DONE


def _journal(job: FleetJob, view: _View) -> Path:
    name = f"{Path(job.facts.input).stem or 'job'}-fleet-{job.number}"
    return view.store.directory / f"{name}{SUFFIX}"


async def _report(ledger: Ledger, job: FleetJob, progress: Progress) -> BulkReport:
    problems = await ledger.problems(job.facts.id, Verdict, -1)
    stopped_by: PerfectPayError | None = None
    if job.state is not JobState.OPEN and progress.done < progress.chunks:
        kind, _ = _STOPPED_BY.get(job.stopped_by, (FleetError, ExitCode.NOT_ALL_DONE))
        stopped_by = kind(job.reason or f"the job is {job.state}")
    counts: dict[str, Any] = {verdict.value: progress.counts[verdict] for verdict in Verdict}
    return BulkReport(
        **counts,
        remaining=progress.rows - progress.finished,
        earlier=0,
        retried=progress.retried,
        attempts=progress.requests,
        attempts_at_least=progress.requests_at_least,
        elapsed=progress.seconds,
        problems=tuple(result for _, result, _ in problems),
        stopped_by=stopped_by,
    )
