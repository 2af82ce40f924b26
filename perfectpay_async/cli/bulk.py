"""`perfectpay bulk run`: give the cards of a file a new expiry."""

from __future__ import annotations

import asyncio
import sys

import click
from yarl import URL

from perfectpay_async.bulk.inspection import Inspection
from perfectpay_async.bulk.runner import RATE
from perfectpay_async.client import PerfectPay
from perfectpay_async.http.address import ENVIRONMENTS

from .account import account_json, print_account, print_problems
from .connect import bulk_client, find_address, is_sandbox, key_from_environment
from .consoles import stderr_console, stdout_console
from .exits import InputNotTaken
from .feed import Feed
from .inputs import (
    ALLOW,
    STDIN,
    Input,
    Source,
    duplicates_refused,
    input_options,
    open_input,
)
from .plan import not_nan, plan
from .updating import Ending, update_cards


@click.group()
def bulk() -> None:
    """Work on many cards at once."""


bulk.add_command(plan)


@bulk.command("run")
@input_options
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1_000),
    default=64,
    show_default=True,
    help="Cards under way at once.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    callback=not_nan,
    default=RATE,
    show_default=True,
    help='Most requests per second; the server may grant less. "inf" for no ceiling.',
)
@click.option(
    "--attempts",
    type=click.IntRange(1, 20),
    default=6,
    show_default=True,
    help="Most attempts for one card.",
)
@click.option("--environment", type=click.Choice(list(ENVIRONMENTS)), help="Where to send it.")
@click.option("--base-url", metavar="URL", help="Any other address to send it to.")
@click.option("--json", "as_json", is_flag=True, help="Print the account as one JSON object.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("--yes", is_flag=True, help="Do not ask before anything but a sandbox is changed.")
def run(
    *,
    source: Source,
    concurrency: int,
    rate: float,
    attempts: int,
    environment: str | None,
    base_url: str | None,
    as_json: bool,
    quiet: bool,
    yes: bool,
) -> int:
    """Give the cards in FILE a new expiry; "-" reads standard input.

    FILE is a CSV, JSONL or Parquet file with the columns payment_method_id, exp_month and exp_year,
    or payment_method_id and expiry. It is read to its end once before anything is sent; what comes
    from a pipe is kept in a temporary file for that.

    The key is read from PERFECTPAY_API_KEY. Without --environment or --base-url, the address is
    read from PERFECTPAY_BASE_URL or PERFECTPAY_ENVIRONMENT.

    Exit codes: 0 all rows done, 1 some not done, 2 wrong usage, 3 input refused and nothing sent,
    4 key missing or refused, 70 internal error, 130 and 143 ended by a signal.
    """
    address = find_address(environment, base_url)
    client = bulk_client(key_from_environment(), address, concurrency)
    ask = not (yes or is_sandbox(address))
    if ask and (source.file == STDIN or not sys.stdin.isatty()):
        raise click.UsageError(f"{address.host} is not a sandbox: say --yes to change cards there")
    with open_input(source) as opened:
        inspection = _inspect(opened, source)
        if ask:
            _confirm(address, inspection.good)
        feed = Feed(opened.again(inspection))
        ending = asyncio.run(
            _update(
                client,
                feed,
                inspection.rows,
                concurrency=concurrency,
                rate=rate,
                attempts=attempts,
                quiet=quiet,
            )
        )
    print_problems(stderr_console(), ending.report)
    if ending.refused is not None:
        click.echo(f"Error: {ending.refused.message}", err=True)
    if as_json:
        click.echo(account_json(ending.report))
    else:
        print_account(stdout_console(), ending.report)
    return ending.exit_code


async def _update(
    client: PerfectPay,
    feed: Feed,
    total: int,
    *,
    concurrency: int,
    rate: float,
    attempts: int,
    quiet: bool,
) -> Ending:
    async with client:
        return await update_cards(
            client,
            feed,
            total=total,
            concurrency=concurrency,
            rate=rate,
            attempts=attempts,
            console=None if quiet else stderr_console(),
        )


def _inspect(opened: Input, source: Source) -> Inspection:
    """Read the whole input once, so that nothing is sent of one that will be refused."""
    inspection = opened.inspect(look_for_duplicates=source.on_duplicate != ALLOW)
    if refused := duplicates_refused(inspection, source):
        raise InputNotTaken(refused)
    if bad := inspection.rows - inspection.good:
        click.echo(
            f"{bad:,} of {inspection.rows:,} rows break a rule and will not be sent.", err=True
        )
    return inspection


def _confirm(address: URL, cards: int) -> None:
    click.echo(f"This changes {cards:,} cards at {address.host}, which is not a sandbox.", err=True)
    typed = click.prompt("Type the host's name to go on", default="", show_default=False, err=True)
    if typed.strip() != address.host:
        raise click.UsageError("not confirmed, so nothing was sent")
