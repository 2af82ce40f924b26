"""How fast a bulk run may go: finds the rate that the server grants, from its answers alone.

Pure logic: the time comes in as an argument, nothing waits and nothing is sent. `Pace` puts it to
work. The limit is found by meeting it, and then remembered: the rate is held just below it, and
tries for more now and then, along the convex half of the curve of CUBIC (RFC 9438) with requests
per second in the place of a window.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from typing import Final

from attrs import frozen

START: Final = 10.0
"""Requests per second at the start, and after the gate was closed for long."""
FLOOR: Final = 0.5
"""No cut goes below this, in requests per second; what is less is the business of the gate."""
PAUSE: Final = 0.07
"""Seconds without a request after a throttle. A server that counts the last second is full then,
for live traffic too; this makes room in it at once."""
MARGIN: Final = 0.25
"""How far below the limit the rate is held, in square roots of the limit: the number of requests
that others send in a second varies like a square root."""
HOLD: Final = 4.0
"""Seconds at which the rate is held before it tries for more."""
LEAP: Final = 4.0
"""How far above the limit the rate then goes at once, in square roots of the limit. A small step
would fill the last free places slowly, and live calls would be turned away before a request of this
run is, which alone ends it."""
SCALE: Final = 5.0
"""How steeply the rate grows after the leap, in requests per second per cubic second."""

# Met at so many times its known value, the limit has moved up.
_MOVED: Final = 1.25
# What is left of the limit when a second throttle in a row shows that it has fallen.
_FALLEN: Final = 0.5
_FIRST_CLOSURE: Final = 0.25
_CLOSURE_GROWTH: Final = 3.0
_LONGEST_CLOSURE: Final = 5.0
_LONGEST_RETRY_AFTER: Final = 60.0
_JITTER: Final = 1.3
# After so many closures in a row the limit is unknown again.
_FORGETTING: Final = 3
_FAULTS_IN_A_ROW: Final = 5
_FAULT_CUT: Final = 0.7
_FAULT_RECOVERY: Final = 0.01
_LEAST_HEALTH: Final = 0.05
_LATENCIES: Final = 51
_MEDIAN_EVERY: Final = 8


def cubic(elapsed: float, peak: float, *, beta: float = 1.0, scale: float = SCALE) -> float:
    """Return the rate some time after a cut: back at `peak` after a while, and then beyond it.

    Args:
        elapsed: Seconds since the cut.
        peak: Requests per second that were delivered before the cut.
        beta: What the cut left of the peak; with 1 the growth beyond the peak begins at once.
        scale: How steep the curve is, in requests per second per cubic second.
    """
    back_at_peak = math.cbrt((1 - beta) * peak / scale)
    return peak + scale * (elapsed - back_at_peak) ** 3


@frozen
class RateFigures:
    """What the rate control of a run does at one moment.

    Attributes:
        granted: Requests per second that may start.
        in_flight_cap: Requests that may be under way at once.
        cuts: How often the rate was cut because the server throttled.
        gate_open: False while the server refuses or fails everything, and only a probe is sent.
        gate_seconds: Seconds that the gate has been closed in all.
        requests: Requests sent.
        rejected: How many of them were throttled (429).
        trouble: Why the gate is closed; empty while it is open.
    """

    granted: float
    in_flight_cap: int
    cuts: int = 0
    gate_open: bool = True
    gate_seconds: float = 0.0
    requests: int = 0
    rejected: int = 0
    trouble: str = ""

    @property
    def rejected_share(self) -> float:
        """Share of the requests that were throttled, from 0 to 1."""
        return self.rejected / self.requests if self.requests else 0.0


class Ticket:
    """One request under way.

    Attributes:
        sent: When it was sent, in seconds.
    """

    __slots__ = ("sent",)

    sent: float


class Controller:
    """Decides how fast and how many at once, and when not at all.

    All times are seconds of any clock that never goes back. Every request is announced by `send`,
    and its end by one of `delivered`, `throttled`, `faulted` and `abandoned`.

    Args:
        ceiling: Most requests per second; may be infinite.
        concurrency: Most requests under way at once.
        now: The time of the start.
        uniform: Draws from an interval; injected by tests.

    Attributes:
        ceiling: Most requests per second; may be changed at any time.
        cuts: How often the rate was cut.
        requests: Requests sent.
        rejected: How many of them were throttled.
    """

    def __init__(
        self,
        ceiling: float,
        concurrency: int,
        *,
        now: float,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.cuts: int = 0
        self.requests: int = 0
        self.rejected: int = 0
        self.ceiling: float = ceiling
        self._concurrency = concurrency
        self._uniform = uniform
        self._began = now  # the slow start, or the hold
        self._limit: float | None = None  # None in the slow start
        self._met_at = 0.0  # the rate at which the last cut found the limit
        self._news_since = float("-inf")  # failures of what was sent before are known already
        self._paused_until = float("-inf")
        self._refusals = 0  # in a row, each of a request sent after the one before
        self._faults = 0  # in a row
        self._delivered: deque[float] = deque()  # when, in the last second
        self._closed_at: float | None = None  # None while the gate is open
        self._closed_until = 0.0
        self._closures = 0
        self._closed_before = 0.0
        self._probe: Ticket | None = None
        self._health = 1.0
        self._health_cut_at = float("-inf")
        self._latencies: deque[float] = deque(maxlen=_LATENCIES)
        self._latency: float | None = None
        self._median_in = 0  # so many answers

    @property
    def gate_open(self) -> bool:
        """Whether requests may be sent at the rate, and not just one probe now and then."""
        return self._closed_at is None

    @property
    def latency(self) -> float:
        """Median seconds from request to answer of late; 0 before the first answer."""
        return self._latency or 0.0

    def rate(self, now: float) -> float:
        """Return how many requests may start per second."""
        elapsed = max(0.0, now - self._began)
        if self._limit is None:
            wanted = START * math.pow(2.0, min(elapsed, 60.0))
        else:
            wanted = _below(self._limit)
            if elapsed > HOLD:
                wanted = cubic(elapsed - HOLD, self._limit + LEAP * math.sqrt(self._limit))
        # A rate that is not used proves nothing: without this bound it would grow for as long as
        # the input is slow, and then hit the server all at once.
        proven = max(START, self._limit or 0.0, 2.0 * self._delivered_lately(now))
        return min(max(min(wanted, proven), FLOOR), self.ceiling)

    def cap(self, now: float) -> int:
        """Return how many requests may be under way at once.

        It is twice what the rate needs: room for slow answers, and yet a server that stops
        answering does not swallow all the workers at once.
        """
        wanted = float(self._concurrency)
        if self._latency is not None:
            wanted = min(wanted, 2.0 * self.rate(now) * self._latency + 2.0)
        return max(1, int(wanted * self._health))

    def hold(self, now: float) -> float:
        """Return the seconds in which nothing may be sent, at whatever rate.

        When the gate is closed, one request may be sent after them, as a probe; they are infinite
        while it is under way.
        """
        if self._closed_at is None:
            return max(0.0, self._paused_until - now)
        if self._probe is not None:
            return float("inf")
        return max(0.0, self._closed_until - now)

    def send(self, now: float) -> Ticket:
        """Note that a request is sent."""
        self.requests += 1
        ticket = Ticket()
        ticket.sent = now  # without a constructor, at half the cost
        if self._closed_at is not None:
            self._probe = ticket
        return ticket

    def delivered(self, ticket: Ticket, now: float) -> None:
        """Note that a request was let through, whatever the answer was."""
        self._delivered.append(now)
        self._faults = 0
        if ticket.sent > self._news_since:
            self._refusals = 0
        if self._health < 1.0:
            self._health = min(1.0, self._health + _FAULT_RECOVERY)
        self._latencies.append(now - ticket.sent)
        # To sort them after each answer would cost more than all the rest here.
        self._median_in -= 1
        if self._median_in < 0:
            self._median_in = _MEDIAN_EVERY - 1
            self._latency = sorted(self._latencies)[len(self._latencies) // 2]
        if ticket is self._probe:
            self._open(now)

    def throttled(self, ticket: Ticket, now: float, retry_after: float | None = None) -> None:
        """Note that a request was turned away because there are too many.

        Args:
            ticket: The request.
            now: The time.
            retry_after: Seconds that the server asked to wait.
        """
        self.rejected += 1
        if ticket is self._probe:
            self._close(now, retry_after)
        # What was sent before the last cut says nothing about the rate since.
        elif self._closed_at is None and ticket.sent > self._news_since:
            self._refusals += 1
            if self._refusals == 1:
                self._cut(now, retry_after)
            else:
                self._limit = max(FLOOR, min(self._limit or 0.0, _FALLEN * self._met_at))
                self._close(now, retry_after)
            self._news_since = now

    def faulted(self, ticket: Ticket, now: float) -> None:
        """Note that a request met a server that is in trouble, or no server."""
        if ticket.sent > self._health_cut_at:
            self._health_cut_at = now
            self._health = max(_LEAST_HEALTH, self._health * _FAULT_CUT)
        if ticket is self._probe:
            self._close(now, None)
        elif self._closed_at is None and ticket.sent > self._news_since:
            self._faults += 1
            if self._faults == _FAULTS_IN_A_ROW:
                self._news_since = now
                self._close(now, None)

    def abandoned(self, ticket: Ticket) -> None:
        """Note that a request ended without telling anything about the server."""
        if ticket is self._probe:
            self._probe = None

    def closed_for(self, now: float) -> float:
        """Return for how many seconds the gate has been closed; 0 while it is open."""
        return 0.0 if self._closed_at is None else now - self._closed_at

    def figures(self, now: float, trouble: str = "") -> RateFigures:
        """Return what the control does now.

        Args:
            now: The time.
            trouble: What the last request met that was refused or failed.
        """
        return RateFigures(
            granted=self.rate(now),
            in_flight_cap=self.cap(now),
            cuts=self.cuts,
            gate_open=self.gate_open,
            gate_seconds=self._closed_before + self.closed_for(now),
            requests=self.requests,
            rejected=self.rejected,
            trouble="" if self.gate_open else trouble,
        )

    def _delivered_lately(self, now: float) -> int:
        """Return how many were let through in the last second."""
        times = self._delivered
        while times and times[0] <= now - 1.0:
            times.popleft()
        return len(times)

    def _cut(self, now: float, retry_after: float | None) -> None:
        """Learn from meeting the limit, and make room below it."""
        self.cuts += 1
        elapsed = now - self._began
        self._met_at = self.rate(now)
        if elapsed >= 1.0:  # else there was a pause in the last second
            self._met_at = min(self._met_at, float(self._delivered_lately(now)))
        if self._limit is None or self._met_at > _MOVED * self._limit:
            self._limit = self._met_at
        elif elapsed <= HOLD:
            self._limit = max(_below(self._limit), min(self._limit, self._met_at))
        # Else it was met where it is known to be. What was delivered beyond it was had at the cost
        # of others, who were turned away instead.
        self._limit = max(FLOOR, self._limit)
        self._began = self._paused_until = now + self._stretched(max(PAUSE, _asked(retry_after)))

    def _close(self, now: float, retry_after: float | None) -> None:
        """Close the gate, or keep it closed for longer."""
        if self._closed_at is None:
            self._closed_at = now
        asked = _asked(retry_after)
        growth = math.pow(_CLOSURE_GROWTH, min(self._closures, 60))
        own = min(_FIRST_CLOSURE * growth, _LONGEST_CLOSURE)
        # The server's word counts, unless it has proved too short already.
        wait = asked if asked and not self._closures else max(asked, own)
        self._closures += 1
        self._probe = None
        self._closed_until = now + self._stretched(wait)

    def _open(self, now: float) -> None:
        if self._closed_at is not None:
            self._closed_before += now - self._closed_at
        if self._closures >= _FORGETTING:
            self._limit = None  # what it is now is unknown: a new slow start
        self._closed_at = self._probe = None
        self._closures = self._refusals = 0
        self._health = 1.0
        self._began = now

    def _stretched(self, seconds: float) -> float:
        return seconds * self._uniform(1.0, _JITTER)


def _below(limit: float) -> float:
    return limit - min(MARGIN * math.sqrt(limit), limit / 2)


def _asked(retry_after: float | None) -> float:
    return min(retry_after or 0.0, _LONGEST_RETRY_AFTER)
