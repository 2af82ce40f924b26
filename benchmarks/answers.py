"""The bodies that the neutral server answers with, compact as the real server writes them."""

from __future__ import annotations

import json
from typing import Any, Final

ID: Final = "pm_bench"
"""In an answer to update and retrieve it stands for the id that was asked for."""

CARD: Final[dict[str, Any]] = {
    "scheme": "Visa",
    "issuer_country": "UNITEDSTATES",
    "last4_digits": "4242",
    "expiry_month": "12",
    "expiry_year": "31",
    "card_token": None,
    "card_holder_name": "Jane Doe",
    "card_fingerprint": None,
    "nick_name": None,
    "card_network": "Visa",
    "card_isin": "424242",
    "card_issuer": "Example Bank",
    "card_type": "CREDIT",
    "saved_to_locker": True,
}
METHOD: Final[dict[str, Any]] = {
    "payment_method_id": ID,
    "payment_method": "card",
    "payment_method_type": "credit",
    "customer_id": "cus_bench",
    "merchant_id": "merchant_bench",
    "card": {"last4_digits": "4242", "expiry_month": "12", "expiry_year": "31"},
    "created": "2031-01-02T03:04:05.678Z",
    "last_used_at": "2031-01-02T03:04:05.678Z",
    "metadata": None,
}
ITEM: Final[dict[str, Any]] = {
    "payment_token": "token_7ebf443f050067047d2d",
    "payment_method_id": ID,
    "customer_id": "cus_bench",
    "payment_method": "card",
    "payment_method_type": "credit",
    "payment_method_issuer": "Example Bank",
    "payment_method_issuer_code": None,
    "recurring_enabled": True,
    "installment_payment_enabled": False,
    "payment_experience": ["redirect_to_url"],
    "card": CARD,
    "metadata": None,
    "created": "2031-01-02T03:04:05.678Z",
    "last_used_at": "2031-01-02T03:04:05.678Z",
    "bank": None,
    "surcharge_details": None,
    "requires_cvv": True,
    "default_payment_method_set": False,
    "billing": {
        "address": {"city": "Springfield", "country": "US", "line1": "1 Main St", "zip": "12345"},
        "phone": {"number": "5550100", "country_code": "+1"},
        "email": None,
    },
}


def encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def listed(count: int) -> bytes:
    return encoded({"customer_payment_methods": [ITEM] * count, "is_guest_customer": None})


ANSWERS: Final[dict[str, bytes]] = {
    "payment_methods": encoded(METHOD),
    "customers/cus_3": listed(3),
    "customers/cus_100": listed(100),
}
FAILURE: Final = encoded({"error": {"type": "api", "code": "HE_00", "message": "busy"}})
