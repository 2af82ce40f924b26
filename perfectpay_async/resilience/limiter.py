"""How many requests per second may start: the generic cell rate algorithm, without waiting.

The algorithm (ITU-T I.371, "GCRA") keeps one number: the time at which the next request would be
on schedule. Nobody is woken up and nothing is counted, so changing the rate takes effect at once.
"""

from __future__ import annotations

from perfectpay_async.errors import ConfigurationError


class Gcra:
    """Spaces starts evenly, with a small allowance for coming early.

    Args:
        rate: Starts per second; may be changed at any time.
        burst: How many starts may come at once after a pause, at least 1.

    Raises:
        ConfigurationError: `rate` is not above 0, or `burst` is below 1.
    """

    __slots__ = ("_burst", "_early", "_interval", "_on_schedule", "_rate")

    def __init__(self, rate: float, burst: float = 1.0) -> None:
        if not burst >= 1:
            raise ConfigurationError("burst must be a number from 1")
        self._burst = burst
        self._on_schedule = float("-inf")
        self.rate = rate

    @property
    def rate(self) -> float:
        """Starts per second."""
        return self._rate

    @rate.setter
    def rate(self, value: float) -> None:
        if not value > 0:
            raise ConfigurationError("requests_per_second must be a number above 0")
        self._rate = value
        self._interval = 1 / value
        self._early = (self._burst - 1) / value  # so long before its time one may start

    def change(self, now: float, rate: float, burst: float) -> None:
        """Change rate and burst, for the wait that has begun already as well.

        Args:
            now: The time in seconds, of the clock that the other methods are given.
            rate: Starts per second.
            burst: How many starts may come at once after a pause, at least 1.
        """
        ahead = max(0.0, self._on_schedule - now)
        old = self._rate
        self._burst = max(1.0, burst)
        self.rate = rate
        if ahead:
            self._on_schedule = now + ahead * old / rate

    def delay(self, now: float) -> float:
        """Return the seconds until the next start is allowed; 0 when it is allowed now.

        Args:
            now: The time in seconds, of any clock that never goes back.
        """
        return max(0.0, self._on_schedule - self._early - now)

    def start(self, now: float) -> float:
        """Record a start if it is allowed now.

        Returns:
            0, or else the seconds until it is allowed, and nothing was recorded.
        """
        due = self._on_schedule
        wait = due - self._early - now
        if wait > 0:
            return wait
        self._on_schedule = (max(now, due)) + self._interval
        return 0.0

    def take(self, now: float) -> None:
        """Record a start that happens now."""
        self._on_schedule = max(self._on_schedule, now) + self._interval
