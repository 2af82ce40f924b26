"""The queue as the coordinator sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Final, Self

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import QueueEmpty
from pamqp.commands import Queue
from yarl import URL

from perfectpay_async.fleet.errors import FleetError, MessageNotUnderstood
from perfectpay_async.fleet.messages import ChunkMessage

from .broker import TASK, FleetBroker, parse_body
from .failures import FAILURES, failure_of

_PATIENCE: Final = 10.0


class RabbitQueue:
    """Sends messages about chunks, and looks after the dead ones; an async context manager.

    Args:
        url: Where RabbitMQ is.
        address: Root of the API that the jobs are for.

    Raises:
        ConfigurationError: `url` is none.
        AccessRefused: On entering: RabbitMQ refuses the login, or what it asks for.
        FleetError: On entering: it cannot be reached.
    """

    def __init__(self, url: str, address: URL) -> None:
        self._broker = FleetBroker(url, address)

        @self._broker.task(task_name=TASK)
        async def chunk(_message: dict[str, Any]) -> None:
            raise RuntimeError(
                "only a worker runs chunks: start one with 'perfectpay fleet worker'"
            )

        self._task = chunk

    async def __aenter__(self) -> Self:
        try:
            async with _reachable():
                await self._broker.startup()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        with suppress(FleetError):  # it has gone already
            async with _reachable():
                await self._broker.shutdown()

    async def send(self, message: ChunkMessage) -> None:
        """Send a message, and return when the broker has it on its disk."""
        async with _reachable():
            await self._task.kiq(message.to_json())

    async def waiting(self) -> int:
        """Return how many messages no worker has been given."""
        return (await self._declared(self._broker.queue)).message_count or 0

    async def workers(self) -> int:
        """Return how many workers listen to the queue."""
        return (await self._declared(self._broker.queue)).consumer_count or 0

    async def dead_letters(self) -> int:
        """Return how many messages are in the dead-letter queue."""
        return (await self._declared(self._broker.dead_queue)).message_count or 0

    async def take_dead_letters(self, job: str) -> list[ChunkMessage]:
        """Take the messages of a job out of the dead-letter queue, and leave all others there."""
        if not await self.dead_letters():
            return []
        found: list[ChunkMessage] = []
        others: list[AbstractIncomingMessage] = []
        async with _reachable(), self._channel() as channel:
            queue = await channel.get_queue(self._broker.dead_queue, ensure=False)
            while (letter := await _next(queue)) is not None:
                message = _understood(letter)
                if message is None or message.job != job:
                    others.append(letter)
                    continue
                await letter.ack()
                found.append(message)
            for letter in others:
                await letter.nack(requeue=True)
        return found

    async def _declared(self, name: str) -> Queue.DeclareOk:
        async with _reachable(), self._channel() as channel:
            return (await channel.declare_queue(name, passive=True)).declaration_result

    @asynccontextmanager
    async def _channel(self) -> AsyncGenerator[AbstractChannel]:
        if self._broker.write_conn is None:
            raise FleetError("the broker is not connected")
        async with self._broker.write_conn.channel() as channel:
            yield channel


async def _next(queue: AbstractQueue) -> AbstractIncomingMessage | None:
    try:
        return await queue.get(timeout=_PATIENCE)
    except QueueEmpty:
        return None


def _understood(letter: AbstractIncomingMessage) -> ChunkMessage | None:
    try:
        return ChunkMessage.from_json(parse_body(letter.body).args[0])
    except (MessageNotUnderstood, IndexError):
        return None


@asynccontextmanager
async def _reachable() -> AsyncGenerator[None]:
    """Turn what the broker's client says into one sentence, and wait for it only so long."""
    try:
        async with asyncio.timeout(_PATIENCE):
            yield
    except FAILURES as error:
        raise failure_of(error) from None
