"""A worker's membership in the fleet: its lease, and its share of the rate."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import uuid
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Protocol, Self

from perfectpay_async._version import __version__

from .clock import lease_clock
from .errors import LedgerAway, LedgerError, SessionLost
from .ledger import WorkerLedger
from .records import Standing, WorkerFacts
from .tasks import end_tasks

LEASE: Final = 30.0
"""Seconds after which the chunks of a worker that is not heard of are free for others."""
BEAT: Final = 1.0
"""Seconds between two renewals of the lease."""
MARGIN: Final = 10.0
"""A worker sends nothing in the last seconds of its lease: what it has sent has ended when others
may take its chunks. It is the time that the client gives one attempt."""

_LOG: Final = logging.getLogger("perfectpay_async.fleet")


class Work(Protocol):
    """What a worker does with a chunk, as its session sees it."""

    def lose(self, error: LedgerError) -> None:
        """Send nothing more: others may have the chunk."""

    def stop(self) -> None:
        """Begin no more rows: the job must not go on."""


class Session:
    """A worker's lease, renewed each second; an async context manager.

    When the lease is lost, all work ends at once, and a new one is asked for when it has ended.

    Args:
        ledger: Where it is kept.
        rate: Most requests per second of the whole fleet; None for no rate control.
        lease: Its length in seconds.
        margin: Seconds before its end in which nothing more is sent.
        on_share: Called when the share of the rate has changed.

    Attributes:
        share: Requests per second that this worker may send; None for no rate control.
        failure: Why the ledger cannot be used any more.
    """

    def __init__(
        self,
        ledger: WorkerLedger,
        *,
        rate: float | None,
        lease: float = LEASE,
        margin: float = MARGIN,
        on_share: Callable[[float | None], None] | None = None,
    ) -> None:
        self.share: float | None = 0.0
        self.failure: LedgerError | None = None
        self.on_share: Callable[[float | None], None] | None = on_share
        self._ledger = ledger
        self._rate = rate
        self._lease = lease
        self._margin = margin
        self._id: str | None = None
        self._former: str | None = None
        self._until = float("-inf")
        self._works: dict[tuple[str, int, int], Work] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def may_send(self) -> bool:
        """Whether the lease runs for long enough still to send a request."""
        return lease_clock() < self._until

    async def id(self) -> str:
        """Return the id of the session, once it has a lease and a share.

        Raises:
            LedgerError: The ledger cannot be used any more.
        """
        while self._id is None or not self.may_send or self.share == 0.0:
            if self.failure is not None:
                raise self.failure
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT):
                    await self._changed.wait()
        return self._id

    def begin(self, key: tuple[str, int, int], work: Work) -> None:
        """Watch over the work on a chunk: its job, number and fencing number."""
        self._works[key] = work
        if self._id is None:
            work.lose(SessionLost("the lease was lost"))

    def end(self, key: tuple[str, int, int]) -> None:
        """Watch over it no more: nothing of it is under way."""
        self._works.pop(key, None)
        self._changed.set()

    async def __aenter__(self) -> Self:
        self._ledger.call_when_lost(self._disconnected)
        self._task = asyncio.create_task(self._keep_renewing())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task is not None:
            await end_tasks(self._task)
        self._ledger.call_when_lost(None)
        if self._id is not None:
            with suppress(LedgerError):
                await self._ledger.leave(self._id)

    async def _keep_renewing(self) -> None:
        while self.failure is None:
            try:
                await self._renew()
            except SessionLost as error:
                self._lose(error)
            except LedgerAway as error:
                _LOG.warning("%s", error.message)
                if self._id is not None and not self.may_send:
                    self._lose(error)
            except LedgerError as error:
                self.failure = error
                self._lose(error)
            except Exception as error:  # noqa: BLE001 - nothing may be sent without a lease
                self.failure = LedgerError(f"the ledger failed with {type(error).__name__}")
                self._lose(self.failure)
            await asyncio.sleep(BEAT)

    async def _renew(self) -> None:
        if self._id is None:
            if self._works:
                return  # what was sent under the old lease must have ended first
            mine = WorkerFacts(
                id=uuid.uuid4().hex,
                name=f"{socket.gethostname()}:{os.getpid()}",
                version=__version__,
                rate=self._rate,
            )
            await self._ledger.join(mine, self._lease, instead_of=self._former)
            self._former, self._id = None, mine.id
        asked, current = lease_clock(), self._id
        standing = await self._ledger.renew(current, self._lease)
        if self._id != current:
            return  # it was lost meanwhile
        self._until = asked + self._lease - self._margin
        self._take_note(standing)

    def _take_note(self, standing: Standing) -> None:
        if standing.share != self.share:
            self.share = standing.share
            if self.on_share is not None:
                self.on_share(self.share)
        for key, work in tuple(self._works.items()):
            if key not in standing.held:
                work.lose(SessionLost("another worker has taken the chunk"))
            elif not standing.held[key]:
                work.stop()
        self._changed.set()

    def _disconnected(self) -> None:
        if self._id is not None:
            self._lose(LedgerAway("the connection to the ledger has ended"))

    def _lose(self, error: LedgerError) -> None:
        """Let nothing more be sent."""
        self._until = float("-inf")
        if self._id is not None:
            self._former, self._id = self._id, None
            self.share = 0.0
        for work in tuple(self._works.values()):
            work.lose(error)
        self._changed.set()
