"""One worker process: takes messages about chunks from the queue, and runs them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Annotated, Any, Final

from taskiq import Context, TaskiqDepends
from taskiq.receiver import Receiver

from perfectpay_async.errors import PerfectPayError
from perfectpay_async.fleet.errors import AccessRefused
from perfectpay_async.fleet.messages import ChunkMessage
from perfectpay_async.fleet.records import Ending
from perfectpay_async.fleet.worker import FleetWorker

from .broker import CHUNKS_AT_ONCE, TASK, FleetBroker
from .failures import FAILURES, failure_of

_PAUSE: Final = 1.0
_PATIENCE: Final = 60.0
_LOG: Final = logging.getLogger("perfectpay_async.fleet")


class _Task:
    """The task that runs a chunk. It never raises: taskiq takes a task that did for done."""

    def __init__(self, broker: FleetBroker, worker: FleetWorker, fail: Callable[[], None]) -> None:
        self._broker = broker
        self._worker = worker
        self._fail = fail

    async def run(self, message: dict[str, Any], task_id: str) -> str:
        ending = Ending.RELEASED
        try:
            report = await self._worker.run_chunk(ChunkMessage.from_json(message))
            ending = report.ending
            if report.reason:
                _LOG.info("chunk %d: %s (%s)", report.message.chunk, ending, report.reason)
            else:
                _LOG.info("chunk %d: %s", report.message.chunk, ending)
        except PerfectPayError as error:
            _LOG.error("a chunk was given back: %s", error.message)
            await self._pause()
        except Exception as error:  # noqa: BLE001 - see above
            _LOG.error("a chunk was given back after a %s", type(error).__name__)
            await self._pause()
        self._broker.note_ending(task_id, ending)
        return ending.value

    async def _pause(self) -> None:
        if self._worker.session.failure is not None:
            self._fail()
        await asyncio.sleep(_PAUSE)  # the message comes back at once


async def serve(broker: FleetBroker, worker: FleetWorker, stopping: asyncio.Event) -> None:
    """Run chunks until `stopping` is set; then give those under way back.

    The worker is drained by whoever sets `stopping`, with the grace that it wants to give.

    Args:
        broker: Where the messages come from; not started yet.
        worker: Runs the chunks; entered already.
        stopping: Ends it.

    Raises:
        AccessRefused: RabbitMQ refuses the login, or what it asks for.
        FleetError: RabbitMQ could not be reached for a minute at the start.
        LedgerError: The ledger cannot be used any more.
    """
    task = _Task(broker, worker, stopping.set)

    @broker.task(task_name=TASK)
    async def chunk(message: dict[str, Any], context: Annotated[Context, TaskiqDepends()]) -> str:
        return await task.run(message, context.message.task_id)

    broker.is_worker_process = True
    try:
        await _start(broker, stopping)
        while not stopping.is_set():
            receiver = Receiver(
                broker, max_async_tasks=CHUNKS_AT_ONCE, max_prefetch=0, run_startup=False
            )
            try:
                await receiver.listen(stopping)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next one may work
                _LOG.warning("the broker's connection failed with %s", type(error).__name__)
                await asyncio.sleep(_PAUSE)
    finally:
        await broker.shutdown()
    if worker.session.failure is not None:
        raise worker.session.failure


async def _start(broker: FleetBroker, stopping: asyncio.Event) -> None:
    end = asyncio.get_running_loop().time() + _PATIENCE
    while not stopping.is_set():
        try:
            return await broker.startup()
        except FAILURES as error:
            failure = failure_of(error)
            if isinstance(failure, AccessRefused) or asyncio.get_running_loop().time() >= end:
                raise failure from None
            _LOG.warning("%s; it is tried again", failure.message)
        await asyncio.sleep(_PAUSE)
    return None
