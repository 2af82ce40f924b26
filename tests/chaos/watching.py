"""Watching a run: its attempts, the event loop's delay, what is logged, and what is left open."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from attrs import Factory, define

from perfectpay_async import DeadlineExceeded, Next, Outcome, Request, Response
from perfectpay_async.sandbox import Ledger, LedgerRequest

BEAT: Final = 0.01


@define
class Sent:
    """An attempt as the client made it, whatever its errors say later.

    Attributes:
        call: Key of the call.
        place: Counts the attempts of the call from 1; a create that reconciles also lists.
        operation: Such as `payment_methods.list`.
        number: Number of the attempt, as the client counts.
        key: The idempotency key that was about to be sent; empty for none.
        began: Seconds of the monotonic clock, which the ledger uses too.
        ended: As above.
        status: Status of the answer; None for no answer.
        request_id: Its `x-request-id`.
        retry_after: What the answer asked for, in seconds.
        requests: What of it arrived.
        begun: Whether anything was done for it; not when its call's time was over by then.
    """

    call: str
    place: int
    operation: str
    number: int
    key: str
    began: float
    ended: float = math.inf
    status: int | None = None
    request_id: str | None = None
    retry_after: float | None = None
    requests: list[LedgerRequest] = Factory(list)
    begun: bool = True

    @property
    def request(self) -> LedgerRequest | None:
        """What arrived first."""
        return self.requests[0] if self.requests else None


class Witness:
    """An attempt-level middleware that notes each attempt, and signs it.

    The signature takes the place of the idempotency key, the one header that the ledger keeps: so
    a request in the ledger is known to be this attempt of this call, whatever the timing.
    """

    def __init__(self) -> None:
        self.sent: defaultdict[str, list[Sent]] = defaultdict(list)

    async def __call__(self, request: Request, call_next: Next) -> Response:
        now = asyncio.get_running_loop().time
        call, key = request.idempotency_key or "", request.headers.get("Idempotency-Key", "")
        place = len(self.sent[call]) + 1
        sent = Sent(call, place, request.operation.name, request.attempt, key, now())
        self.sent[call].append(sent)
        try:
            response = await call_next(request.with_header("Idempotency-Key", f"{call} {place}"))
        except DeadlineExceeded as error:
            sent.begun = error.connecting or error.outcome is not Outcome.NOT_SENT
            raise
        else:
            sent.status, sent.request_id = response.status, response.request_id
            if "Retry-After" in response.headers:
                sent.retry_after = float(response.headers["Retry-After"])
            return response
        finally:
            sent.ended = now()

    def read(self, ledger: Ledger) -> None:
        """Find the requests of each attempt in the ledger."""
        for request in ledger.requests:
            call, place = (request.idempotency_key or "").split()
            self.sent[call][int(place) - 1].requests.append(request)


class Heartbeat:
    """Notes how late the event loop is, so that a slow machine is not taken for a slow client."""

    def __init__(self) -> None:
        self._late: list[tuple[float, float]] = []

    async def run(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            due = now() + BEAT
            await asyncio.sleep(BEAT)
            self._late.append((due, now()))

    def lag(self, start: float, end: float) -> float:
        """Return for how many seconds between the two the loop did not get to its work."""
        return sum(
            beat - due for due, beat in self._late if due - BEAT <= end and beat + BEAT >= start
        )


def footprint() -> dict[str, int]:
    """Count what a run must give back."""
    loop: Any = asyncio.get_running_loop()
    descriptors = Path("/proc/self/fd")
    scheduled = getattr(loop, "_scheduled", [])
    return {
        "tasks": len(asyncio.all_tasks()),
        "timers": sum(not handle.cancelled() for handle in scheduled),
        "descriptors": len(list(descriptors.iterdir())) if descriptors.is_dir() else 0,
    }


@asynccontextmanager
async def beating() -> AsyncIterator[Heartbeat]:
    """Let a heart beat meanwhile."""
    heartbeat = Heartbeat()
    task = asyncio.create_task(heartbeat.run())
    try:
        yield heartbeat
    finally:
        task.cancel()
        await asyncio.wait({task})


@contextmanager
def listening() -> Iterator[tuple[list[str], list[str]]]:
    """Collect everything that is logged, and what asyncio complains about."""
    loop, root = asyncio.get_running_loop(), logging.getLogger()
    logs: list[str] = []
    complaints: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logs.append(self.format(record))

    def complain(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        complaints.append(str(context.get("message")))

    # Alone on the root logger: pytest would print thousands of lines below a failing test.
    handlers, level, earlier = root.handlers, root.level, loop.get_exception_handler()
    root.handlers = [Collector()]
    root.setLevel(logging.DEBUG)
    loop.set_exception_handler(complain)
    try:
        yield logs, complaints
    finally:
        root.handlers = handlers
        root.setLevel(level)
        loop.set_exception_handler(earlier)
