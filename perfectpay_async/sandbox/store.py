"""The state: customers and their payment methods, with the semantics of the real vault.

Pure: clock and randomness are injected. A card number is not kept; a salted hash of it tells
whether a customer saves the same card again.
"""

from __future__ import annotations

import hashlib
import random
import string
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Final

from attrs import define, evolve, field, frozen

from .answers import Refused, refused
from .card_numbers import Issuer, issuer_of
from .ephemeral import EphemeralKeys
from .validation import CUSTOMER_DETAILS

_ALPHABET: Final = string.ascii_letters + string.digits
_REDACTED: Final = frozenset({"name", "email", "phone", "description"})


@frozen
class Card:
    """A vaulted card. Month and year are kept as they were sent."""

    month: str
    year: str
    last4: str
    bin: str
    fingerprint: str = field(repr=False)
    holder: str | None = field(default=None, repr=False)
    nick: str | None = field(default=None, repr=False)
    issuer: Issuer = field(factory=Issuer)

    def merged(
        self, month: str | None, year: str | None, holder: str | None, nick: str | None
    ) -> Card:
        """Return the card with new values; None keeps what is there, so nothing can be cleared."""
        return evolve(
            self,
            month=self.month if month is None else month,
            year=self.year if year is None else year,
            holder=self.holder if holder is None else holder,
            nick=self.nick if nick is None else nick,
        )


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
    metadata: Any = field(default=None, repr=False)
    billing: Any = field(default=None, repr=False)


@define
class Customer:
    """A customer and the ids of the saved methods, oldest first."""

    id: str
    created: datetime
    details: dict[str, Any] = field(repr=False)
    default: str | None = None
    redacted: bool = False
    methods: list[str] = field(factory=list[str])


class Store:
    """Customers and payment methods in memory.

    Args:
        rng: Makes ids, tokens and the salt.
        now: The time of day, in UTC.

    Attributes:
        customers: All customers by id, redacted ones too.
        methods: All payment methods by id, those that await their data too.
        ephemeral_keys: The keys for customers' browsers.
    """

    def __init__(self, rng: random.Random, now: Callable[[], datetime]) -> None:
        self.customers: dict[str, Customer] = {}
        self.methods: dict[str, Method] = {}
        self._rng = rng
        self._now = now
        self.ephemeral_keys: EphemeralKeys = EphemeralKeys(self.token, now)
        self._salt = rng.randbytes(16)
        self._by_fingerprint: dict[tuple[str, str], str] = {}

    def token(self, prefix: str) -> str:
        """Return `prefix` and 20 random letters and digits."""
        return prefix + "".join(self._rng.choices(_ALPHABET, k=20))

    def vault(
        self,
        number: str,
        month: str,
        year: str,
        *,
        holder: str | None = None,
        nick: str | None = None,
        issuer: Issuer | None = None,
    ) -> Card:
        """Return a card to save, which does not hold its number.

        Args:
            number: Its number, digits only.
            month: Expiry month, as it will be shown.
            year: Expiry year, as it will be shown.
            holder: The name on it.
            nick: What the customer calls it.
            issuer: What the merchant says of the issuer; the server's own table goes before it.
        """
        fingerprint = hashlib.sha256(self._salt + number.encode()).hexdigest()
        known = issuer_of(number) or issuer or Issuer()
        return Card(month, year, number[-4:], number[:6], fingerprint, holder, nick, known)

    def add_customer(
        self, customer_id: str | None = None, details: Mapping[str, Any] | None = None
    ) -> Customer:
        """Create a customer.

        Args:
            customer_id: Its id; None for a random one.
            details: Its name, address and so on; what the API does not know is left out.

        Raises:
            Refused: 400 `IR_12` when the id is taken.
        """
        customer_id = customer_id or self.token("cus_")
        if customer_id in self.customers:
            raise refused(400, "IR_12", "Customer with the given customer_id already exists")
        known = {name: (details or {}).get(name) for name in CUSTOMER_DETAILS}
        customer = Customer(customer_id, self._now(), known)
        self.customers[customer_id] = customer
        return customer

    def customer(self, customer_id: str) -> Customer:
        """Return a customer, also a redacted one.

        Raises:
            Refused: 404 `HE_02` when there is none.
        """
        if customer_id not in self.customers:
            raise no_customer()
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

    def update_customer(self, customer_id: str, details: Mapping[str, Any]) -> Customer:
        """Change a customer: what is not given keeps its value, and so do parts of the address.

        Raises:
            Refused: As `active_customer`.
        """
        customer = self.active_customer(customer_id)
        given = {name: value for name, value in details.items() if value is not None}
        if "address" in given:
            parts = {key: part for key, part in given["address"].items() if part is not None}
            given["address"] = {**(customer.details["address"] or {}), **parts}
        customer.details.update(given)
        return customer

    def listed_customers(self, limit: int, offset: int, only: str | None) -> list[Customer]:
        """Return customers, redacted ones too, in the order of their creation.

        Args:
            limit: At most so many.
            offset: How many to pass over.
            only: The id of the only one to return; None for all.
        """
        if only is not None:
            return [self.customers[only]][offset:][:limit] if only in self.customers else []
        return list(islice(self.customers.values(), offset, offset + limit))

    def redact_customer(self, customer_id: str) -> Customer:
        """Delete a customer as the API does: the data are replaced, the methods are gone.

        Raises:
            Refused: As `active_customer`.
        """
        customer = self.active_customer(customer_id)
        for method_id in list(customer.methods):
            self._remove(self.methods[method_id])
        customer.details = {
            name: "Redacted" if name in _REDACTED else None for name in CUSTOMER_DETAILS
        }
        customer.redacted = True
        return customer

    def method(self, method_id: str) -> Method:
        """Return a payment method.

        Raises:
            Refused: 404 `HE_02` when there is none.
        """
        if method_id not in self.methods:
            raise _no_method()
        return self.methods[method_id]

    def save(
        self,
        customer: Customer,
        kind: str,
        subtype: str | None,
        card: Card | None,
        *,
        metadata: Any = None,
        billing: Any = None,
    ) -> Method:
        """Save a payment method; a card that the customer has already keeps its id and its row.

        Args:
            customer: Whose it is.
            kind: Its `payment_method`.
            subtype: Its `payment_method_type`.
            card: The card, or None for a row that awaits its data.
            metadata: The merchant's own data.
            billing: The billing address.
        """
        known = self._by_fingerprint.get((customer.id, card.fingerprint)) if card else None
        if known is not None:
            method = self.methods[known]
            method.card = card
            method.last_used = self._now()
            return method
        now, method_id = self._now(), self.token("pm_")
        secret = self.token(f"{method_id}_secret_")
        method = Method(
            method_id, customer.id, kind, subtype, card, now, now, secret, metadata, billing
        )
        self.methods[method_id] = method
        customer.methods.append(method_id)
        if card is not None:
            self._by_fingerprint[customer.id, card.fingerprint] = method_id
            customer.default = customer.default or method_id
        return method

    def delete(self, method_id: str) -> Method:
        """Delete a payment method for good; it may be the default.

        Raises:
            Refused: 404 `HE_02` when there is none.
        """
        method = self.method(method_id)
        self._remove(method)
        return method

    def _remove(self, method: Method) -> None:
        del self.methods[method.id]
        customer = self.customers[method.customer_id]
        customer.methods.remove(method.id)
        if customer.default == method.id:
            customer.default = None
        if method.card is not None:
            del self._by_fingerprint[customer.id, method.card.fingerprint]

    def listed(self, customer: Customer, limit: int | None = None) -> list[Method]:
        """Return a customer's usable methods, the last used first.

        Args:
            customer: Whose methods.
            limit: At most so many; None for all.
        """
        methods = [self.methods[method_id] for method_id in reversed(customer.methods)]
        # Both the state and the limit are conditions of one database query.
        methods.sort(key=lambda method: method.last_used, reverse=True)
        return [method for method in methods if method.card is not None][:limit]

    def set_default(self, customer_id: str, method_id: str) -> Method:
        """Make a method the customer's default.

        Raises:
            Refused: 400 `IR_16` when it is another customer's or the default already, 404 `HE_02`
                when there is none, and as `active_customer`.
        """
        customer = self.active_customer(customer_id)
        method = self.method(method_id)
        if method.customer_id != customer_id:
            raise refused(400, "IR_16", "The payment_method_id is not valid")
        if customer.default == method_id:
            raise refused(400, "IR_16", "Payment Method is already set as default")
        customer.default = method_id
        return method


def no_customer() -> Refused:
    """Return the refusal of a customer that does not exist."""
    return refused(404, "HE_02", "Customer does not exist in our records")


def _no_method() -> Refused:
    return refused(404, "HE_02", "Payment method does not exist in our records")
