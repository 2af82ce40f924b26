"""`perfectpay bulk run`: give the cards of a CSV file a new expiry."""

from __future__ import annotations

import asyncio
import sys
from typing import Final

import click
from yarl import URL

from perfectpay_async.bulk import BadRow, InputRefused, read_csv
from perfectpay_async.client import PerfectPay
from perfectpay_async.http.address import ENVIRONMENTS

from .account import account_json, print_account, print_problems
from .connect import bulk_client, find_address, is_sandbox, key_from_environment
from .consoles import stderr_console, stdout_console
from .exits import InputNotTaken
from .feed import Feed, PipeFeed
from .updating import Ending, update_cards

_STDIN: Final = "-"


@click.group()
def bulk() -> None:
    """Work on many cards at once."""


@bulk.command("run")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1_000),
    default=64,
    show_default=True,
    help="Cards under way at once.",
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
    file: str,
    concurrency: int,
    attempts: int,
    environment: str | None,
    base_url: str | None,
    as_json: bool,
    quiet: bool,
    yes: bool,
) -> int:
    """Give the cards in FILE a new expiry; "-" reads standard input.

    FILE is a CSV file in UTF-8 whose first line is payment_method_id,exp_month,exp_year. It is
    read to its end once before anything is sent; standard input is sent as it comes.

    The key is read from PERFECTPAY_API_KEY. Without --environment or --base-url, the address is
    read from PERFECTPAY_BASE_URL or PERFECTPAY_ENVIRONMENT.

    Exit codes: 0 all rows done, 1 some not done, 2 wrong usage, 3 input refused and nothing sent,
    4 key missing or refused, 70 internal error, 130 and 143 ended by a signal.
    """
    address = find_address(environment, base_url)
    client = bulk_client(key_from_environment(), address, concurrency)
    total = None if file == _STDIN else _count_rows(file)
    if not (yes or is_sandbox(address)):
        _confirm(address, total)
    ending = asyncio.run(
        _update(client, file, total, concurrency=concurrency, attempts=attempts, quiet=quiet)
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
    file: str,
    total: int | None,
    *,
    concurrency: int,
    attempts: int,
    quiet: bool,
) -> Ending:
    async with client:
        return await update_cards(
            client,
            _stdin_feed() if file == _STDIN else Feed(read_csv(file)),
            total=total,
            concurrency=concurrency,
            attempts=attempts,
            console=None if quiet else stderr_console(),
        )


def _stdin_feed() -> PipeFeed:
    # Not sys.stdin: Python tears it down at exit, while the thread may still be reading.
    stream = open(  # noqa: SIM115 - a descriptor that is not ours to close
        sys.stdin.fileno(), encoding="utf-8", errors="surrogateescape", newline="", closefd=False
    )
    return PipeFeed(read_csv(stream))


def _count_rows(file: str) -> int:
    """Read the whole file once, so that nothing is sent of one that will be refused."""
    bad = total = 0
    try:
        for row in read_csv(file):
            total += 1
            bad += isinstance(row, BadRow)
    except InputRefused as error:
        raise InputNotTaken(error.message) from error
    except OSError as error:
        raise InputNotTaken(f"the file cannot be read: {error.strerror}") from error
    if bad:
        click.echo(f"{bad:,} of {total:,} rows break a rule and will not be sent.", err=True)
    return total


def _confirm(address: URL, total: int | None) -> None:
    if total is None or not sys.stdin.isatty():
        raise click.UsageError(f"{address.host} is not a sandbox: say --yes to change cards there")
    click.echo(f"This changes {total:,} cards at {address.host}, which is not a sandbox.", err=True)
    typed = click.prompt("Type the host's name to go on", default="", show_default=False, err=True)
    if typed.strip() != address.host:
        raise click.UsageError("not confirmed, so nothing was sent")
