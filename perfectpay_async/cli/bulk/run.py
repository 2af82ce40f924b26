"""`perfectpay bulk run`: give the cards of a file a new expiry."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

import attrs
import click
from yarl import URL

from perfectpay_async.bulk import BulkJob, JobFacts, JobRefused, RunOptions, Shard
from perfectpay_async.bulk.counted import agreeing, counted
from perfectpay_async.bulk.inspection import Inspection
from perfectpay_async.bulk.jobs import JobStore
from perfectpay_async.bulk.sources import format_of
from perfectpay_async.bulk.sources.columns import Columns
from perfectpay_async.cli.exits import ExitCode, InputNotTaken

from .inputs import (
    ALLOW,
    REFUSE,
    STDIN,
    Input,
    Source,
    duplicates_refused,
    input_options,
    open_input,
)
from .jobs import store_option
from .options import (
    Pace,
    Target,
    address_options,
    check_may_ask,
    confirm,
    pace_options,
    run_options,
)
from .perform import parse_shard, perform, source_of
from .plan import SCHEMA


def _shard_option(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> Shard | None:
    return parse_shard(text)


@click.command("run")
@input_options
@pace_options
@address_options
@click.option(
    "--resume", is_flag=True, help="Go on with the job on FILE that has not ended, if there is one."
)
@click.option(
    "--supersede",
    is_flag=True,
    help="Begin anew though a job on FILE has not ended; it cannot be resumed any more.",
)
@click.option(
    "--only-forward",
    is_flag=True,
    help="Look at each card first, and skip it when it has this or a later expiry already.",
)
@click.option(
    "--shard",
    metavar="INDEX/COUNT",
    callback=_shard_option,
    help="Do one part of the cards, such as 0/4, so that several machines can share FILE.",
)
@click.option("--dry-run", is_flag=True, help="Tell what would be sent where, and send nothing.")
@run_options
@store_option
def run(
    *,
    source: Source,
    pace: Pace,
    address: URL,
    store: JobStore,
    options: RunOptions,
    resume: bool,
    supersede: bool,
    only_forward: bool,
    shard: Shard | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    yes: bool,
) -> int:
    """Give the cards in FILE a new expiry; "-" reads standard input.

    FILE is a CSV, JSONL or Parquet file with the columns payment_method_id, exp_month and exp_year,
    or payment_method_id and expiry. It is read to its end once before anything is sent; what comes
    from a pipe is kept in a temporary file for that.

    Every result is kept in a journal, so a run that was stopped or killed can be resumed: say
    --resume, and only what has not ended is sent.

    The key is read from PERFECTPAY_API_KEY. Without --environment, --sandbox or --base-url, the
    address is read from PERFECTPAY_BASE_URL or PERFECTPAY_ENVIRONMENT.

    Exit codes: 0 all rows done, 1 some not done, 2 wrong usage, 3 input refused and nothing sent,
    4 key missing or refused, 5 stopped because too much failed, 6 the job is in use, was begun with
    another input or host, or has not ended, 7 the journal cannot be read or written, 70 internal
    error, 130 and 143 ended by a signal.
    """
    if resume and supersede:
        raise click.UsageError("say --resume to go on with a job, or --supersede, not both")
    target = Target(address, pace)
    client = target.client()
    ask = not dry_run and check_may_ask(target, yes=yes, stdin_is_input=source.file == STDIN)
    with open_input(source) as opened, ExitStack() as stack:
        facts = attrs.evolve(
            opened.facts(),
            host=str(target.address),
            shard=str(shard or ""),
            options=json.dumps(_begun_with(source, only_forward=only_forward)),
        )
        found = (_resumed(store, source, facts) if resume else None) or _inspect(opened, source)
        if isinstance(found, BulkJob):
            stack.enter_context(found)
            cards = found.facts.rows - sum(found.counts.values())
        else:
            cards = found.good
        cards = min(cards, options.get("max_rows") or cards)
        if dry_run:
            return _tell(target, found, cards, facts, as_json=as_json)
        if ask:
            confirm(target, cards)
        if isinstance(found, BulkJob):
            job = found
        else:
            facts = attrs.evolve(facts, rows=found.rows)
            job = store.create(facts, found.fingerprints, supersede=supersede)
            stack.enter_context(job)
        click.echo(f"The job is {job.path.stem}, in {store.directory}", err=True)
        return perform(
            client,
            opened.rows(source_of(job.facts, source.file)),
            job,
            pace,
            options,
            as_json=as_json,
            quiet=quiet,
            store=store,
            file=source.file,
        )


def _inspect(opened: Input, source: Source) -> Inspection:
    """Read the whole input once, so that nothing is sent of one that will be refused."""
    inspection = opened.inspect(look_for_duplicates=source.on_duplicate != ALLOW)
    if refused := duplicates_refused(inspection, source):
        raise InputNotTaken(refused)
    if bad := inspection.rows - inspection.good:
        of = f"{bad:,} of {counted(inspection.rows, 'row')}"
        rule = agreeing(bad, "breaks a rule", "break a rule")
        click.echo(f"{of} {rule} and will not be sent.", err=True)
    return inspection


def _resumed(store: JobStore, source: Source, facts: JobFacts) -> BulkJob | None:
    """Return the job on the input; None when there is none.

    Raises:
        JobRefused: It was begun with something else.
    """
    newest = store.newest(facts)
    if newest is None:
        if other := store.elsewhere(facts):
            raise JobRefused(
                f"the job {other.name} on this input has not ended, and was begun with "
                f"{other.facts.host}; resume it there, or begin anew without --resume"
            )
        click.echo("There is no job on this input yet, so a new one is begun.", err=True)
        return None
    if newest.facts.sha256 != facts.sha256:
        if newest.complete:
            click.echo("The input is not that of an earlier job, so a new one is begun.", err=True)
            return None
        raise JobRefused(
            f"the input has been changed since the job {newest.name} was begun, of which "
            f"{counted(newest.finished, 'row')} ended; bring the old content back, or say "
            "--supersede without --resume to give that job up and begin anew"
        )
    if newest.facts.shard != facts.shard:
        raise JobRefused(
            f"the job {newest.name} was begun with {newest.facts.part}, and not {facts.part}; say "
            "--resume with the --shard that it has, or begin anew without --resume"
        )
    said, begun = json.loads(facts.options), json.loads(newest.facts.options)
    usual = _begun_with(
        Source(source.file, format_of(source.file), Columns(), REFUSE), only_forward=False
    )
    for name, value in said.items():
        if value not in (begun[name], usual[name]):
            raise JobRefused(
                f"the job {newest.name} was begun with another {name.replace('_', ' ')}; leave "
                "that option out to go on with it"
            )
    return store.open(newest.path)


def _begun_with(source: Source, *, only_forward: bool) -> dict[str, Any]:
    """Return what must be the same when a job is resumed."""
    return {
        "format": source.format,
        "columns": dict(source.columns.names),
        "expiry_column": source.columns.expiry,
        "on_duplicate": source.on_duplicate,
        "only_forward": only_forward,
    }


def _tell(
    target: Target, found: BulkJob | Inspection, cards: int, facts: JobFacts, *, as_json: bool
) -> int:
    """Say what would be sent where."""
    name = found.path.stem if isinstance(found, BulkJob) else None
    if as_json:
        said = {
            "schema": SCHEMA,
            "to_send": cards,
            "to": str(target.address),
            "job": name,
            "shard": facts.shard or None,
        }
        click.echo(json.dumps(said))
    else:
        of_job = "" if name is None else f" of the job {name}"
        of_shard = f", those of {facts.part} alone" if facts.shard else ""
        click.echo(f"{counted(cards, 'row')}{of_job} would be sent to {target.address}{of_shard}")
    return ExitCode.DONE
