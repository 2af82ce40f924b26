"""Where a fleet's ledger, queue and API are. Their addresses hold passwords: never arguments."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from importlib.util import find_spec
from typing import Any, Final

import click

from perfectpay_async.cli.connect import find_address
from perfectpay_async.fleet import Ledger, open_ledger
from perfectpay_async.http.address import ENVIRONMENTS

LEDGER: Final = "PERFECTPAY_FLEET_LEDGER"
BROKER: Final = "PERFECTPAY_FLEET_BROKER"
REDIS: Final = "PERFECTPAY_FLEET_REDIS"


def from_environment(name: str) -> str:
    """Return what an environment variable says.

    Raises:
        UsageError: It is not set.
    """
    value = os.environ.get(name)
    if not value:
        raise click.UsageError(f"{name} is not set; 'perfectpay fleet --help' says what it holds")
    return value


@asynccontextmanager
async def opened_ledger() -> AsyncGenerator[Ledger]:
    """Open the ledger of the environment for as long as the context is."""
    ledger = open_ledger(from_environment(LEDGER))
    try:
        await ledger.prepare()
        yield ledger
    finally:
        await ledger.close()


def require_fleet() -> None:
    """Say what to install when the `fleet` extra is missing.

    Raises:
        UsageError: It is missing.
    """
    if find_spec("taskiq_aio_pika") is None:
        raise click.UsageError(
            'a fleet needs taskiq and RabbitMQ; install them with: pip install "perfectpay-async'
            '[fleet]"'
        )


def address_options(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options about where requests go; it gets it as `address`."""

    @click.option("--environment", type=click.Choice(list(ENVIRONMENTS)), help="Where to send it.")
    @click.option(
        "--sandbox",
        "environment",
        flag_value="sandbox",
        help="Short for --environment sandbox.",
    )
    @click.option("--base-url", metavar="URL", help="Any other address to send it to.")
    @wraps(command)
    def with_address(*, environment: str | None, base_url: str | None, **others: object) -> int:
        return command(address=find_address(environment, base_url), **others)

    return with_address


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run a command's main function."""
    return asyncio.run(main)
