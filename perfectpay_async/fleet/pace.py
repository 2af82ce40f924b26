"""The pace of a worker: its share of the rate, and nothing at all without a lease."""

from __future__ import annotations

from collections.abc import Awaitable
from types import TracebackType
from typing import Protocol, Self

from perfectpay_async.bulk.pace import Pace
from perfectpay_async.bulk.updates import RunEnded
from perfectpay_async.http.pipeline import Next
from perfectpay_async.messages import Request, Response

from .session import Session


class RatePool(Protocol):
    """One rate for all workers together; an async context manager.

    Attributes:
        share: The part of it that this worker brings in, in requests per second.
    """

    share: float

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    async def grant(self, deadline: float) -> None:
        """Wait until one more request may be sent.

        Args:
            deadline: When to give up, by the event loop's clock.

        Raises:
            DeadlineExceeded: It came first.
        """


class WorkerPace:
    """What every attempt of a worker passes, whatever chunk it is for.

    Args:
        session: The worker's lease.
        concurrency: Most requests under way at once.
        pool: A rate that the workers have in common; without one, each keeps to its share.
    """

    def __init__(self, session: Session, concurrency: int, pool: RatePool | None = None) -> None:
        self._session = session
        self._pool = pool
        self._pace: Pace | None = None
        self._concurrency = concurrency
        session.on_share = self.change_share
        self.change_share(session.share)

    @property
    def gate_open(self) -> bool:
        """Whether more than a probe may be sent."""
        return self._pace is None or self._pace.gate_open

    def change_share(self, share: float | None) -> None:
        """Go on at another rate; at 0 nothing is sent anyway, and None is no control."""
        if self._pool is not None:
            self._pool.share = share or 0.0
        if not share:
            return
        # With a pool, it is the pool that says how many: a share may stand unused elsewhere.
        ceiling = float("inf") if self._pool is not None else share
        if self._pace is None:
            self._pace = Pace(ceiling, self._concurrency)
        else:
            self._pace.change_ceiling(ceiling)

    def has_room(self) -> bool:
        """Return whether a new row would be sent soon."""
        return self._pace is None or self._pace.has_room()

    async def room(self) -> None:
        """Wait until a new row would be sent soon."""
        if self._pace is not None:
            await self._pace.room()

    def __call__(self, request: Request, call_next: Next) -> Awaitable[Response]:
        """Send the request on when it is its turn, and the lease still runs."""
        pool = self._pool

        def leased(request: Request) -> Awaitable[Response]:
            if not self._session.may_send:
                raise RunEnded("the worker's lease ended before the request was sent")
            return call_next(request)

        async def granted(request: Request) -> Response:
            if pool is not None:
                await pool.grant(request.deadline)
            return await leased(request)

        if self._pace is None:
            return leased(request)
        return self._pace(request, leased if pool is None else granted)
