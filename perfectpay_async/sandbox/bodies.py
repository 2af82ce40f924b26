"""Success bodies: what each operation shows of a payment method or a customer.

Null fields are written out, as the API does; `bank_transfer` alone is absent when it is null.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from .ephemeral import EphemeralKey
from .store import Card, Customer, Method

MERCHANT: Final = "merchant_sandbox"


def moment(value: datetime) -> str:
    """Return a time as the server writes it: UTC, three decimals, Z."""
    return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"


def card(value: Card) -> dict[str, Any]:
    """Return a masked card with all that is known of its issuer."""
    issuer = value.issuer
    return {
        **_stored_card(value),
        "scheme": issuer.network,
        "issuer_country": issuer.country,
        "issuer_country_code": issuer.country_code,
        "card_network": issuer.network,
        "card_isin": value.bin,
        "card_issuer": issuer.name,
        "card_type": issuer.card_type,
    }


def _stored_card(value: Card) -> dict[str, Any]:
    """Return what the vault itself holds of a card."""
    return {
        "scheme": None,
        "issuer_country": None,
        "issuer_country_code": None,
        "last4_digits": value.last4,
        "expiry_month": value.month,
        "expiry_year": value.year,
        "card_token": None,
        "card_holder_name": value.holder,
        "card_fingerprint": None,
        "nick_name": value.nick,
        "card_network": None,
        "card_isin": None,
        "card_issuer": None,
        "card_type": None,
        "saved_to_locker": True,
    }


def _method(value: Method, shown: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "merchant_id": MERCHANT,
        "customer_id": value.customer_id,
        "payment_method_id": value.id,
        "payment_method": value.kind,
        "payment_method_type": value.subtype,
        "card": shown,
        "recurring_enabled": False,
        "installment_payment_enabled": False,
        "payment_experience": ["redirect_to_url"] if shown else None,
        "metadata": value.metadata,
        "created": moment(value.created),
        "last_used_at": moment(value.last_used) if shown else None,
        "client_secret": value.client_secret,
    }


def created(value: Method, subtype: str | None, metadata: Any, now: datetime) -> dict[str, Any]:
    """Return the answer to create: it repeats what was sent, even for a card known before."""
    return {
        **_method(value, card(value.card) if value.card else None),
        "payment_method_type": subtype,
        "metadata": metadata,
        "created": moment(now),
    }


def retrieved(value: Method) -> dict[str, Any]:
    """Return the answer to retrieve, whose card is thinner than that of create and list."""
    if value.card is None:
        return _method(value, None)
    return _method(value, {**_stored_card(value.card), "scheme": value.card.issuer.network})


def updated(value: Method, now: datetime, *, changed: bool) -> dict[str, Any]:
    """Return the answer to update.

    A change is answered with the time of the call and a card that was built anew from the vault;
    where nothing changed, the stored card and its time of creation are shown.
    """
    if value.card is None or not changed:
        body = _method(value, card(value.card) if value.card else None)
    else:
        body = _method(value, {**_stored_card(value.card), "card_isin": value.card.bin})
        body["created"] = moment(now)
    return {**body, "last_used_at": moment(now), "wallet": None}


def item(value: Method, customer: Customer, token: str) -> dict[str, Any]:
    """Return an item of a customer's list."""
    return {
        "payment_token": token,
        "payment_method_id": value.id,
        "customer_id": value.customer_id,
        "payment_method": value.kind,
        "payment_method_type": value.subtype,
        "payment_method_issuer": None,
        "payment_method_issuer_code": None,
        "recurring_enabled": True,
        "installment_payment_enabled": False,
        "payment_experience": ["redirect_to_url"],
        "card": card(value.card) if value.card else None,
        "metadata": value.metadata,
        "created": moment(value.created),
        "bank": None,
        "surcharge_details": None,
        "requires_cvv": True,
        "last_used_at": moment(value.last_used),
        "default_payment_method_set": customer.default == value.id,
        "billing": value.billing,
    }


def customer(value: Customer) -> dict[str, Any]:
    """Return a customer."""
    return {
        "customer_id": value.id,
        **value.details,
        "created_at": moment(value.created),
        "default_payment_method_id": value.default,
    }


def customer_item(value: Customer) -> dict[str, Any]:
    """Return an item of the list of customers, which shows no address."""
    return {**customer(value), "address": None}


def ephemeral_key(value: EphemeralKey) -> dict[str, Any]:
    """Return an ephemeral key; its times are seconds since 1970."""
    return {
        "id": value.id,
        "merchant_id": MERCHANT,
        "customer_id": value.customer_id,
        "created_at": int(value.created.timestamp()),
        "expires": int(value.expires.timestamp()),
        "secret": value.secret,
    }


def redacted(customer_id: str) -> dict[str, Any]:
    """Return the answer to the deletion of a customer."""
    return {
        "customer_id": customer_id,
        "customer_deleted": True,
        "address_deleted": True,
        "payment_methods_deleted": True,
    }
