"""The classes that the hand-written contender decodes into, as its author would write them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from attrs import frozen
from cattrs import Converter


@frozen
class Card:
    last4_digits: str | None = None
    expiry_month: str | None = None
    expiry_year: str | None = None
    scheme: str | None = None
    card_holder_name: str | None = None
    card_network: str | None = None
    card_issuer: str | None = None
    card_type: str | None = None
    saved_to_locker: bool | None = None


@frozen
class Method:
    payment_method_id: str
    payment_method: str | None = None
    payment_method_type: str | None = None
    customer_id: str | None = None
    merchant_id: str | None = None
    card: Card | None = None
    recurring_enabled: bool | None = None
    metadata: dict[str, Any] | None = None
    created: datetime | None = None
    last_used_at: datetime | None = None
    requires_cvv: bool | None = None
    default_payment_method_set: bool | None = None


@frozen
class Methods:
    customer_payment_methods: list[Method]


CONVERTER = Converter()
CONVERTER.register_structure_hook(datetime, lambda value, _: datetime.fromisoformat(value))
