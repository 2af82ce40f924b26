"""How fast a bulk run may go: finds the rate that the server grants, from its answers alone.

Pure logic: the time comes in as an argument, nothing waits and nothing is sent. `Pace` puts it to
work. The rate follows the congestion control CUBIC (RFC 9438), with requests per second in the
place of a window: steep while far from the last known limit, flat near it, steep again beyond it.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from typing import Final

from attrs import define, frozen

START: Final = 10.0
"""Requests per second at the start, and after the gate was closed."""
FLOOR: Final = 0.5
"""No cut goes below this, in requests per second; what is less is the business of the gate."""
BETA: Final = 0.8
"""What a throttle leaves of the rate."""
SCALE: Final = 0.4
"""How steep the cubic curve is, in requests per second per cubic second."""
SETTLE: Final = 0.3
"""Seconds that a cut has to take effect. A server that counts the last second goes on refusing for
a while after the load has fallen; to cut for each of these would end far below its limit."""

_FIRST_CLOSURE: Final = 0.5
_LONGEST_CLOSURE: Final = 8.0
_LONGEST_RETRY_AFTER: Final = 60.0
_JITTER: Final = 1.3
_FAULT_CUT: Final = 0.7
_FAULT_RECOVERY: Final = 0.01
_LEAST_HEALTH: Final = 0.05
_LATENCIES: Final = 51


def cubic(elapsed: float, peak: float, *, beta: float = BETA, scale: float = SCALE) -> float:
    """Return the rate some time after a cut: back at `peak` after a while, and then beyond it.

    Args:
        elapsed: Seconds since the cut.
        peak: Requests per second that were delivered before the cut.
        beta: What the cut left of the peak.
        scale: How steep the curve is.
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
        gate_open: False while the server refuses most requests, and only a probe is sent.
        gate_seconds: Seconds that the gate has been closed in all.
        requests: Requests sent.
        rejected: How many of them were throttled (429).
    """

    granted: float
    in_flight_cap: int
    cuts: int = 0
    gate_open: bool = True
    gate_seconds: float = 0.0
    requests: int = 0
    rejected: int = 0

    @property
    def rejected_share(self) -> float:
        """Share of the requests that were throttled, from 0 to 1."""
        return self.rejected / self.requests if self.requests else 0.0


@define(eq=False)
class Ticket:
    """One request under way.

    Attributes:
        sent: When it was sent, in seconds.
    """

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
        self._curve_began = now  # of the slow start, or of the cubic curve
        self._peak: float | None = None  # None in the slow start
        self._cut_at = float("-inf")
        self._delivered = _LastSecond()
        self._refused = _LastSecond()
        self._closed_at: float | None = None  # None while the gate is open
        self._closed_until = 0.0
        self._closures = 0
        self._closed_before = 0.0
        self._probe: Ticket | None = None
        self._health = 1.0
        self._health_cut_at = float("-inf")
        self._latencies: deque[float] = deque(maxlen=_LATENCIES)
        self._latency: float | None = None

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
        elapsed = now - self._curve_began
        if self._peak is None:
            wanted = START * math.pow(2.0, min(elapsed, 60.0))
        else:
            wanted = cubic(elapsed, self._peak)
        # A rate that is not used proves nothing: without this bound it would grow for as long as
        # the input is slow, and then hit the server all at once.
        proven = max(START, 2.0 * self._delivered.count(now))
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
        """Return the seconds that the gate stays closed.

        0 means that a request may be sent: any when the gate is open, else one as a probe. It is
        infinite while the probe is under way.
        """
        if self._closed_at is None:
            return 0.0
        if self._probe is not None:
            return float("inf")
        return max(0.0, self._closed_until - now)

    def send(self, now: float) -> Ticket:
        """Note that a request is sent."""
        self.requests += 1
        ticket = Ticket(now)
        if self._closed_at is not None:
            self._probe = ticket
        return ticket

    def delivered(self, ticket: Ticket, now: float) -> None:
        """Note that a request was let through, whatever the answer was."""
        self._delivered.add(now)
        self._health = min(1.0, self._health + _FAULT_RECOVERY)
        self._latencies.append(now - ticket.sent)
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
        self._refused.add(now)
        if ticket is self._probe:
            self._close(now, retry_after)
        elif self._closed_at is None:
            # What was sent before the last cut took effect says nothing about the rate since.
            if ticket.sent > self._cut_at + (SETTLE if self.cuts else 0.0):
                self._cut(now)
            if self._refused.count(now) > self._delivered.count(now):
                self._closed_at = now
                self._close(now, retry_after)

    def faulted(self, ticket: Ticket, now: float) -> None:
        """Note that a request met a server that is in trouble, or no server."""
        if ticket.sent > self._health_cut_at:
            self._health_cut_at = now
            self._health = max(_LEAST_HEALTH, self._health * _FAULT_CUT)
        if ticket is self._probe:
            self._close(now, None)

    def abandoned(self, ticket: Ticket) -> None:
        """Note that a request ended without telling anything about the server."""
        if ticket is self._probe:
            self._probe = None

    def figures(self, now: float) -> RateFigures:
        """Return what the control does now."""
        closed = 0.0 if self._closed_at is None else now - self._closed_at
        return RateFigures(
            granted=self.rate(now),
            in_flight_cap=self.cap(now),
            cuts=self.cuts,
            gate_open=self.gate_open,
            gate_seconds=self._closed_before + closed,
            requests=self.requests,
            rejected=self.rejected,
        )

    def _cut(self, now: float) -> None:
        self.cuts += 1
        self._peak = max(FLOOR, min(self.rate(now), float(self._delivered.count(now))))
        self._cut_at = self._curve_began = now

    def _close(self, now: float, retry_after: float | None) -> None:
        """Close the gate, or keep it closed for longer."""
        asked = min(retry_after or 0.0, _LONGEST_RETRY_AFTER)
        own = min(_FIRST_CLOSURE * math.pow(2.0, min(self._closures, 60)), _LONGEST_CLOSURE)
        # The server's word counts, unless it has proved too short already.
        wait = asked if asked and not self._closures else max(asked, own)
        self._closures += 1
        self._probe = None
        self._closed_until = now + wait * self._uniform(1.0, _JITTER)

    def _open(self, now: float) -> None:
        if self._closed_at is not None:
            self._closed_before += now - self._closed_at
        self._closed_at = self._probe = self._peak = None
        self._closures = 0
        self._curve_began = now  # what the limit is now is unknown: a new slow start
        self._refused.clear()


class _LastSecond:
    """Counts what happened in the last second."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def add(self, now: float) -> None:
        self._times.append(now)

    def clear(self) -> None:
        self._times.clear()

    def count(self, now: float) -> int:
        while self._times and self._times[0] <= now - 1.0:
            self._times.popleft()
        return len(self._times)
