"""The settings of a bulk run, their defaults and their rules."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final, TypedDict

from attrs import field, frozen

from perfectpay_async.errors import ConfigurationError
from perfectpay_async.options import check_seconds

from .rows import BadRow, Place
from .stops import SafetyStops

RATE: Final = 40.0
"""Default ceiling in requests per second: half of the documented limit of 80, the other half is
left to live traffic."""
ATTEMPTS: Final = 6
"""Default for the most attempts for one row."""
CONCURRENCY: Final = 64
"""Default for the rows under way at once."""
DEADLINE: Final = 60.0
"""Default for the seconds for one row."""


def _check_shard(shard: Shard, _attribute: Any, count: Any) -> None:
    if not 0 <= shard.index < count:
        raise ConfigurationError("a shard must have an index from 0 to one less than the count")


@frozen
class Shard:
    """One of several parts of an input, so that several runners can share it.

    All rows of a card are in the same part. The rows of other parts are `skipped`.

    Attributes:
        index: Which part, from 0.
        count: How many parts there are.

    Raises:
        ConfigurationError: There is no such part.
    """

    index: int
    count: int = field(validator=_check_shard)

    def __contains__(self, place: Place) -> bool:
        row = place.row
        key = str(place.position) if isinstance(row, BadRow) else row.payment_method_id
        digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.index

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


class RunOptions(TypedDict, total=False):
    """What can be set for a bulk run, as keyword arguments; `RunSettings` describes them."""

    concurrency: int
    rate: float | None
    attempts: int
    deadline: float
    only_forward: bool
    max_rows: int | None
    max_duration: float | None
    shard: Shard | None
    stops: SafetyStops | None


def _check_count(_settings: object, attribute: Any, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{attribute.name} must be a whole number from 1")


def _check_optional_count(settings: object, attribute: Any, value: object) -> None:
    if value is not None:
        _check_count(settings, attribute, value)


def _check_time(_settings: object, attribute: Any, value: object) -> None:
    if value is not None:
        check_seconds(attribute.name, value)


def _check_rate(_settings: object, _attribute: Any, rate: object) -> None:
    if rate is None:
        return
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not rate > 0:
        raise ConfigurationError(
            "rate must be a number of requests per second above 0, or None for no rate control"
        )


@frozen(kw_only=True)
class RunSettings:
    """The settings of a bulk run.

    Attributes:
        concurrency: Rows under way at once; no more than the client's `max_connections`, however
            many are asked for.
        rate: Most requests per second, retries included; `math.inf` for no ceiling, where only the
            server's throttling bounds it. None turns the rate control off, for a server of your
            own, such as the sandbox.
        attempts: Most attempts for one row. A throttled one does not count while most are.
        deadline: Seconds for one row, with all its attempts and waits.
        only_forward: Look at each card first, and skip the row when the card has this or a later
            expiry already. It takes twice as many requests.
        max_rows: Begin so many rows at most.
        max_duration: Begin no more rows after so many seconds.
        shard: Run the rows of one part of the input alone, and skip the others.
        stops: When the run stops by itself; None for never.

    Raises:
        ConfigurationError: A value breaks its rule.
    """

    concurrency: int = field(default=CONCURRENCY, validator=_check_count)
    rate: float | None = field(default=RATE, validator=_check_rate)
    attempts: int = field(default=ATTEMPTS, validator=_check_count)
    deadline: float = field(default=DEADLINE, validator=_check_time)
    only_forward: bool = False
    max_rows: int | None = field(default=None, validator=_check_optional_count)
    max_duration: float | None = field(default=None, validator=_check_time)
    shard: Shard | None = None
    stops: SafetyStops | None = field(factory=SafetyStops)
