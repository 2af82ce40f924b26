"""The clock by which a worker knows how long its lease still runs."""

from __future__ import annotations

import time
from typing import Final

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", None)


def lease_clock() -> float:
    """Return seconds of a clock that goes on while the process is frozen, or the machine asleep."""
    # The monotonic clock, which the event loop goes by, stands still while a machine sleeps.
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)
