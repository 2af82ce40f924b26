"""What a customer may do with the saved payment methods. It knows no web framework."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from perfectpay_async import (
    CardExpiry,
    CustomerPaymentMethod,
    DeadlineExceeded,
    NotFound,
    Outcome,
    PerfectPay,
    RouteNotFound,
)

SECONDS_PER_PAGE: Final = 8.0
"""How long a customer waits for a page at most, all calls for it together."""

_SECONDS_PER_ATTEMPT: Final = 3.0


class CustomerMethods:
    """The saved methods of one customer, while one page is made.

    The secret key may change any method of any customer, so whether this customer may is decided
    here: a change takes a method that was listed for this customer, never an id from a form.

    Args:
        client: The application's client.
        customer_id: Who is signed in; from your session, never from the request.
        seconds: For all calls together.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        client: PerfectPay,
        customer_id: str,
        *,
        seconds: float = SECONDS_PER_PAGE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._customer_id = customer_id
        self._clock = clock
        self._end = clock() + seconds

    async def list(self) -> tuple[CustomerPaymentMethod, ...]:
        """Return the saved methods; none for a customer whom PerfectPay does not know yet.

        Raises:
            PerfectPayError: They could not be read.
        """
        try:
            return (await self._in_time().payment_methods.list(self._customer_id))[:]
        except RouteNotFound:
            raise
        except NotFound:
            return ()

    async def find(self, method_id: str) -> CustomerPaymentMethod | None:
        """Return the customer's method with this id, or None when this customer has none.

        Raises:
            PerfectPayError: The methods could not be read.
        """
        methods = await self.list()
        return next((method for method in methods if method.payment_method_id == method_id), None)

    async def update_expiry(self, method: CustomerPaymentMethod, expiry: CardExpiry) -> None:
        """Give a card a new expiry, written in the year style of the old one.

        The server compares years as text: "31" in the place of "2031" would look like a change.

        Raises:
            InvalidRequestError: The expiry is past.
            PerfectPayError: It failed; `outcome` says what that means.
        """
        old = method.card.expiry if method.card else None
        if old is not None:
            expiry = CardExpiry(expiry.month, expiry.year, old.year_digits)
        methods = self._in_time().payment_methods
        await methods.update(method.payment_method_id, expiry=expiry)

    async def set_default(self, method: CustomerPaymentMethod) -> None:
        """Make a method the default. One that is the default already stays it.

        Raises:
            PerfectPayError: It failed; `outcome` says what that means.
        """
        if not method.default_payment_method_set:
            methods = self._in_time().payment_methods
            await methods.set_default(self._customer_id, method.payment_method_id)

    async def delete(self, method: CustomerPaymentMethod) -> None:
        """Delete a method for good.

        Raises:
            PerfectPayError: It failed; `outcome` says what that means.
        """
        await self._in_time().payment_methods.delete(method.payment_method_id)

    def _in_time(self) -> PerfectPay:
        """Return the client with what is left of the time."""
        left = self._end - self._clock()
        if left <= 0:
            raise DeadlineExceeded("the time for this page is over", outcome=Outcome.NOT_SENT)
        return self._client.with_options(
            deadline=left, attempt_timeout=min(left, _SECONDS_PER_ATTEMPT)
        )
