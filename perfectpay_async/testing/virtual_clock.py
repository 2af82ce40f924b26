"""A clock for tests: waits of the event loop take no time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

# What asyncio asks for at most, also when nothing is ever due.
_ENDLESS: Final = 24 * 3600.0


class VirtualClock:
    """Makes the running event loop jump to its next timer instead of waiting for it.

    While it is entered, the loop's time runs ahead whenever all tasks wait for nothing but timers:
    backoff, Retry-After, deadlines, attempt timeouts, rate limits and your own `asyncio.sleep` are
    over at once, in their right order, and by the loop's time they took as long as ever. It works
    inside a test of any plugin, and inside `asyncio.run`.

    Its limits:
        - While a socket, pipe or subprocess is open in the loop, time goes by as usual: nobody can
          tell what may still arrive there. Use it with `MockTransport`, not with a server.
        - A thread's work is not seen: a timer that runs beside it (`asyncio.to_thread` under a
          timeout) goes off first.
        - `time.time`, `time.monotonic` and `datetime.now` are those of the machine. A Retry-After
          that is a date is reckoned from there.
        - It needs a loop of asyncio's own that waits in a selector; uvloop has none.

    Attributes:
        skipped: Seconds that were not waited for, so far.

    Raises:
        RuntimeError: When entered: no event loop is running, it is not one of those, or it has a
            virtual clock already.

    Examples:
        >>> async def main():
        ...     with VirtualClock() as clock:
        ...         await asyncio.sleep(3600)
        ...     return clock.elapsed >= 3600
        >>> asyncio.run(main())
        True
    """

    def __init__(self) -> None:
        self.skipped: float = 0.0
        self._loop: Any = None
        self._began = 0.0
        self._ended: float | None = None

    @property
    def elapsed(self) -> float:
        """Seconds of the loop's time since the clock was entered, until it was left."""
        if self._loop is None:
            return 0.0
        return (self._loop.time() if self._ended is None else self._ended) - self._began

    def __enter__(self) -> Self:
        loop: Any = asyncio.get_running_loop()
        if self._loop is not None:
            raise RuntimeError("a VirtualClock is used once; make another one")
        selector = getattr(loop, "_selector", None)
        if not isinstance(selector, selectors.BaseSelector):
            raise RuntimeError(  # noqa: TRY004 - where it is used is wrong, not what it is given
                "VirtualClock needs an event loop of asyncio's own that waits in a selector, "
                f"not a {type(loop).__name__}"
            )
        if isinstance(selector, _JumpingSelector):
            raise RuntimeError("this event loop has a virtual clock already")  # noqa: TRY004
        self._loop = loop
        self._began = loop.time()
        real_time = loop.time
        loop._selector = _JumpingSelector(selector, self._skip)
        loop.time = lambda: real_time() + self.skipped
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # The loop keeps the time it has reached: a clock that went back would stretch what waits.
        self._ended = self._loop.time()
        self._loop._selector = self._loop._selector.real

    def _skip(self, seconds: float) -> None:
        self.skipped += seconds


class _JumpingSelector(selectors.BaseSelector):
    """Reports that the time is up, unless something is ready or may become ready."""

    def __init__(self, real: selectors.BaseSelector, skip: Any) -> None:
        self.real = real
        self._skip = skip

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or not 0 < timeout < _ENDLESS or not self._is_alone():
            return self.real.select(timeout)
        ready = self.real.select(0)
        if not ready:
            self._skip(timeout)
        return ready

    def _is_alone(self) -> bool:
        # The one descriptor is the loop's own, by which other threads and signals wake it.
        return len(self.real.get_map()) <= 1

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self.real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self.real.get_map()

    def close(self) -> None:
        self.real.close()
