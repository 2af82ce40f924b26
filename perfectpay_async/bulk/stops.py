"""When a run must not go on: too many rows fail, or the API is away for too long. Pure logic."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from attrs import field, frozen

from perfectpay_async.errors import ConfigurationError, PerfectPayError

from .report import FAILED, RowResult, Verdict

WINDOW: Final = 1_000
"""The share of failures is that of so many rows that ended last."""
FEWEST: Final = 200
"""With fewer rows than this, a share says nothing yet."""

_ANSWERED: Final = (Verdict.OK, Verdict.REJECTED, Verdict.SKIPPED)


class SafetyStop(PerfectPayError):  # noqa: N818 - says what happened, as all our errors do
    """The run was ended because going on would have done more harm than good."""


def _check_share(_stops: object, _attribute: Any, value: Any) -> None:
    if value is not None and not (_is_number(value) and 0 <= value <= 1):
        raise ConfigurationError("max_failures must be a share from 0 to 1, or None for no stop")


def _check_seconds(_stops: object, attribute: Any, value: Any) -> None:
    if value is not None and not (_is_number(value) and value > 0):
        raise ConfigurationError(
            f"{attribute.name} must be a number of seconds above 0, or None for no stop"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@frozen(kw_only=True)
class SafetyStops:
    """When a run stops by itself. The rows under way have ten seconds to end.

    Attributes:
        max_failures: Share of rows, from 0 to 1, that may be sent without being applied, among
            the last 1,000 (200 at least). None for no stop.
        max_outage: Seconds for which nothing may have been carried out. None for no stop.

    Raises:
        ConfigurationError: A value breaks its rule.
    """

    max_failures: float | None = field(default=0.05, validator=_check_share)
    max_outage: float | None = field(default=900.0, validator=_check_seconds)


def too_many(failed: int, ended: int, stops: SafetyStops) -> SafetyStop | None:
    """Return why nothing more must be sent when so many of the rows that ended last failed."""
    most = stops.max_failures
    if most is None or ended < FEWEST or failed <= most * ended:
        return None
    return SafetyStop(
        f"{failed:,} of the last {ended:,} rows failed, which is more than {most:.1%}; look at "
        "their messages before you go on"
    )


class SafetyWatch:
    """Watches the results of one run.

    Args:
        stops: When it must stop.
    """

    def __init__(self, stops: SafetyStops) -> None:
        self._stops = stops
        self._sent = 0
        self._failures: deque[int] = deque()  # of the last rows sent: which of them failed
        self._away_since: float | None = None
        self._trouble = ""

    def note(self, result: RowResult, began: float) -> None:
        """Note how a row ended that began at a time in seconds of any clock."""
        if result.verdict is Verdict.INVALID or not result.attempts:
            return  # nothing was sent, as for a row of another shard: it says nothing of the server
        self._sent += 1
        if result.verdict in _ANSWERED:
            self._away_since = None
        elif self._away_since is None:
            self._away_since = began
        if result.verdict in FAILED:
            self._failures.append(self._sent)
            self._trouble = result.message

    def reason(self, now: float, closed_for: float = 0.0, why: str = "") -> SafetyStop | None:
        """Return why the run must stop now, or None.

        Args:
            now: The time.
            closed_for: Seconds for which the rate control has let nothing but probes pass.
            why: What the probes met.
        """
        while self._failures and self._failures[0] <= self._sent - WINDOW:
            self._failures.popleft()
        ended = min(self._sent, WINDOW)
        if (failures := too_many(len(self._failures), ended, self._stops)) is not None:
            return failures
        longest = self._stops.max_outage
        away = max(closed_for, 0.0 if self._away_since is None else now - self._away_since)
        if longest is not None and away > longest:
            met = f" ({why})" if (why := why or self._trouble) else ""
            return SafetyStop(
                f"the server has not carried anything out for {away:,.0f} s{met}; "
                "'perfectpay doctor' looks for the cause, go on when it is back"
            )
        return None
