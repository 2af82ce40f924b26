"""Success bodies: what each operation shows of a payment method or a customer."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .store import Card, Customer, Method


def moment(value: datetime) -> str:
    """Return a time as the server writes it: UTC, three decimals, Z."""
    return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"


def card(value: Card, *, bank: bool) -> dict[str, Any]:
    """Return a masked card; what is known of the bank only where `bank` says so."""
    return {
        "scheme": value.network if bank else None,
        "issuer_country": "UNITEDSTATES" if bank else None,
        "issuer_country_code": None,
        "last4_digits": value.last4,
        "expiry_month": value.month,
        "expiry_year": value.year,
        "card_token": None,
        "card_holder_name": value.holder,
        "card_fingerprint": None,
        "nick_name": value.nick,
        "card_network": value.network if bank else None,
        "card_isin": value.bin if bank else None,
        "card_issuer": "SANDBOX BANK" if bank else None,
        "card_type": "CREDIT" if bank else None,
        "saved_to_locker": True,
    }


def method(value: Method, merchant_id: str, *, bank: bool) -> dict[str, Any]:
    """Return the answer to create and retrieve."""
    vaulted = value.card is not None
    return {
        "merchant_id": merchant_id,
        "customer_id": value.customer_id,
        "payment_method_id": value.id,
        "payment_method": value.kind,
        "payment_method_type": value.subtype,
        "card": card(value.card, bank=bank) if value.card else None,
        "recurring_enabled": False,
        "installment_payment_enabled": False,
        "payment_experience": ["redirect_to_url"] if vaulted else None,
        "metadata": value.metadata,
        "created": moment(value.created),
        "last_used_at": moment(value.last_used) if vaulted else None,
        "client_secret": value.client_secret,
    }


def updated(value: Method, merchant_id: str, now: datetime, *, changed: bool) -> dict[str, Any]:
    """Return the answer to update: the time of the call instead of stored ones."""
    body = method(value, merchant_id, bank=not changed)
    body["last_used_at"] = moment(now)
    if changed:
        body["created"] = moment(now)
        if value.card:
            body["card"]["card_isin"] = value.card.bin
    return {**body, "wallet": None}


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
        "card": card(value.card, bank=True) if value.card else None,
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
    names = ("name", "email", "phone", "phone_country_code", "description", "address", "metadata")
    return {
        "customer_id": value.id,
        **{name: value.details.get(name) for name in names},
        "created_at": moment(value.created),
        "default_payment_method_id": value.default,
    }
