"""SIGINT and SIGTERM as calls in the event loop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def call_on_signals(callback: Callable[[int], None]) -> Generator[None]:
    """Call `callback` with the number of each SIGINT and SIGTERM that comes meanwhile."""
    loop = asyncio.get_running_loop()

    # Not `loop.add_signal_handler`, which Windows does not have.
    def handle(number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(callback, number)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
