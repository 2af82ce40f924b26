"""What a run leaves for the rules to judge: attempts, calls, and the ledger of the sandbox."""

from __future__ import annotations

import itertools
import math
from typing import Any

from attrs import Factory, define

from perfectpay_async import Attempt, CardExpiry, PerfectPayError, RetryBudget
from perfectpay_async.sandbox import Ledger, LedgerRequest, LedgerWrite, Store

from .plan import Ask, Plan
from .watching import Heartbeat, Sent


@define
class Done:
    """How a call ended.

    Attributes:
        ask: The call.
        began: Monotonic seconds.
        ended: As above.
        sent: Its attempts, as the witness saw them.
        result: The entity it returned.
        error: What it raised.
        cancelled: When it was cancelled.
    """

    ask: Ask
    began: float
    ended: float = math.inf
    sent: list[Sent] = Factory(list)
    result: Any = None
    error: BaseException | None = None
    cancelled: float | None = None

    def __str__(self) -> str:
        return f"{self.ask.operation} {self.ask.key}"

    @property
    def ok(self) -> bool:
        return self.result is not None

    @property
    def failure(self) -> PerfectPayError | None:
        return self.error if isinstance(self.error, PerfectPayError) else None

    @property
    def requests(self) -> list[LedgerRequest]:
        """What of it arrived, in order."""
        return [request for sent in self.sent for request in sent.requests]

    @property
    def retries(self) -> list[tuple[Sent, Sent]]:
        """Its retries: the attempt that failed, and the next one."""
        pairs = itertools.pairwise(self.sent)
        return [(before, after) for before, after in pairs if after.number > 1]

    @property
    def reported(self) -> list[tuple[Attempt, Sent | None]]:
        """The failed attempts that the client reports, each with what the witness saw of it."""
        if self.failure is not None:
            attempts, operation = self.failure.attempts, self.failure.operation
        elif (response := getattr(self.result, "response", None)) is not None:
            attempts, operation = response.earlier_attempts, response.request.operation.name
        else:
            return []
        seen = {sent.number: sent for sent in self.sent if sent.operation == operation}
        return [(attempt, seen.get(attempt.number)) for attempt in attempts]


@define
class Evidence:
    """All that a run leaves for the rules to judge.

    Attributes:
        plan: What it was.
        lanes: The calls, lane by lane.
        ledger: The sandbox's ledger.
        store: The sandbox's state.
        elsewhere: Ledger of the host that redirects point at.
        heartbeat: How late the loop was.
        budget: The client's retry budget.
        logs: What was logged, at any level.
        complaints: What asyncio complained about.
        held: Requests under way at once, when more than fit were asked for.
        usable: Whether the client still worked after that.
        before: Tasks, timers and descriptors before the run.
        after: The same, after the client and the sandbox were closed.
    """

    plan: Plan
    lanes: list[list[Done]]
    ledger: Ledger
    store: Store
    elsewhere: Ledger
    heartbeat: Heartbeat
    budget: RetryBudget
    logs: list[str]
    complaints: list[str]
    held: int
    usable: bool
    before: dict[str, int]
    after: dict[str, int] = Factory(dict)

    @property
    def calls(self) -> list[Done]:
        return [done for lane in self.lanes for done in lane]

    def request_of(self, write: LedgerWrite) -> LedgerRequest:
        """Return the request that a write was done by."""
        return self.ledger.requests[write.request - 1]

    def writes_of(self, done: Done) -> list[LedgerWrite]:
        """Return what a call has written."""
        numbers = {request.number for request in done.requests}
        return [write for write in self.ledger.writes if write.request in numbers]

    def is_asked(self, done: Done, write: LedgerWrite) -> bool:
        """Whether a write is exactly what a call asked for."""
        ask = done.ask
        if write.operation != f"payment_methods.{ask.operation}":
            return False
        if ask.expiry is not None and expiry_in(write) != wanted(ask.expiry):
            return False
        if ask.card is None:
            return write.payment_method_id == ask.target
        last4 = ask.card.number.reveal()[-4:]
        return (self.request_of(write).customer_id, write.values["last4"]) == (ask.target, last4)

    def late_writes(self, done: Done) -> list[LedgerWrite]:
        """Return what the server applied after the client had given the attempt up."""
        late = {
            request.number
            for sent in done.sent
            for request in sent.requests
            if _applied_at(request) > sent.ended
        }
        return [write for write in self.writes_of(done) if write.request in late]


def wanted(expiry: CardExpiry) -> tuple[int, int]:
    """Return month and year of the century, to compare."""
    return expiry.month, expiry.year % 100


def expiry_in(write: LedgerWrite) -> tuple[int, int]:
    """Return the same of what was written."""
    return int(write.values["exp_month"]), int(write.values["exp_year"]) % 100


def _applied_at(request: LedgerRequest) -> float:
    # Latency is before the work, everything else after it.
    return (request.finished or math.inf) if request.fault == "latency" else request.received
