"""How the workers of a fleet share one rate. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence


def next_share(rates: Sequence[float | None], others: Sequence[float]) -> float | None:
    """Return the share that a worker may claim now.

    It is an equal part, but never more than the others have left: when a worker comes, its share
    grows only as those of the others shrink, so that the sum is never above the limit.

    Args:
        rates: What each live worker was told is the limit of the fleet, this one's included; where
            they differ, the lowest counts. None for no rate control.
        others: The shares that the other live workers have claimed.
    """
    limits = [rate for rate in rates if rate is not None]
    if not limits:
        return None
    limit = min(limits)
    return max(0.0, min(limit / len(rates), limit - sum(others)))
