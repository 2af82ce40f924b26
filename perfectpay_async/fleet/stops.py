"""When a whole job must stop, whichever workers its rows were sent by. Pure logic."""

from __future__ import annotations

from collections import deque

from perfectpay_async.bulk.report import FAILED, Counts, Verdict
from perfectpay_async.bulk.stops import WINDOW, SafetyStop, SafetyStops, too_many


class JobWatch:
    """Watches how the rows of a job end.

    Args:
        stops: When it must stop.
    """

    def __init__(self, stops: SafetyStops) -> None:
        self._stops = stops
        self._seen: deque[tuple[int, int]] = deque()

    def reason(self, counts: Counts) -> SafetyStop | None:
        """Return why the job must stop now, or None.

        What had ended when this is first called does not count: the job may have been stopped for
        it, and gone on with on purpose.

        Args:
            counts: How many rows have ended how, now.
        """
        failed = sum(counts[verdict] for verdict in FAILED)
        ended = failed + counts[Verdict.OK] + counts[Verdict.SKIPPED]
        seen = self._seen
        if not seen or seen[-1] != (ended, failed):
            seen.append((ended, failed))
        while len(seen) > 1 and ended - seen[1][0] >= WINDOW:
            seen.popleft()
        before, failed_before = seen[0]
        return too_many(failed - failed_before, ended - before, self._stops)
