"""`perfectpay sandbox`: a PerfectPay on this machine, to develop and test against."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Literal

import click

from perfectpay_async.bulk.counted import counted
from perfectpay_async.sandbox import Fault, FaultPlan, Sandbox

from .exits import ExitCode
from .signals import call_on_signals

_CUSTOMER: Final = "cus_1"
_SHOWN_IDS: Final = 5


def parse_faults(
    _context: click.Context, _parameter: click.Parameter, text: str
) -> Sequence[Fault]:
    """Return the faults that an option describes, such as `503=0.05,latency=0.2:seconds=0.05`."""
    try:
        return FaultPlan.parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.option("--port", type=click.IntRange(0, 65_535), default=8420, show_default=True)
@click.option("--api-key", default="snd_sandbox", show_default=True, help="The key it accepts.")
@click.option(
    "--rate-limit", type=click.FloatRange(min=1), help="Requests a second; none if unset."
)
@click.option(
    "--faults", callback=parse_faults, default="", help="Such as 503=0.05,reset_after=0.01."
)
@click.option(
    "--dialect",
    type=click.Choice(["perfectpay", "hyperswitch"]),
    default="perfectpay",
    show_default=True,
    help="Form of the request bodies it takes.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Makes runs repeatable.")
@click.option(
    "--cards",
    type=click.IntRange(0, 1_000_000),
    default=10,
    show_default=True,
    help="Cards that are saved already.",
)
def sandbox(
    *,
    port: int,
    api_key: str,
    rate_limit: float | None,
    faults: Sequence[Fault],
    dialect: Literal["perfectpay", "hyperswitch"],
    seed: int,
    cards: int,
) -> int:
    """Run a PerfectPay on this machine until Ctrl-C.

    It keeps its state in memory and injects the faults you ask for. Its key is not a secret.
    """
    server = Sandbox(
        api_key=api_key,
        port=port,
        dialect=dialect,
        rate_limit=rate_limit,
        faults=faults,
        seed=seed,
    )
    asyncio.run(_serve(server, cards))
    return ExitCode.DONE


async def _serve(server: Sandbox, cards: int) -> None:
    try:
        await server.start()
    except OSError as error:
        raise click.UsageError(f"the port cannot be used: {error.strerror}") from error
    ended = asyncio.Event()
    try:
        server.seed_customer(_CUSTOMER)
        ids = server.seed_cards(cards, expiry=this_month())
        with call_on_signals(lambda _number: ended.set()):
            click.echo(_how_to_use(server, ids))
            await ended.wait()
    finally:
        await server.stop()


def this_month() -> tuple[str, str]:
    """Return the expiry of a card that is about to expire: month and year, as text."""
    today = datetime.now(UTC)
    return f"{today.month:02d}", str(today.year)


def _how_to_use(server: Sandbox, ids: Sequence[str]) -> str:
    others = counted(len(ids), "other customer")
    lines = [
        f"PerfectPay sandbox on {server.url} (Ctrl-C ends it)",
        "",
        f"  export PERFECTPAY_BASE_URL={server.url}",
        f"  export PERFECTPAY_API_KEY={server.api_key}",
        "",
        f"There is a customer, {_CUSTOMER}, and {others}, each with a card.",
    ]
    if ids:
        lines += [
            f"Payment methods: {', '.join(ids[:_SHOWN_IDS])}{', ...' if ids[_SHOWN_IDS:] else ''}",
            "",
            f'  curl -H "api-key: {server.api_key}" {server.url}/payment_methods/{ids[0]}',
        ]
    return "\n".join(lines)
