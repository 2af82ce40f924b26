"""The broker: quorum queues of RabbitMQ that lose no message, and say what became of each."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from aio_pika import ExchangeType
from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError
from taskiq import AckableMessage, TaskiqMessage
from taskiq_aio_pika import AioPikaBroker
from taskiq_aio_pika.exchange import Exchange
from taskiq_aio_pika.queue import Queue, QueueType
from yarl import URL

from perfectpay_async.errors import ConfigurationError
from perfectpay_async.fleet.errors import MessageNotUnderstood
from perfectpay_async.fleet.messages import FORM, ChunkMessage
from perfectpay_async.fleet.records import Ending

TASK: Final = "perfectpay.fleet.chunk"
"""Name of the task that runs a chunk."""
CHUNKS_AT_ONCE: Final = 2
"""A worker has so many chunks: the next one begins while the last rows of one are under way."""
DELIVERY_LIMIT: Final = 20
"""So often a message is delivered before it goes to the dead-letter queue. The ledger gives a chunk
up long before; this is for one that ends its worker before the ledger is asked."""
HEARTBEAT: Final = 10
"""Seconds after which the broker begins to doubt a worker; it gives its messages to others after
at most twice as long."""

_LOG: Final = logging.getLogger("perfectpay_async.fleet")


def queue_name(address: URL) -> str:
    """Return the name of the queue for an API.

    Workers for a sandbox never see the messages of production, nor those of another version.
    """
    return f"perfectpay.fleet.{FORM}.{str(address.origin()).partition('://')[2]}"


class FleetBroker(AioPikaBroker):
    """A taskiq broker for chunks.

    What is not a message about a chunk is never run and never lost: it goes to the dead-letter
    queue, whose name ends with `.dead`.

    Args:
        url: Where RabbitMQ is, `amqp://user:password@host/`.
        address: Root of the API that the jobs are for.

    Raises:
        ConfigurationError: `url` is none.
    """

    def __init__(self, url: str, address: URL) -> None:
        try:
            found = URL(url)
        except ValueError:
            found = URL()
        if found.scheme not in {"amqp", "amqps"}:
            raise ConfigurationError("the broker is amqp://user:password@host/")
        self.queue: str = queue_name(address)
        self.dead_queue: str = f"{self.queue}.dead"
        self._endings: dict[str, Ending] = {}
        super().__init__(
            str(found.update_query({"heartbeat": str(HEARTBEAT), "reconnect_interval": "1"})),
            qos=CHUNKS_AT_ONCE,
            exchange=Exchange(name="perfectpay.fleet", type=ExchangeType.DIRECT),
            task_queues=[
                Queue(
                    name=self.queue,
                    type=QueueType.QUORUM,
                    arguments={
                        "x-delivery-limit": DELIVERY_LIMIT,
                        # A dead letter is confirmed by its queue before it leaves this one.
                        "x-dead-letter-strategy": "at-least-once",
                        "x-overflow": "reject-publish",
                    },
                )
            ],
            dead_letter_queue=Queue(name=self.dead_queue, type=QueueType.QUORUM),
        )

    def note_ending(self, task_id: str, ending: Ending) -> None:
        """Say what became of a task, and with it what is to be done with its message."""
        self._endings[task_id] = ending

    async def listen(self) -> AsyncGenerator[AckableMessage, None]:
        """Iterate over the messages about chunks; others go to the dead-letter queue."""
        if self.read_channel is None:
            raise ConfigurationError("the broker was not started")
        await self.read_channel.set_qos(prefetch_count=self._qos)
        ((queue, _),) = await self._declare_queues(self.read_channel)
        async with queue.iterator() as messages:
            async for message in messages:
                try:
                    task = self._understand(message)
                except MessageNotUnderstood as error:
                    _LOG.error("a message goes to %s: %s", self.dead_queue, error.message)
                    await _settle(message.reject(requeue=False))
                    continue
                yield AckableMessage(data=message.body, ack=self._acknowledge(message, task))

    def _understand(self, message: AbstractIncomingMessage) -> str:
        """Return the id of the task in a message about a chunk."""
        found = parse_body(message.body)
        if self.find_task(found.task_name) is None or found.kwargs or len(found.args) != 1:
            raise MessageNotUnderstood("it is for a task that this worker does not know")
        ChunkMessage.from_json(found.args[0])
        return found.task_id

    def _acknowledge(
        self, message: AbstractIncomingMessage, task_id: str
    ) -> Callable[[], Awaitable[None]]:
        async def acknowledge() -> None:
            ending = self._endings.pop(task_id, Ending.RELEASED)
            if ending.requeue:
                await _settle(message.nack(requeue=True))
            elif ending.dead_letter:
                await _settle(message.reject(requeue=False))
            else:
                await _settle(message.ack())

        return acknowledge


def parse_body(body: bytes) -> TaskiqMessage:
    """Return the task that a message holds.

    Raises:
        MessageNotUnderstood: It holds none.
    """
    with suppress(ValueError, RecursionError):
        value: Any = json.loads(body)
        return TaskiqMessage.model_validate(value)
    raise MessageNotUnderstood("it holds no task of taskiq")


async def _settle(settling: Awaitable[None]) -> None:
    # With its channel, the broker has taken the message back, and delivers it again.
    with suppress(AMQPError, ChannelInvalidStateError, RuntimeError, ConnectionError):
        await settling
