"""What a coordinator needs of a queue, whatever engine is behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from .messages import ChunkMessage


class ChunkQueue(Protocol):
    """Carries messages about chunks to the workers. It may lose or double them.

    Everything raises `FleetError` when the queue cannot be reached at the moment.
    """

    async def send(self, message: ChunkMessage) -> None:
        """Send a message, and return when the queue has it for sure."""

    async def waiting(self) -> int:
        """Return how many messages no worker has been given."""
        ...

    async def take_dead_letters(self, job: str) -> list[ChunkMessage]:
        """Take the messages of a job out of the dead-letter queue, and leave all others there."""
        ...

    async def dead_letters(self) -> int:
        """Return how many messages are in the dead-letter queue."""
        ...


class SendingQueue:
    """A `ChunkQueue` made of a function that sends, for queues that tell nothing of themselves.

    What was sent and not taken for 20 seconds is sent again, which does no harm: only one worker
    has a chunk at a time.

    Args:
        send: Sends a message, and returns when the queue has it for sure.
    """

    def __init__(self, send: Callable[[ChunkMessage], Awaitable[object]]) -> None:
        self._send = send

    async def send(self, message: ChunkMessage) -> None:
        """Send a message."""
        await self._send(message)

    async def waiting(self) -> int:
        """Return 0: whether any is waiting is not known."""
        return 0

    async def take_dead_letters(self, job: str) -> list[ChunkMessage]:  # noqa: ARG002 - as above
        """Return none: the ledger knows those that were given up."""
        return []

    async def dead_letters(self) -> int:
        """Return 0: how many there are is not known."""
        return 0
