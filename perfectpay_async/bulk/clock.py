"""The clock of a run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


def running_clock() -> Callable[[], float]:
    """Return the clock of the running event loop, without the loop's method around it.

    A row reads it four times, and asyncio's own method is nothing but a call of `time.monotonic`.
    A loop that tells the time in another way, as in tests, keeps its own.
    """
    now = asyncio.get_running_loop().time
    is_plain = getattr(now, "__func__", None) is asyncio.BaseEventLoop.time
    return time.monotonic if is_plain else now
