"""How many may be at work at once: a semaphore that costs next to nothing while there is room."""

from __future__ import annotations

import asyncio
from collections import deque


class Slots:
    """Lets so many in at once, and the others in the order in which they came.

    `asyncio.Semaphore` takes a coroutine and two generators even when nobody has to wait.

    Args:
        number: How many may be in at once.

    Attributes:
        free: How many more may come in now; above 0 only while nobody waits.
    """

    __slots__ = ("_queue", "free")

    def __init__(self, number: int) -> None:
        self.free: int = number
        self._queue: deque[asyncio.Future[None]] = deque()

    def take(self) -> bool:
        """Take a slot if there is one, and return whether there was."""
        if self.free:
            self.free -= 1
            return True
        return False

    async def wait(self) -> None:
        """Wait for a slot, and take it."""
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # its turn came in the moment of the cancel
                self.give_back()
            raise

    def give_back(self) -> None:
        """Hand the slot to who has waited longest, or keep it free."""
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.free += 1
