"""Bodies as the server writes them, answers that carry them, and a look into tracebacks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from traceback import TracebackException
from typing import Any

import pytest
from multidict import CIMultiDict
from yarl import URL

from perfectpay_async.messages import Operation, Request, Response
from perfectpay_async.secrets import MaskedStr, Secret

API_KEY = "snd_7hJk2mNp4qRs6tVw8xYz"


def make_answer(
    status: int = 200,
    body: object = b"",
    *,
    operation: str = "payment_methods.retrieve",
    sensitive: Iterable[Secret] = (),
    **headers: str,
) -> Response:
    request = Request(
        Operation(operation, "POST", "/payment_methods", repeatable=True, idempotent_key=False),
        URL("https://api.example/payment_methods"),
        {"Accept": "application/json", "api-key": MaskedStr(API_KEY)},
        None,
        0.0,
        30.0,
        10.0,
        sensitive=tuple(sensitive),
    )
    names = CIMultiDict({name.replace("_", "-"): text for name, text in headers.items()})
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, names, raw, 0.01, request)


@pytest.fixture
def answer() -> Callable[..., Response]:
    """An answer with a status and a body: bytes as they are, anything else as JSON."""
    return make_answer


@pytest.fixture
def card_body() -> dict[str, Any]:
    """A card with every field filled."""
    return {
        "scheme": "Mastercard",
        "issuer_country": "NORWAY",
        "issuer_country_code": "NO",
        "last4_digits": "5556",
        "expiry_month": "08",
        "expiry_year": "2031",
        "card_token": "vault-token-1",
        "card_holder_name": "Ada Byron",
        "card_fingerprint": "fp_77aa",
        "nick_name": "Work",
        "card_network": "Mastercard",
        "card_isin": "400005",
        "card_issuer": "FJORD BANK ASA",
        "card_type": "DEBIT",
        "saved_to_locker": True,
    }


@pytest.fixture
def method_body(card_body: dict[str, Any]) -> dict[str, Any]:
    """A payment method with every field filled."""
    return {
        "merchant_id": "merchant_1700000001",
        "customer_id": "cus_ada",
        "payment_method_id": "pm_9fQ2xT4mZk7LrW3vBn6d",
        "payment_method": "card",
        "payment_method_type": "debit",
        "card": card_body,
        "wallet": {"last4": "5556", "type": "DEBIT"},
        "bank_transfer": {"iban": "NO9386011117947"},
        "recurring_enabled": True,
        "installment_payment_enabled": False,
        "payment_experience": ["redirect_to_url", "one_click"],
        "metadata": {"order": {"lines": [1, 2]}, "note": None},
        "created": "2026-02-03T04:05:06.789Z",
        "last_used_at": "2026-03-04T05:06:07Z",
        "client_secret": "pm_9fQ2xT4mZk7LrW3vBn6d_secret_Aa0Bb1Cc2Dd3Ee4Ff5Gg",
    }


@pytest.fixture
def item_body(card_body: dict[str, Any]) -> dict[str, Any]:
    """An item of a list with every field filled."""
    return {
        "payment_token": "token_Qw3eRt5yUi7oPa9sDf1g",
        "payment_method_id": "12345_pm_0190163d8694739baea5966c26f8ad91",
        "customer_id": "cus_ada",
        "payment_method": "card",
        "payment_method_type": "credit",
        "payment_method_issuer": "",
        "payment_method_issuer_code": "jp_sepa",
        "recurring_enabled": True,
        "installment_payment_enabled": False,
        "payment_experience": ["redirect_to_url"],
        "card": card_body,
        "bank_transfer": {"iban": "NO9386011117947"},
        "bank": {"mask": "7947"},
        "metadata": {"segment": "beta"},
        "created": "2026-02-03T04:05:06.789Z",
        "last_used_at": "2026-03-04T05:06:07.000Z",
        "surcharge_details": {
            "surcharge": {"type": "rate", "value": {"percentage": 2.5}},
            "tax_on_surcharge": {"percentage": 25},
            "display_surcharge_amount": 1.25,
            "display_tax_on_surcharge_amount": 0.31,
            "display_total_surcharge_amount": 1.56,
        },
        "requires_cvv": True,
        "default_payment_method_set": True,
        "billing": {
            "address": {
                "city": "Bergen",
                "country": "NO",
                "line1": "Strandgaten 1",
                "line2": None,
                "line3": None,
                "zip": "5013",
                "state": "Vestland",
                "first_name": "Ada",
                "last_name": "Byron",
                "origin_zip": None,
            },
            "phone": {"number": "55500100", "country_code": "+47"},
            "email": "ada@example.com",
        },
    }


def locals_in_library(error: BaseException) -> str:
    report = TracebackException.from_exception(error, capture_locals=True)
    assert report.__cause__ is None
    assert report.__context__ is None
    frames = [frame for frame in report.stack if "/perfectpay_async/" in frame.filename]
    assert frames
    shown: list[Mapping[str, str]] = [frame.locals or {} for frame in frames]
    return f"{error} {error!r} {shown}"


@pytest.fixture
def what_a_tracker_sees() -> Callable[[BaseException], str]:
    """The error's text and the local variables of all frames of the library in its traceback.

    Fails when the error drags another one along, whose frames would hold the body.
    """
    return locals_in_library
