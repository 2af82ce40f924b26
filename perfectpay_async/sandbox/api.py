"""The operations: from a call to an answer, and what they write to the ledger. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from attrs import field, frozen

from . import bodies, validation
from .answers import Answer, refused, success, unreadable
from .ledger import Ledger, LedgerRequest
from .store import Card, Method, Store

Dialect: TypeAlias = Literal["perfectpay", "hyperswitch"]

MERCHANT: Final = "merchant_sandbox"
_LAST: Final = 4
_BIN: Final = 6


@frozen
class Call:
    """What an operation needs of a request.

    Attributes:
        entry: The request's entry in the ledger.
        payment_method_id: The id in the path, else empty.
        customer_id: The id in the path, else empty.
        query: The query parameters.
        content_type: The Content-Type, without parameters.
        body: The bytes of the body.
    """

    entry: LedgerRequest
    payment_method_id: str
    customer_id: str
    query: Mapping[str, str]
    content_type: str
    body: bytes = field(repr=False)

    def object(self) -> dict[str, Any]:
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
        self._dialect = dialect
        self._now = now

    def create(self, call: Call) -> Answer:
        """Carry out `POST /payment_methods`."""
        body = call.object()
        found = self._new_card(body)
        number = None if found is None else validation.card_number(found)
        customer_id = validation.customer_id(body)
        call.entry.customer_id = customer_id
        kind, subtype = validation.kind_and_type(body)
        customer = self._store.active_customer(customer_id)
        values = {"customer_id": customer_id}

        def vaulted(fingerprint: str) -> Card:
            return Card(
                month=values["exp_month"],
                year=values["exp_year"],
                last4=(number or "")[-_LAST:],
                bin=(number or "")[:_BIN],
                fingerprint=fingerprint,
                holder=validation.text(found or {}, "card_holder_name"),
                nick=validation.text(found or {}, "nick_name"),
                network=validation.network(found or {}) or "Visa",
            )

        if found is not None and number is not None:
            values["exp_month"] = validation.required_text(found, "card_exp_month")
            values["exp_year"] = validation.required_text(found, "card_exp_year")
            values["last4"] = number[-_LAST:]
            validation.text(found, "card_cvc")
            validation.check_expiry(values["exp_month"], values["exp_year"], self._now().date())
        method = self._store.save(
            customer,
            kind=kind,
            subtype=subtype,
            number=number,
            card=vaulted,
            metadata=body.get("metadata"),
            billing=body.get("billing"),
        )
        self._ledger.apply(call.entry, method.id, values)
        return success(bodies.method(method, MERCHANT, bank=True))

    def _new_card(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """Return the card that is to be vaulted, or None where the dialect vaults none."""
        at_top = {"card"} if self._dialect == "hyperswitch" else set[str]()
        validation.refuse_unknown(body, validation.CREATE_KEYS | {"payment_method_data"} | at_top)
        data = validation.as_object(body.get("payment_method_data") or {})
        validation.refuse_unknown(data, validation.DATA_KEYS)
        for part in filter(None, (body.get("card"), data.get("card"))):
            validation.refuse_unknown(validation.as_object(part), validation.CARD_KEYS)
            validation.card_number(part)
        found: dict[str, Any] | None = (body if at_top else data).get("card")
        return found

    def retrieve(self, call: Call) -> Answer:
        """Carry out `GET /payment_methods/{payment_method_id}`."""
        method = self._store.method(call.payment_method_id)
        self._refuse_awaiting(method, 500, "HE_00", "Something went wrong", "api")
        return success(bodies.method(method, MERCHANT, bank=False))

    def update(self, call: Call) -> Answer:
        """Carry out `POST /payment_methods/{payment_method_id}/update`."""
        body = call.object()
        if self._dialect == "hyperswitch":
            validation.refuse_unknown(body, frozenset({"card", "wallet", "client_secret"}))
            found = body.get("card")
        else:
            validation.refuse_unknown(body, frozenset({"payment_method_data"}))
            data = validation.as_object(body.get("payment_method_data") or {})
            validation.refuse_unknown(data, validation.DATA_KEYS)
            found = data.get("card")
        if found is not None:
            validation.refuse_unknown(validation.as_object(found), validation.CARD_UPDATE_KEYS)
            validation.network(found)
        if body.get("client_secret") is not None:
            raise refused(422, "IR_06", "client_secret is not expected with a secret key")
        method = self._store.method(call.payment_method_id)
        self._refuse_awaiting(method, 400, "IR_19", "This payment method cannot be updated")
        if found is None or method.card is None:
            raise refused(400, "IR_19", "Update needs a card")
        card = method.card
        month = validation.text(found, "card_exp_month") or card.month
        year = validation.text(found, "card_exp_year") or card.year
        holder = validation.text(found, "card_holder_name") or card.holder
        nick = validation.text(found, "nick_name") or card.nick
        if {"card_exp_month", "card_exp_year"} & found.keys():
            validation.check_expiry(month, year, self._now().date())
        wanted = (month, year, holder, nick)
        changed = wanted != (card.month, card.year, card.holder, card.nick)
        card.month, card.year, card.holder, card.nick = wanted
        method.last_used = self._now()
        self._ledger.apply(call.entry, method.id, {"exp_month": month, "exp_year": year})
        return success(bodies.updated(method, MERCHANT, method.last_used, changed=changed))

    def delete(self, call: Call) -> Answer:
        """Carry out `DELETE /payment_methods/{payment_method_id}`."""
        self._store.delete(call.payment_method_id)
        self._ledger.apply(call.entry, call.payment_method_id, {})
        return success({"payment_method_id": call.payment_method_id, "deleted": True})

    def list(self, call: Call) -> Answer:
        """Carry out `GET /customers/{customer_id}/payment_methods`."""
        limit = call.query.get("limit")
        if limit is not None and not (limit.isascii() and limit.isdecimal()):
            raise unreadable("invalid digit found in string")
        methods = self._store.listed(call.customer_id, None if limit is None else int(limit))
        customer = self._store.customer(call.customer_id)
        items = [bodies.item(each, customer, self._store.token("token_")) for each in methods]
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
        body = call.object()
        if body.get("customer_id") is not None:
            validation.customer_id(body)
        details = {key: value for key, value in body.items() if key != "customer_id"}
        customer = self._store.add_customer(body.get("customer_id"), **details)
        call.entry.customer_id = customer.id
        call.entry.applied = True
        return success(bodies.customer(customer))

    def retrieve_customer(self, call: Call) -> Answer:
        """Carry out `GET /customers/{customer_id}`."""
        return success(bodies.customer(self._store.customer(call.customer_id)))

    def delete_customer(self, call: Call) -> Answer:
        """Carry out `DELETE /customers/{customer_id}`, which redacts."""
        customer = self._store.redact_customer(call.customer_id)
        call.entry.applied = True
        return success(
            {
                "customer_id": customer.id,
                "customer_deleted": True,
                "address_deleted": True,
                "payment_methods_deleted": True,
            }
        )

    def _refuse_awaiting(
        self, method: Method, status: int, code: str, message: str, kind: str = "invalid_request"
    ) -> None:
        if method.kind == "card" and method.card is None:
            raise refused(status, code, message, kind)


HANDLERS: Final[dict[str, Callable[[Api, Call], Answer]]] = {
    "payment_methods.create": Api.create,
    "payment_methods.retrieve": Api.retrieve,
    "payment_methods.update": Api.update,
    "payment_methods.delete": Api.delete,
    "payment_methods.list": Api.list,
    "payment_methods.set_default": Api.set_default,
    "customers.create": Api.create_customer,
    "customers.retrieve": Api.retrieve_customer,
    "customers.delete": Api.delete_customer,
}
