"""How long to wait before the next attempt: exponential backoff with full jitter."""

from __future__ import annotations

import random
from collections.abc import Callable

from tenacity import RetryCallState
from tenacity.wait import wait_base

from perfectpay_async.errors import RateLimited


class WaitFullJitter(wait_base):
    """Wait a random time between zero and an exponentially growing, capped bound.

    Full jitter spreads the retries of many clients evenly, so that they do not return as a herd
    (AWS Architecture Blog, "Exponential Backoff And Jitter"). A throttled call starts from a
    larger base, because a rate limit needs longer to clear than a lost connection.

    Args:
        base: Bound of the first wait, in seconds.
        throttled_base: The same after a 429, in seconds.
        cap: No bound grows beyond this, in seconds.
        uniform: Draws from an interval; injected by tests.
    """

    def __init__(
        self,
        base: float = 0.1,
        *,
        throttled_base: float = 1.0,
        cap: float = 8.0,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.base = base
        self.throttled_base = throttled_base
        self.cap = cap
        self._uniform = uniform

    def __call__(self, retry_state: RetryCallState) -> float:
        """Return the seconds to wait after the failed attempt in `retry_state`."""
        return self._uniform(0.0, self.bound(retry_state))

    def bound(self, retry_state: RetryCallState) -> float:
        """Return the longest wait that may be drawn, in seconds."""
        failure = retry_state.outcome.exception() if retry_state.outcome else None
        base = self.throttled_base if isinstance(failure, RateLimited) else self.base
        # 2.0 ** 1024 overflows; no cap is reached later than after 64 doublings.
        return min(self.cap, base * 2.0 ** min(retry_state.attempt_number - 1, 64))
