"""Where a fleet's ledger, queue and API are. Their addresses hold passwords: never arguments."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any, Final

import click

from perfectpay_async.fleet import Ledger, open_ledger

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


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run a command's main function."""
    return asyncio.run(main)
