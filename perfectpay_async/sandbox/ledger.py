"""The ledger: every request that arrived and every write that was applied.

It is what proofs are made of: "applied exactly once", "never two in flight for one id". A card
number or CVC never enters it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from attrs import define, field, frozen


@define
class LedgerRequest:
    """A request that arrived.

    Attributes:
        number: Counts the requests from 1.
        received: Monotonic seconds when it arrived.
        method: HTTP method.
        operation: Such as `payment_methods.update`; `unknown` for no route.
        payment_method_id: The id in the path, when there is one.
        customer_id: The customer in path or body, when there is one.
        idempotency_key: The `Idempotency-Key` header, which the server ignores.
        in_flight: Requests under way for the same payment method, this one included.
        finished: Monotonic seconds when the answer was given, or the connection dropped.
        status: Status that was sent; None when none was.
        fault: Name of the fault that hit it.
        applied: Whether it changed something.
    """

    number: int
    received: float
    method: str
    operation: str
    payment_method_id: str | None = field(default=None, repr=False)
    customer_id: str | None = field(default=None, repr=False)
    idempotency_key: str | None = field(default=None, repr=False)
    in_flight: int = 1
    finished: float | None = None
    status: int | None = None
    fault: str | None = None
    applied: bool = False


@frozen
class LedgerWrite:
    """A write that was applied.

    Attributes:
        request: Number of the request that did it.
        operation: Such as `payment_methods.update`.
        payment_method_id: What was changed.
        values: What it was set to: month, year, names; never the number or the CVC.
    """

    request: int
    operation: str
    payment_method_id: str
    values: Mapping[str, str]


class Ledger:
    """All that happened, in order.

    Attributes:
        requests: Every request, in order of arrival.
        writes: Every applied write, in order.
        max_in_flight_per_id: Most requests ever under way at once for one payment method.
    """

    def __init__(self) -> None:
        self.requests: list[LedgerRequest] = []
        self.writes: list[LedgerWrite] = []
        self.max_in_flight_per_id = 0
        self._under_way: Counter[str] = Counter()
        self._expiries: dict[str, tuple[str, str]] = {}

    def arrive(self, request: LedgerRequest) -> None:
        """Record a request, and count it as under way for its payment method."""
        self.requests.append(request)
        if request.payment_method_id is not None:
            self._under_way[request.payment_method_id] += 1
            request.in_flight = self._under_way[request.payment_method_id]
            self.max_in_flight_per_id = max(self.max_in_flight_per_id, request.in_flight)

    def finish(self, request: LedgerRequest, status: int | None, now: float) -> None:
        """Record how a request ended: its status, or None when no answer was given."""
        request.finished = now
        request.status = status
        if request.payment_method_id is not None:
            self._under_way[request.payment_method_id] -= 1
            if not self._under_way[request.payment_method_id]:
                del self._under_way[request.payment_method_id]

    def apply(
        self, request: LedgerRequest, payment_method_id: str, values: Mapping[str, str]
    ) -> None:
        """Record a write that a request has done."""
        request.applied = True
        self.writes.append(
            LedgerWrite(request.number, request.operation, payment_method_id, dict(values))
        )
        if "exp_month" in values:
            self._expiries[payment_method_id] = (values["exp_month"], values["exp_year"])
        if request.operation == "payment_methods.delete":
            self._expiries.pop(payment_method_id, None)

    def expiry_of(self, payment_method_id: str) -> tuple[str, str] | None:
        """Return the month and year that were last applied, as they were sent."""
        return self._expiries.get(payment_method_id)

    def writes_of(self, payment_method_id: str) -> list[LedgerWrite]:
        """Return the writes that were applied to one payment method."""
        return [write for write in self.writes if write.payment_method_id == payment_method_id]

    def requests_of(self, operation: str) -> list[LedgerRequest]:
        """Return the requests of one operation."""
        return [request for request in self.requests if request.operation == operation]

    def faults(self) -> dict[str, int]:
        """Return how often each fault hit."""
        return dict(Counter(request.fault for request in self.requests if request.fault))

    def statuses(self) -> dict[int | None, int]:
        """Return how often each status was sent; None stands for no answer at all."""
        return dict(Counter(request.status for request in self.requests if request.finished))
