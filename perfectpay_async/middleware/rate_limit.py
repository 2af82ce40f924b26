"""Limits how fast and how many at once requests are sent, for all calls of a client together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from perfectpay_async.errors import ConfigurationError, DeadlineExceeded
from perfectpay_async.http.pipeline import Next
from perfectpay_async.messages import Request, Response
from perfectpay_async.outcome import Outcome
from perfectpay_async.resilience.limiter import Gcra


class RateLimit:
    """A limit on attempts, retries included: first come, first served.

    One object may be shared by several clients of an event loop, as an account's limit is. The
    time spent waiting here counts for the deadline of a call, but not as a slow server.

    Args:
        requests_per_second: Attempts that may start per second; None for any number.
        max_in_flight: Attempts under way at once; None for any number.
        burst: How many may start at once after a pause.

    Raises:
        ConfigurationError: A value breaks its rule.

    Examples:
        >>> limit = RateLimit(requests_per_second=40, max_in_flight=16)
    """

    def __init__(
        self,
        requests_per_second: float | None = None,
        *,
        max_in_flight: int | None = None,
        burst: float = 1.0,
    ) -> None:
        if max_in_flight is not None and (type(max_in_flight) is not int or max_in_flight < 1):
            raise ConfigurationError("max_in_flight must be a whole number from 1")
        self._schedule = None if requests_per_second is None else Gcra(requests_per_second, burst)
        self._permits = None if max_in_flight is None else asyncio.Semaphore(max_in_flight)
        self._turn = asyncio.Lock()

    async def __call__(self, request: Request, call_next: Next) -> Response:
        """Send the request on when it is its turn.

        Raises:
            DeadlineExceeded: The deadline passed first; nothing was sent.
        """
        if self._permits is None:
            return await self._send_in_turn(request, call_next)
        await _in_time(request, self._permits.acquire())
        try:
            return await self._send_in_turn(request, call_next)
        finally:
            self._permits.release()

    async def _send_in_turn(self, request: Request, call_next: Next) -> Response:
        if self._schedule is not None:
            await _in_time(request, self._wait_for_turn(self._schedule))
        return await call_next(request)

    async def _wait_for_turn(self, schedule: Gcra) -> None:
        # Whoever is first in the queue sleeps, the others wait behind. A place is taken after the
        # sleep, so a cancelled call leaves none behind, and a new rate counts from the next one on.
        async with self._turn:
            now = asyncio.get_running_loop().time
            while (delay := schedule.delay(now())) > 0:  # noqa: ASYNC110 - time is what it waits for
                await asyncio.sleep(delay)
            schedule.take(now())


async def _in_time(request: Request, wait: Awaitable[object]) -> None:
    timer = asyncio.timeout_at(request.deadline)
    try:
        async with timer:
            await wait
    except TimeoutError:
        pass
    if timer.expired():
        raise DeadlineExceeded(
            "the deadline passed while the client's own rate limit held the request back",
            outcome=Outcome.NOT_SENT,
        )
