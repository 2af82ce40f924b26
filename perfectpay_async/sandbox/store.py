"""The state: customers and their payment methods, with the semantics of the real vault.

Pure: clock and randomness are injected. A card number is not kept; a salted hash of it tells
whether a customer saves the same card again.
"""

from __future__ import annotations

import hashlib
import random
import string
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from attrs import define, field

from .answers import refused

_ALPHABET: Final = string.ascii_letters + string.digits
_REDACTED: Final = "Redacted"


@define
class Card:
    """A vaulted card. Month and year are kept as they were sent."""

    month: str
    year: str
    last4: str
    bin: str
    fingerprint: str = field(repr=False)
    holder: str | None = field(default=None, repr=False)
    nick: str | None = None
    network: str | None = None


@define
class Method:
    """A saved payment method; `card` is None while it awaits its data."""

    id: str
    customer_id: str
    kind: str
    subtype: str | None
    card: Card | None
    created: datetime
    last_used: datetime
    client_secret: str = field(repr=False)
    metadata: Any = None
    billing: Any = field(default=None, repr=False)


@define
class Customer:
    """A customer and the order in which the methods were saved."""

    id: str
    created: datetime
    details: dict[str, Any] = field(factory=dict[str, Any], repr=False)
    default: str | None = None
    redacted: bool = False
    methods: list[str] = field(factory=list[str], repr=False)


class Store:
    """Customers and payment methods in memory.

    Args:
        rng: Makes ids and tokens.
        now: The time of day, in UTC.
    """

    def __init__(self, rng: random.Random, now: Callable[[], datetime]) -> None:
        self.customers: dict[str, Customer] = {}
        self.methods: dict[str, Method] = {}
        self._rng = rng
        self._now = now
        self._salt = rng.randbytes(16)
        self._by_fingerprint: dict[tuple[str, str], str] = {}

    def token(self, prefix: str) -> str:
        """Return `prefix` and 20 random letters and digits."""
        return prefix + "".join(self._rng.choices(_ALPHABET, k=20))

    def add_customer(self, customer_id: str | None = None, **details: Any) -> Customer:
        """Create a customer.

        Raises:
            Refused: 400 `IR_12` when the id is taken.
        """
        customer_id = customer_id or self.token("cus_")
        if customer_id in self.customers:
            raise refused(400, "IR_12", "Customer with the given customer_id already exists")
        customer = Customer(customer_id, self._now(), details)
        self.customers[customer_id] = customer
        return customer

    def customer(self, customer_id: str) -> Customer:
        """Return a customer, also a redacted one.

        Raises:
            Refused: 404 `HE_02` when there is none.
        """
        if customer_id not in self.customers:
            raise refused(404, "HE_02", "Customer does not exist in our records")
        return self.customers[customer_id]

    def active_customer(self, customer_id: str) -> Customer:
        """Return a customer that can still be used.

        Raises:
            Refused: 404 `HE_02` when there is none, 400 `IR_11` when it was redacted.
        """
        customer = self.customer(customer_id)
        if customer.redacted:
            raise refused(400, "IR_11", "Customer has already been redacted")
        return customer

    def redact_customer(self, customer_id: str) -> Customer:
        """Delete a customer as the API does: the data are replaced, the methods are gone."""
        customer = self.active_customer(customer_id)
        for method_id in list(customer.methods):
            self.delete(method_id)
        for name in ("name", "email", "phone", "description"):
            customer.details[name] = _REDACTED
        customer.redacted = True
        return customer

    def method(self, method_id: str) -> Method:
        """Return a payment method.

        Raises:
            Refused: 404 `HE_02` when there is none.
        """
        if method_id not in self.methods:
            raise refused(404, "HE_02", "Payment method does not exist in our records")
        return self.methods[method_id]

    def save(
        self,
        customer: Customer,
        *,
        kind: str,
        subtype: str | None,
        number: str | None,
        card: Callable[[str], Card],
        metadata: Any = None,
        billing: Any = None,
    ) -> Method:
        """Save a payment method; a card that the customer has already keeps its id.

        Args:
            customer: Whose it is.
            kind: Its `payment_method`.
            subtype: Its `payment_method_type`.
            number: The card number to vault, or None for a row that awaits its data.
            card: Makes the card from the number's fingerprint; called for a vaulted card only.
            metadata: The customer's own data.
            billing: The billing address.
        """
        if number is None:
            method = self._add(customer, kind, subtype, None)
        else:
            fingerprint = hashlib.sha256(self._salt + number.encode()).hexdigest()
            known = self._by_fingerprint.get((customer.id, fingerprint))
            if known is None:
                method = self._add(customer, kind, subtype, card(fingerprint))
                self._by_fingerprint[customer.id, fingerprint] = method.id
            else:
                method = self.methods[known]
                method.card = card(fingerprint)
        method.metadata, method.billing = metadata, billing
        method.last_used = self._now()
        return method

    def _add(self, customer: Customer, kind: str, subtype: str | None, card: Card | None) -> Method:
        now, method_id = self._now(), self.token("pm_")
        secret = self.token(f"{method_id}_secret_")
        method = Method(method_id, customer.id, kind, subtype, card, now, now, secret)
        self.methods[method_id] = method
        customer.methods.append(method_id)
        if customer.default is None and card is not None:
            customer.default = method_id
        return method

    def delete(self, method_id: str) -> Method:
        """Delete a payment method for good; it may be the default.

        Raises:
            Refused: 404 `HE_02` when there is none.
        """
        method = self.method(method_id)
        del self.methods[method_id]
        customer = self.customers[method.customer_id]
        customer.methods.remove(method_id)
        if customer.default == method_id:
            customer.default = None
        if method.card is not None:
            del self._by_fingerprint[customer.id, method.card.fingerprint]
        return method

    def listed(self, customer_id: str, limit: int | None = None) -> list[Method]:
        """Return a customer's usable methods, the last used first."""
        customer = self.active_customer(customer_id)
        methods = [self.methods[method_id] for method_id in reversed(customer.methods)]
        methods.sort(key=lambda method: method.last_used, reverse=True)
        # The limit cuts before the filter, as the real database query does.
        return [method for method in methods[:limit] if method.card is not None]

    def set_default(self, customer_id: str, method_id: str) -> Method:
        """Make a method the customer's default.

        Raises:
            Refused: 404 `HE_02` when it is not the customer's, 400 `IR_16` when it is already.
        """
        customer = self.active_customer(customer_id)
        method = self.method(method_id)
        if method.customer_id != customer_id:
            raise refused(404, "HE_02", "Payment method does not exist in our records")
        if customer.default == method_id:
            raise refused(400, "IR_16", "Payment Method is already set as default")
        customer.default = method_id
        return method


def numbers(count: int) -> Iterable[str]:
    """Return distinct card numbers with a right check digit, of a test BIN."""
    for place in range(count):
        stem = f"400000{place:09d}"
        total = 0
        for position, digit in enumerate(reversed(stem)):
            value = int(digit) * (2 - position % 2)
            total += value - 9 if value > 9 else value  # noqa: PLR2004 - the sum of two digits
        yield stem + str(-total % 10)
