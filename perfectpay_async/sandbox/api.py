"""The operations: from a call to an answer, and what they write to the ledger. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from attrs import field, frozen
from multidict import MultiMapping

from . import bodies, validation
from .answers import Answer, refused, server_error, success
from .ledger import Ledger, LedgerRequest
from .routes import Route
from .store import Card, Customer, Method, Store, no_customer

Dialect: TypeAlias = Literal["perfectpay", "hyperswitch"]

_PAGE, _LARGEST_PAGE = 10, 2**16 - 1
_COUNTED_PAGE, _LARGEST_COUNTED_PAGE = 20, 100


@frozen
class Call:
    """What an operation needs of a request.

    Attributes:
        entry: The request's entry in the ledger.
        route: Its route.
        ids: The ids in its path, by name.
        headers: Its headers.
        query: Its query parameters.
        content_type: Its Content-Type, without parameters.
        body: The bytes of its body.
    """

    entry: LedgerRequest
    route: Route
    ids: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    query: MultiMapping[str]
    content_type: str
    body: bytes = field(repr=False)

    @property
    def payment_method_id(self) -> str:
        """The payment method in the path; only for routes that have one."""
        return self.ids["payment_method_id"]

    @property
    def customer_id(self) -> str:
        """The customer in the path; only for routes that have one."""
        return self.ids["customer_id"]

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object, or refuse it."""
        return validation.read_object(self.content_type, self.body)


class Api:
    """The API's operations on a store.

    Args:
        store: The state.
        ledger: Where writes are recorded.
        dialect: Which request bodies are understood: "perfectpay" takes the card under
            `payment_method_data`, "hyperswitch" at the top, as stock Hyperswitch v1 does.
        now: The time of day, in UTC.
    """

    def __init__(
        self, store: Store, ledger: Ledger, dialect: Dialect, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._now = now
        self._card_at_top = dialect == "hyperswitch"

    def create(self, call: Call) -> Answer:
        """Carry out `POST /payment_methods`.

        A card in the dialect's own place is vaulted; without one a row awaits its data, as it does
        in stock Hyperswitch, which looks at the top only.
        """
        body = call.json()
        validation.refuse_unknown(
            body, validation.CREATE_KEYS | ({"card"} if self._card_at_top else set[str]())
        )
        data = validation.part(body, "payment_method_data", validation.DATA_KEYS) or {}
        in_data = self._new_card(data)
        found = self._new_card(body) if self._card_at_top else in_data
        kind, subtype = validation.kind_and_type(body)
        metadata = validation.free_object(body, "metadata")
        billing = validation.free_object(body, "billing")
        customer = self._paying_customer(call.entry, body)
        card = found if kind == "card" else None
        if card is not None:
            validation.check_expiry(card.month, card.year, self._now().date())
        method = self._store.save(customer, kind, subtype, card, metadata=metadata, billing=billing)
        values = {} if card is None else {**_expiry(card), "last4": card.last4}
        self._ledger.apply(call.entry, method.id, values)
        return success(bodies.created(method, subtype, metadata, self._now()))

    def retrieve(self, call: Call) -> Answer:
        """Carry out `GET /payment_methods/{payment_method_id}`."""
        method = self._store.method(call.payment_method_id)
        _refuse_awaiting(method)
        return success(bodies.retrieved(method))

    def update(self, call: Call) -> Answer:
        """Carry out `POST /payment_methods/{payment_method_id}/update`.

        A merge: what is absent or null keeps its value. Only month, year, holder and nick name
        count; other known keys are accepted and ignored.
        """
        found = self._card_update(call.json())
        method = self._store.method(call.payment_method_id)
        card = method.card
        if found is None or card is None:
            raise refused(
                400,
                "IR_19",
                "Payment method update is not supported",
                reason="the request names no card, or the payment method has none yet",
            )
        month = validation.text(found, "card_exp_month")
        year = validation.text(found, "card_exp_year")
        wanted = card.merged(
            month,
            year,
            validation.text(found, "card_holder_name"),
            validation.text(found, "nick_name"),
        )
        if month is not None or year is not None:
            validation.check_expiry(wanted.month, wanted.year, self._now().date())
        method.card = wanted
        call.entry.changed = wanted != card
        self._ledger.apply(call.entry, method.id, _expiry(wanted))
        return success(bodies.updated(method, self._now(), changed=call.entry.changed))

    def delete(self, call: Call) -> Answer:
        """Carry out `DELETE /payment_methods/{payment_method_id}`."""
        _refuse_awaiting(self._store.method(call.payment_method_id))
        method = self._store.delete(call.payment_method_id)
        self._ledger.apply(call.entry, method.id)
        self._ledger.forget(method.id)
        return success({"payment_method_id": method.id, "deleted": True})

    def list(self, call: Call) -> Answer:
        """Carry out `GET /customers/{customer_id}/payment_methods`, with fresh tokens."""
        return self._list_methods(call, call.customer_id)

    def list_own(self, call: Call) -> Answer:
        """Carry out `GET /customers/payment_methods` for the customer of an ephemeral key."""
        key = self._store.ephemeral_keys.find(call.headers["api-key"])
        call.entry.customer_id = None if key is None else key.customer_id
        return self._list_methods(call, call.entry.customer_id or "")

    def _list_methods(self, call: Call, customer_id: str) -> Answer:
        limit = validation.query_number(call.query, "limit")
        customer = self._store.active_customer(customer_id)
        items = [
            bodies.item(method, customer, self._store.token("token_"))
            for method in self._store.listed(customer, limit)
        ]
        return success({"customer_payment_methods": items, "is_guest_customer": None})

    def set_default(self, call: Call) -> Answer:
        """Carry out `POST /customers/{customer_id}/payment_methods/{id}/default`."""
        method = self._store.set_default(call.customer_id, call.payment_method_id)
        self._ledger.apply(call.entry, method.id, {"default": "true"})
        return success(
            {
                "default_payment_method_id": method.id,
                "customer_id": method.customer_id,
                "payment_method": method.kind,
                "payment_method_type": method.subtype,
            }
        )

    def create_customer(self, call: Call) -> Answer:
        """Carry out `POST /customers`; unknown keys are ignored here."""
        body = call.json()
        details = validation.customer_details(body)
        customer = self._store.add_customer(validation.customer_id(body), details)
        call.entry.customer_id = customer.id
        self._ledger.apply(call.entry)
        return success(bodies.customer(customer))

    def retrieve_customer(self, call: Call) -> Answer:
        """Carry out `GET /customers/{customer_id}`."""
        return success(bodies.customer(self._store.customer(call.customer_id)))

    def update_customer(self, call: Call) -> Answer:
        """Carry out `POST /customers/{customer_id}`, a merge."""
        details = validation.customer_details(call.json())
        customer = self._store.update_customer(call.customer_id, details)
        self._ledger.apply(call.entry)
        return success(bodies.customer(customer))

    def list_customers(self, call: Call) -> Answer:
        """Carry out `GET /customers/list`: a bare array."""
        limit = validation.query_number(call.query, "limit", _LARGEST_PAGE)
        return success(self._customers(call, _PAGE if limit is None else limit))

    def list_customers_with_count(self, call: Call) -> Answer:
        """Carry out `GET /customers/list_with_count`."""
        limit = validation.query_number(call.query, "limit")
        limit = _COUNTED_PAGE if limit is None else limit
        if not 1 <= limit <= _LARGEST_COUNTED_PAGE:
            raise refused(422, "IR_06", "limit must be 1 to 100")
        page = self._customers(call, limit)
        return success({"data": page, "total_count": len(self._store.customers)})

    def _customers(self, call: Call, limit: int) -> Sequence[dict[str, Any]]:
        offset = validation.query_number(call.query, "offset", 2**32 - 1) or 0
        only = call.query.get("customer_id")
        page = self._store.listed_customers(limit, offset, only)
        return tuple(map(bodies.customer_item, page))

    def create_ephemeral_key(self, call: Call) -> Answer:
        """Carry out `POST /ephemeral_keys`."""
        customer_id = validation.required_customer_id(call.json())
        call.entry.customer_id = customer_id
        key = self._store.ephemeral_keys.create(customer_id)
        self._ledger.apply(call.entry)
        return success(bodies.ephemeral_key(key))

    def delete_ephemeral_key(self, call: Call) -> Answer:
        """Carry out `DELETE /ephemeral_keys/{key_id}`."""
        key = self._store.ephemeral_keys.delete(call.ids["key_id"])
        self._ledger.apply(call.entry)
        return success(bodies.ephemeral_key(key))

    def delete_customer(self, call: Call) -> Answer:
        """Carry out `DELETE /customers/{customer_id}`, which redacts."""
        customer = self._store.active_customer(call.customer_id)
        gone = list(customer.methods)
        self._store.redact_customer(customer.id)
        self._ledger.apply(call.entry)
        for method_id in gone:
            self._ledger.apply(call.entry, method_id)
        self._ledger.forget(*gone)
        return success(bodies.redacted(customer.id))

    def _new_card(self, place: dict[str, Any]) -> Card | None:
        found = validation.part(place, "card", validation.CARD_KEYS)
        if found is None:
            return None
        number = validation.card_number(found)
        validation.text(found, "card_cvc")
        return self._store.vault(
            number,
            validation.required_text(found, "card_exp_month"),
            validation.required_text(found, "card_exp_year"),
            holder=validation.text(found, "card_holder_name"),
            nick=validation.text(found, "nick_name"),
            issuer=validation.issuer(found),
        )

    def _paying_customer(self, entry: LedgerRequest, body: dict[str, Any]) -> Customer:
        customer_id = validation.customer_id(body)
        if customer_id is None:
            raise refused(400, "IR_04", "Missing required param: customer_id")
        entry.customer_id = customer_id
        customer = self._store.customer(customer_id)
        if customer.redacted:
            # Here a deleted customer is one that never was; elsewhere it is one that is redacted.
            raise no_customer()
        return customer

    def _card_update(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """Return the dialect's card object of an update, its types and keys checked."""
        if self._card_at_top:
            validation.refuse_unknown(body, frozenset({"card", "wallet", "client_secret"}))
            place = body
        else:
            validation.refuse_unknown(body, frozenset({"payment_method_data"}))
            place = validation.part(body, "payment_method_data", validation.DATA_KEYS) or {}
        found = validation.part(place, "card", validation.CARD_UPDATE_KEYS)
        for key in found or {}:
            validation.text(found or {}, key)
        validation.network(found or {})
        if validation.text(body, "client_secret") is not None:
            raise refused(422, "IR_06", "client_secret is not expected with a secret key")
        return found


def _expiry(card: Card) -> dict[str, str]:
    return {"exp_month": card.month, "exp_year": card.year}


def _refuse_awaiting(method: Method) -> None:
    """Fail as the real server does on a card that never reached the vault."""
    if method.kind == "card" and method.card is None:
        raise server_error()


HANDLERS: Final[dict[str, Callable[[Api, Call], Answer]]] = {
    "payment_methods.create": Api.create,
    "payment_methods.retrieve": Api.retrieve,
    "payment_methods.update": Api.update,
    "payment_methods.delete": Api.delete,
    "payment_methods.list": Api.list,
    "payment_methods.list_own": Api.list_own,
    "payment_methods.set_default": Api.set_default,
    "customers.create": Api.create_customer,
    "customers.retrieve": Api.retrieve_customer,
    "customers.update": Api.update_customer,
    "customers.delete": Api.delete_customer,
    "customers.list": Api.list_customers,
    "customers.list_with_count": Api.list_customers_with_count,
    "ephemeral_keys.create": Api.create_ephemeral_key,
    "ephemeral_keys.delete": Api.delete_ephemeral_key,
}
