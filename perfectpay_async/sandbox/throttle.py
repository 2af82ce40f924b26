"""The rate limit of the gateway in front of the API."""

from __future__ import annotations

from collections import deque


class Throttle:
    """Counts the requests it let through in the last second."""

    def __init__(self) -> None:
        self._admitted: deque[float] = deque()

    def admits(self, now: float, limit: float | None) -> bool:
        """Whether a request may pass; one that may not does not count.

        Args:
            now: Monotonic seconds.
            limit: Requests per second; None for no limit. It may differ from call to call.
        """
        if limit is None:
            return True
        while self._admitted and self._admitted[0] <= now - 1.0:
            self._admitted.popleft()
        if len(self._admitted) >= limit:
            return False
        self._admitted.append(now)
        return True
