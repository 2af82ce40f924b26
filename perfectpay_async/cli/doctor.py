"""`perfectpay doctor`: whether a call from here would work, and if not, what to do."""

from __future__ import annotations

import asyncio
import json
import os
import platform
from importlib.metadata import version
from typing import Final

import attrs
import click
from yarl import URL

from perfectpay_async._version import __version__
from perfectpay_async.http.address import ENVIRONMENTS
from perfectpay_async.secrets import Secret

from .connect import find_address
from .diagnosis import (
    AUTHENTICATION,
    KEY,
    Check,
    Status,
    check_call,
    check_host,
    check_network,
    check_shape,
    worst,
)
from .exits import ExitCode

SCHEMA: Final = 1
"""Version of the JSON diagnosis. New keys may be added to it; a changed meaning makes a new one."""

_COLORS: Final = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "red"}


@click.command()
@click.option("--environment", type=click.Choice(list(ENVIRONMENTS)), help="What to look at.")
@click.option("--base-url", metavar="URL", help="Any other address to look at.")
@click.option("--json", "as_json", is_flag=True, help="Print the diagnosis as one JSON object.")
def doctor(*, environment: str | None, base_url: str | None, as_json: bool) -> int:
    """Check the key, the host, the network, the clock, and make one harmless call.

    The call lists one customer and changes nothing. The key is read from PERFECTPAY_API_KEY; it is
    never shown.

    Exit codes: 0 calls will work (there may be warnings), 1 something fails, 4 the key is missing,
    of the wrong kind, or refused.
    """
    key = Secret(os.environ["PERFECTPAY_API_KEY"]) if "PERFECTPAY_API_KEY" in os.environ else None
    checks = [_versions()]
    address: URL | None = None
    try:
        address = find_address(environment, base_url)
    except click.UsageError as error:
        checks.append(
            Check("host", Status.FAIL, "it is not known where to send calls", error.message)
        )
    checks.append(check_shape(key, address))
    if address is not None:
        checks += asyncio.run(_look(key, address, key_is_good=checks[-1].status is not Status.FAIL))
    if as_json:
        click.echo(
            json.dumps(
                {
                    "schema": SCHEMA,
                    "status": worst(checks),
                    "checks": [attrs.asdict(check) for check in checks],
                }
            )
        )
    else:
        _print(checks)
    failed = {check.name for check in checks if check.status is Status.FAIL}
    if failed & {KEY, AUTHENTICATION}:
        return ExitCode.CREDENTIALS
    return ExitCode.NOT_ALL_DONE if failed else ExitCode.DONE


async def _look(key: Secret | None, address: URL, *, key_is_good: bool) -> list[Check]:
    checks = [check_host(address), *await check_network(address)]
    if key is not None and key_is_good and worst(checks) is not Status.FAIL:
        checks += await check_call(key, address)
    return checks


def _versions() -> Check:
    said = (
        f"perfectpay-async {__version__}, Python {platform.python_version()}, "
        f"aiohttp {version('aiohttp')}"
    )
    return Check("versions", Status.OK, said)


def _print(checks: list[Check]) -> None:
    for check in checks:
        mark = click.style(f"{check.status:<4}", fg=_COLORS[check.status])
        click.echo(f"{mark}  {check.name:<14}  {check.detail}")
        if check.status is not Status.OK and check.advice:
            click.echo(f"{'':<22}-> {check.advice}")
