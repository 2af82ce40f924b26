"""Options that the commands which send requests for a job have in common."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Final

import click
from attrs import frozen
from yarl import URL

from perfectpay_async.bulk import RunOptions, SafetyStops
from perfectpay_async.bulk.counted import counted
from perfectpay_async.bulk.settings import ATTEMPTS, CONCURRENCY, DEADLINE, RATE
from perfectpay_async.cli.confirming import check_terminal, confirm_host
from perfectpay_async.cli.connect import bulk_client, find_address, is_sandbox, key_from_environment
from perfectpay_async.client import PerfectPay
from perfectpay_async.http.address import ENVIRONMENTS, is_loopback

from .plan import not_nan

_STOPS: Final = SafetyStops()
_OFF: Final = "off"


class _Rate(click.ParamType[float]):
    """A ceiling in requests per second, `inf` for none, or `off` for no rate control."""

    name = "rate"

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            rate = math.nan if value == _OFF else float(value)
        except ValueError:
            rate = 0.0
        if value != _OFF and not rate > 0:
            self.fail("it must be a number above 0, or inf, or off", param, ctx)
        return rate


@frozen
class Pace:
    """How fast, and how many at once.

    Attributes:
        concurrency: Cards under way at once.
        rate: Most requests per second; None for no rate control.
    """

    concurrency: int
    rate: float | None


@frozen
class Target:
    """Where a command sends its requests, and how fast.

    Attributes:
        address: Root of the API.
        pace: How fast, and how many at once.

    Raises:
        UsageError: There is to be no rate control, and it is not a server on this machine.
    """

    address: URL
    pace: Pace

    def __attrs_post_init__(self) -> None:
        if self.pace.rate is None and not is_loopback(self.address.host or ""):
            raise click.UsageError("--rate off is for a server on this machine alone")

    @property
    def is_sandbox(self) -> bool:
        """Whether nothing real can be changed there."""
        return is_sandbox(self.address)

    def client(self) -> PerfectPay:
        """Return a client for it, with the key of the environment.

        Raises:
            KeyNotTaken: There is no key, or one that cannot be sent.
        """
        return bulk_client(key_from_environment(), self.address, self.pace.concurrency)


def pace_options(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options about how fast; it gets them as `pace`."""

    @click.option(
        "--concurrency",
        type=click.IntRange(1, 1_000),
        default=CONCURRENCY,
        show_default=True,
        help="Cards under way at once.",
    )
    @click.option(
        "--rate",
        type=_Rate(),
        default=RATE,
        show_default=True,
        help='Most requests per second; the server may grant less. "inf" for no ceiling, "off" for '
        "no rate control, which is for a server on this machine alone.",
    )
    @wraps(command)
    def with_pace(*, concurrency: int, rate: float, **others: object) -> int:
        return command(pace=Pace(concurrency, None if math.isnan(rate) else rate), **others)

    return with_pace


def address_options(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options about where to; it gets the root of the API as `address`."""

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


def limit_options(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options about when to give up.

    It gets those for one card as `attempts` and `deadline`, and those for all of them as `stops`.
    """

    @click.option(
        "--attempts",
        type=click.IntRange(1, 20),
        default=ATTEMPTS,
        show_default=True,
        help="Most attempts for one card.",
    )
    @click.option(
        "--deadline",
        type=click.FloatRange(0, min_open=True),
        callback=not_nan,
        default=DEADLINE,
        show_default=True,
        help="Seconds for one card, with all its attempts and waits.",
    )
    @click.option(
        "--max-failures",
        type=click.FloatRange(0, 1),
        callback=not_nan,
        default=_STOPS.max_failures,
        show_default=True,
        help="Stop when more of the last 1,000 cards than this share failed; 1 for never.",
    )
    @click.option(
        "--max-outage",
        type=click.FloatRange(0, min_open=True),
        callback=not_nan,
        default=_STOPS.max_outage,
        show_default=True,
        help='Stop when the API has been away for so many seconds; "inf" for never.',
    )
    @wraps(command)
    def with_limits(*, max_failures: float, max_outage: float, **others: object) -> int:
        stops = SafetyStops(max_failures=max_failures, max_outage=max_outage)
        return command(stops=stops, **others)

    return with_limits


def run_options(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command that changes cards its options; it gets them as `options`."""

    @limit_options
    @click.option(
        "--max-duration",
        type=click.FloatRange(0, min_open=True),
        callback=not_nan,
        help="Begin no more cards after so many seconds.",
    )
    @click.option("--limit", type=click.IntRange(1), help="Begin so many cards at most.")
    @click.option("--json", "as_json", is_flag=True, help="Print the account as one JSON object.")
    @click.option("--quiet", is_flag=True, help="Show no progress.")
    @click.option(
        "--yes", is_flag=True, help="Do not ask before anything but a sandbox is changed."
    )
    @wraps(command)
    def with_options(
        *,
        attempts: int,
        deadline: float,
        stops: SafetyStops,
        max_duration: float | None,
        limit: int | None,
        **others: object,
    ) -> int:
        options = RunOptions(
            attempts=attempts,
            deadline=deadline,
            max_duration=max_duration,
            max_rows=limit,
            stops=stops,
        )
        return command(options=options, **others)

    return with_options


def check_may_ask(target: Target, *, yes: bool, stdin_is_input: bool) -> bool:
    """Return whether somebody must be asked before cards are changed.

    Raises:
        UsageError: Somebody must be, and nobody can be.
    """
    if yes or target.is_sandbox:
        return False
    advice = f"{target.address.host} is not a sandbox: say --yes to change cards there"
    if stdin_is_input:
        raise click.UsageError(advice)
    check_terminal(advice)
    return True


def confirm(target: Target, cards: int) -> None:
    """Ask before cards are changed anywhere but in a sandbox.

    Raises:
        UsageError: It was not confirmed.
    """
    confirm_host(target.address.host, f"changes {counted(cards, 'card')}")
