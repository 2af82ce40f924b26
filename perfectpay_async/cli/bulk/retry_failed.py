"""`perfectpay bulk retry-failed`: try again what may succeed now."""

from __future__ import annotations

import click
from yarl import URL

from perfectpay_async.bulk import JobRefused, RunOptions, Verdict
from perfectpay_async.bulk.counted import agreeing, counted
from perfectpay_async.bulk.jobs import JobStore
from perfectpay_async.bulk.jobs.job import RETRIED

from .job_input import file_option, not_replaced, open_job_input
from .jobs import store_option
from .options import Pace, Target, check_may_ask, confirm, pace_options, run_options
from .perform import perform

_CLASSES = (Verdict.EXHAUSTED, Verdict.UNKNOWN, Verdict.REJECTED)


@click.command("retry-failed")
@click.argument("job")
@click.option(
    "--class",
    "classes",
    type=click.Choice([verdict.value for verdict in _CLASSES]),
    multiple=True,
    default=[verdict.value for verdict in RETRIED],
    show_default=True,
    help="Which rows; may be said several times.",
)
@file_option
@pace_options
@run_options
@store_option
def retry_failed(
    *,
    job: str,
    classes: tuple[str, ...],
    file: str | None,
    pace: Pace,
    store: JobStore,
    options: RunOptions,
    as_json: bool,
    quiet: bool,
    yes: bool,
) -> int:
    """Run the rows of JOB again that were turned away, or whose outcome is unknown.

    They are the same requests as before, to the same host: the values are absolute, so a row that
    had been applied after all is not harmed. A row is left alone when a later row of the input is
    for the same card. A job that has not ended is refused: go on with it first. The key is read
    from PERFECTPAY_API_KEY.

    Exit codes: as of `perfectpay bulk run`.
    """
    with store.open(store.path(job)) as opened:
        if rest := opened.facts.rows - sum(opened.counts.values()):
            have = agreeing(rest, "has", "have")
            raise JobRefused(
                f"{counted(rest, 'row')} of the job {job} {have} not ended; go on with it first, "
                "with 'perfectpay bulk run FILE --resume'"
            )
        target = Target(URL(opened.facts.host), pace)
        client = target.client()
        ask = check_may_ask(target, yes=yes, stdin_is_input=file == "-")
        with open_job_input(opened.facts, file) as source:
            wanted = [Verdict(name) for name in classes]
            with source.replaced_rows() as replaced:
                found = not_replaced(opened.problems(wanted), replaced)
                positions = [position for position, _ in found]
            many = len(positions)
            if ask:
                confirm(target, many)
            opened.reopen(positions, store.next_generation(opened.facts))
            again = f"{counted(many, 'row')} of the job {job} {agreeing(many, 'is', 'are')}"
            click.echo(f"{again} tried again.", err=True)
            return perform(
                client,
                source.rows(),
                opened,
                pace,
                options,
                as_json=as_json,
                quiet=quiet,
                store=store,
                file=source.source.file,
            )
