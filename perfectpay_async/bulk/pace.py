"""Puts the rate control to work: every attempt of a bulk run passes here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from contextlib import suppress
from typing import Final, Protocol

from tenacity import RetryCallState

from perfectpay_async.errors import (
    AttemptTimeout,
    ConnectError,
    ConnectionLostError,
    DeadlineExceeded,
    RateLimited,
)
from perfectpay_async.http.pipeline import Next
from perfectpay_async.messages import Request, Response
from perfectpay_async.outcome import Outcome
from perfectpay_async.resilience.limiter import Gcra
from perfectpay_async.resilience.retry_after import parse_retry_after

from .clock import running_clock
from .controller import Controller, RateFigures, Ticket

BURST: Final = 0.02
"""Seconds' worth of requests that may start at once. Timers wake up late by some milliseconds, and
without this allowance each of them would cost a part of the rate."""

_THROTTLED: Final = 429
_IN_TROUBLE: Final = frozenset({_THROTTLED, 502, 503, 504})
_FAULTS: Final = (ConnectError, ConnectionLostError, AttemptTimeout)
# Slower than this (in seconds, or in median latencies) and an attempt no longer counts for the
# in-flight cap: a few stalled connections would otherwise fill a small cap and stop the run.
_STALLED_SECONDS: Final = 1.0
_STALLED_LATENCIES: Final = 4.0
# So long the rate and the cap are good, unless something is refused or fails. A rate that grows
# does so by less than a hundredth in this time, and to compute it costs as much as a small request.
_FRESH_SECONDS: Final = 0.005
# A new rate counts no later than after this for who waits already.
_LONGEST_SLEEP: Final = 0.1


class Pacing(Protocol):
    """What a run needs of its pace."""

    @property
    def gate_open(self) -> bool:
        """Whether more than a probe may be sent."""
        ...

    def has_room(self) -> bool:
        """Return whether a new row would be sent soon."""
        ...

    async def room(self) -> None:
        """Wait until a new row would be sent soon."""

    def __call__(self, request: Request, call_next: Next) -> Awaitable[Response]:
        """Send the request on when it is its turn."""
        ...


class Pace:
    """A middleware of the attempt level that sends each attempt when the control allows it.

    First come, first served. A place in the schedule is taken after the wait, so a cancelled call
    leaves no gap, and a new rate counts for those who wait already.

    Args:
        ceiling: Most requests per second; may be infinite.
        concurrency: Most requests under way at once.
    """

    def __init__(self, ceiling: float, concurrency: int) -> None:
        self._now = running_clock()
        self._control = Controller(ceiling, concurrency, now=self._now())
        self._schedule = Gcra(self._control.rate(self._now()))
        self._cap = self._control.cap(self._now())
        self._free_until = 0.0  # until then rate and cap are good, and nothing else holds back
        self._trouble = ""
        self._flying: set[Ticket] = set()
        self._queued = 0  # attempts that wait for their turn
        self._at_the_door = 0  # rows that wait to be begun
        self._wait = 0.0  # for so many seconds, whoever is next
        self._blocked = False  # whether it waits for more than the schedule
        self._turn = asyncio.Lock()
        self._door = asyncio.Lock()
        self._changed = asyncio.Event()

    @property
    def figures(self) -> RateFigures:
        """What the control does now."""
        return self._control.figures(self._now(), self._trouble)

    @property
    def gate_open(self) -> bool:
        """Whether more than a probe may be sent."""
        return self._control.gate_open

    @property
    def closed_for(self) -> float:
        """Seconds for which nothing but probes has been sent; 0 while the gate is open."""
        return self._control.closed_for(self._now())

    def change_ceiling(self, ceiling: float) -> None:
        """Change the most requests per second, for those who wait already as well."""
        self._control.ceiling = ceiling
        self._free_until = 0.0
        self._changed.set()

    def has_room(self) -> bool:
        """Return whether a new row would be sent soon, and no other waits for that."""
        return (
            self._free_until > 0
            and len(self._flying) + self._queued < self._cap
            and not self._at_the_door
        )

    async def room(self) -> None:
        """Wait until a new row would be sent soon.

        Rows that wait here have no deadline yet. Those that are begun already come first.
        """
        self._at_the_door += 1
        try:
            async with self._door:
                while (wait := self._room_in()) > 0:
                    await self._change_or(wait)
        finally:
            self._at_the_door -= 1

    async def __call__(self, request: Request, call_next: Next) -> Response:
        """Send the request on when it is its turn, and learn from its answer.

        Raises:
            DeadlineExceeded: The deadline passed first; nothing was sent.
        """
        ticket = None if self._queued else self._sent_now()
        if ticket is None:
            ticket = await self._admitted(request)
        learned = False
        try:
            response = await call_next(request)
            learned = True
            if response.status in _IN_TROUBLE:
                self._learn(ticket, response)
            else:
                self._control.delivered(ticket, self._now())
        except _FAULTS as error:
            self._trouble = error.message
            self._control.faulted(ticket, self._now())
            self._free_until = 0.0
            learned = True
            raise
        else:
            return response
        finally:
            if not learned:  # cancelled, or ended by something that says nothing about the server
                self._control.abandoned(ticket)
            self._flying.discard(ticket)
            if self._queued or self._at_the_door:
                self._changed.set()

    def _learn(self, ticket: Ticket, response: Response) -> None:
        now = self._now()
        self._trouble = f"the server answered {response.status}"
        self._free_until = 0.0
        if response.status == _THROTTLED:
            asked = parse_retry_after(response.headers, time.time())
            self._control.throttled(ticket, now, asked)
        else:
            self._control.faulted(ticket, now)

    async def _admitted(self, request: Request) -> Ticket:
        ticket: Ticket | None = None
        timer = asyncio.timeout_at(request.deadline)
        self._queued += 1
        try:
            with suppress(TimeoutError):
                async with timer, self._turn:
                    while (ticket := self._sent_now()) is None:
                        if self._blocked:
                            await self._change_or(self._wait)
                        else:  # only a new rate makes its turn come sooner, and no answer
                            await asyncio.sleep(min(self._wait, _LONGEST_SLEEP))
        finally:
            self._queued -= 1
            self._changed.set()
        if ticket is None:
            waited = "the run's own rate control held the request back"
            if not self.gate_open:
                waited = f"the run waited for the server to come back ({self._trouble})"
            raise DeadlineExceeded(f"the deadline passed while {waited}", outcome=Outcome.NOT_SENT)
        return ticket

    def _sent_now(self) -> Ticket | None:
        """Return the ticket of an attempt, which is then sent at once; None if it must wait."""
        now = self._now()
        if now < self._free_until and len(self._flying) < self._cap:
            self._blocked = False
            self._wait = self._schedule.start(now)
        else:
            self._wait = self._start(now)
        if self._wait > 0:
            return None
        # From here to the sending nothing is awaited: no cancel can come between.
        ticket = self._control.send(now)
        self._flying.add(ticket)
        return ticket

    def _start(self, now: float) -> float:
        """Record a start if it is allowed now, else return the seconds, as far as is known now."""
        self._refresh(now)
        hold = self._control.hold(now)
        if self._control.gate_open:
            hold = max(hold, self._crowded(now))
        self._blocked = hold > 0
        if hold > 0:
            return hold
        if self._control.gate_open:
            return self._schedule.start(now)
        self._schedule.take(now)  # the gate alone says when a probe is sent
        return 0.0

    def _refresh(self, now: float) -> None:
        """Ask the control for the rate and the cap, unless that was done a moment ago."""
        if now >= self._free_until:
            rate = self._control.rate(now)
            self._schedule.change(now, rate, 1.0 + BURST * rate)
            self._cap = self._control.cap(now)
            is_free = self._control.gate_open and self._control.hold(now) <= 0
            self._free_until = now + _FRESH_SECONDS if is_free else 0.0

    def _room_in(self) -> float:
        now = self._now()
        self._refresh(now)
        hold = self._control.hold(now)
        if not self._control.gate_open:
            # Who is queued already will be the probe.
            return float("inf") if self._queued else hold
        return max(hold, self._crowded(now, self._queued))

    def _crowded(self, now: float, queued: int = 0) -> float:
        """Return the seconds until there is a place below the in-flight cap for sure."""
        if len(self._flying) + queued < self._cap:
            return 0.0
        patience = max(_STALLED_SECONDS, _STALLED_LATENCIES * self._control.latency)
        fresh = [ticket.sent for ticket in self._flying if ticket.sent + patience > now]
        if len(fresh) + queued < self._cap:
            return 0.0
        # Not before an answer comes, or the oldest is found to be stalled.
        return min(fresh) + patience - now if fresh else float("inf")

    async def _change_or(self, seconds: float) -> None:
        """Wait for that long, or until an answer has come."""
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(None if seconds == float("inf") else seconds):
                await self._changed.wait()


class StopAfterAttempts:
    """A stop strategy for the rows of a run that counts no throttle while the gate is closed.

    Where the server turns everything away, a row has no part in it: it is its deadline that ends
    it then, and not the number of probes that it happened to be.

    Args:
        most: Most attempts.
        pace: The pace of the run; None when there is none.
    """

    def __init__(self, most: int, pace: Pacing | None) -> None:
        self._most = most
        self._pace = pace

    def __call__(self, state: RetryCallState) -> bool:
        """Return whether the attempts are used up. Asked once after each failed attempt."""
        failure = state.outcome.exception() if state.outcome else None
        free: int = state.kwargs.get("free", 0)  # this state is of one call alone
        if self._pace is not None and not self._pace.gate_open and isinstance(failure, RateLimited):
            free = state.kwargs["free"] = free + 1
        return state.attempt_number - free >= self._most
