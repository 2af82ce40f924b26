"""What a coordinator needs of a queue, whatever engine is behind it."""

from __future__ import annotations

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
