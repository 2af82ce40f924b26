"""The ledger: every request that arrived and every write that was applied.

It is what proofs are made of: "applied exactly once", "never two in flight for one id". A card
number or CVC never enters it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Final

from attrs import define, field, frozen

_NOTHING: Final[Mapping[str, str]] = {}


@define(eq=False)
class LedgerRequest:
    """A request that arrived.

    Attributes:
        number: Counts the requests from 1.
        received: Monotonic seconds when it arrived.
        method: HTTP method.
        operation: Such as `payment_methods.update`; `unknown` for no route.
        route: Template of the path; empty for no route.
        request_id: The `x-request-id` of its answer.
        payment_method_id: The id in the path, when there is one.
        customer_id: The customer in path or body, when there is one.
        idempotency_key: The `Idempotency-Key` header, which the server ignores.
        in_flight: Requests under way for the same payment method, this one included.
        finished: Monotonic seconds when the answer was given, or the connection dropped.
        status: Status that was answered; None when the connection was dropped or spoiled instead.
        fault: Name of the fault that hit it.
        applied: Whether it was carried out and could write: not for a read or a refusal.
        changed: Of an applied one, whether anything differs from before.
    """

    number: int
    received: float
    method: str
    operation: str
    route: str = ""
    request_id: str = ""
    payment_method_id: str | None = field(default=None, repr=False)
    customer_id: str | None = field(default=None, repr=False)
    idempotency_key: str | None = field(default=None, repr=False)
    in_flight: int = 1
    finished: float | None = None
    status: int | None = None
    fault: str | None = None
    applied: bool = False
    changed: bool = True


@frozen
class LedgerWrite:
    """A write that was applied.

    Attributes:
        request: Number of the request that did it.
        operation: Such as `payment_methods.update`.
        payment_method_id: What was written; empty for a customer.
        customer_id: Whose it is, when path or body said so.
        values: What it holds now: `exp_month` and `exp_year` as they were sent, and for a new card
            `last4`; never the number or the CVC.
        changed: False for an update to what was there already, which the server answers with 200.
    """

    request: int
    operation: str
    payment_method_id: str
    customer_id: str | None
    values: Mapping[str, str]
    changed: bool = True


class Ledger:
    """All that happened, in order.

    Attributes:
        requests: Every request, in order of arrival.
        writes: Every applied write, in order.
        max_in_flight_per_id: Most requests ever under way at once for one payment method. A
            request whose client has gone is no longer under way.
    """

    def __init__(self) -> None:
        self.requests: list[LedgerRequest] = []
        self.writes: list[LedgerWrite] = []
        self.max_in_flight_per_id: int = 0
        self._under_way: Counter[str] = Counter()
        self._writes_of: defaultdict[str, list[LedgerWrite]] = defaultdict(list)
        self._expiries: dict[str, tuple[str, str]] = {}

    def arrive(self, request: LedgerRequest) -> None:
        """Record a request, and count it as under way for its payment method."""
        self.requests.append(request)
        if request.payment_method_id is not None:
            self._under_way[request.payment_method_id] += 1
            request.in_flight = self._under_way[request.payment_method_id]
            self.max_in_flight_per_id = max(self.max_in_flight_per_id, request.in_flight)

    def finish(self, request: LedgerRequest, status: int | None, now: float) -> None:
        """Record how a request ended: its status, or None when it was not answered properly."""
        request.finished = now
        request.status = status
        if request.payment_method_id is not None:
            self._under_way[request.payment_method_id] -= 1
            if not self._under_way[request.payment_method_id]:
                del self._under_way[request.payment_method_id]

    def apply(
        self,
        request: LedgerRequest,
        payment_method_id: str = "",
        values: Mapping[str, str] = _NOTHING,
    ) -> None:
        """Record a write that a request has done.

        Args:
            request: The request.
            payment_method_id: What was written; empty for a customer.
            values: What it holds now; the caller must not change them afterwards.
        """
        request.applied = True
        write = LedgerWrite(
            request.number,
            request.operation,
            payment_method_id,
            request.customer_id,
            values,
            request.changed,
        )
        self.writes.append(write)
        self._writes_of[payment_method_id].append(write)
        if "exp_month" in values:
            self._expiries[payment_method_id] = (values["exp_month"], values["exp_year"])

    def forget(self, *payment_method_ids: str) -> None:
        """Record that payment methods are gone, so that they have no expiry any more."""
        for payment_method_id in payment_method_ids:
            self._expiries.pop(payment_method_id, None)

    def expiry_of(self, payment_method_id: str) -> tuple[str, str] | None:
        """Return the month and year that were last applied, as they were sent."""
        return self._expiries.get(payment_method_id)

    def writes_of(self, payment_method_id: str) -> list[LedgerWrite]:
        """Return the writes that were applied to one payment method."""
        return list(self._writes_of.get(payment_method_id, ()))

    def requests_of(self, operation: str) -> list[LedgerRequest]:
        """Return the requests of one operation."""
        return [request for request in self.requests if request.operation == operation]

    def counts(self) -> dict[str, int]:
        """Return how many requests of each operation arrived."""
        return dict(Counter(request.operation for request in self.requests))

    def faults(self) -> dict[str, int]:
        """Return how often each fault hit."""
        return dict(Counter(request.fault for request in self.requests if request.fault))

    def statuses(self) -> dict[int | None, int]:
        """Return how often each status was answered; None stands for no proper answer."""
        finished = (request for request in self.requests if request.finished is not None)
        return dict(Counter(request.status for request in finished))
