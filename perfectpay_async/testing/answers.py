"""Canned answers, in the forms that the server gives them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final, Self

from attrs import field, frozen

_JSON: Final = {"Content-Type": "application/json"}
_NOT_LISTED: Final = frozenset({"merchant_id", "client_secret"})
_CREATED: Final = "2026-01-15T09:30:00.000Z"


@frozen
class Answer:
    """One answer of the server. The class methods make the usual ones.

    Attributes:
        status: HTTP status.
        body: The body.
        headers: Headers of the answer.
        delay: Seconds until it arrives; of the event loop's time, which `VirtualClock` can skip.
    """

    status: int = 200
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(factory=dict[str, str])
    delay: float = field(default=0.0, kw_only=True)

    @classmethod
    def json(
        cls,
        content: object,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        delay: float = 0.0,
    ) -> Self:
        """Answer with JSON.

        Args:
            content: What the body says, such as `payment_method("pm_1")`.
            status: HTTP status.
            headers: Headers besides the content type.
            delay: Seconds until it arrives.
        """
        return cls(status, json.dumps(content).encode(), {**_JSON, **(headers or {})}, delay=delay)

    @classmethod
    def error(
        cls,
        status: int,
        code: str = "HE_00",
        message: str = "Something went wrong",
        *,
        kind: str = "invalid_request",
        headers: Mapping[str, str] | None = None,
        delay: float = 0.0,
    ) -> Self:
        """Answer with an error in the API's envelope.

        Args:
            status: HTTP status, such as 404.
            code: The API's code, such as `HE_02` for what does not exist.
            message: What the server says.
            kind: The error's type.
            headers: Headers besides the content type.
            delay: Seconds until it arrives.
        """
        content = {"error": {"type": kind, "message": message, "code": code}}
        return cls.json(content, status=status, headers=headers, delay=delay)

    @classmethod
    def rate_limited(cls, retry_after: float | str | None = None) -> Self:
        """Answer 429, as a gateway does.

        Args:
            retry_after: Seconds, or the whole text of the Retry-After header; None for none.
        """
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return cls(429, b"Too many requests", {"Content-Type": "text/plain", **headers})

    @classmethod
    def bad_json(cls) -> Self:
        """Report success with a body that is no JSON: the outcome is unknown."""
        return cls(200, b'{"payment_method_id": "pm_', dict(_JSON))

    @classmethod
    def never(cls) -> Self:
        """Do not answer: the attempt timeout or the deadline ends the attempt, in its own time."""
        return cls(delay=math.inf)


def payment_method(payment_method_id: str, **fields: Any) -> dict[str, Any]:
    """Return a payment method as create, retrieve and update answer it.

    Args:
        payment_method_id: Its id.
        **fields: What differs, by the names of the API. Those of the card go to the card:
            `last4_digits`, `expiry_month`, `expiry_year`, `card_holder_name`, `nick_name`,
            `card_network` and so on.

    Examples:
        >>> payment_method("pm_1", expiry_year="2031", metadata={"a": 1})["card"]["expiry_year"]
        '2031'
    """
    card = _card()
    own: dict[str, Any] = {
        "merchant_id": "merchant_1",
        "customer_id": "cus_1",
        "payment_method_id": payment_method_id,
        "payment_method": "card",
        "payment_method_type": "credit",
        "card": card,
        "recurring_enabled": False,
        "installment_payment_enabled": False,
        "payment_experience": ["redirect_to_url"],
        "metadata": None,
        "created": _CREATED,
        "last_used_at": _CREATED,
        "client_secret": None,
    }
    card.update((name, fields.pop(name)) for name in fields.keys() & card.keys())
    return {**own, **fields}


def payment_method_list(*methods: Mapping[str, Any]) -> dict[str, Any]:
    """Return a customer's payment methods as list answers them.

    Args:
        *methods: Each from `payment_method`, the customer's default first.
    """
    listed = [
        {
            **{name: value for name, value in method.items() if name not in _NOT_LISTED},
            "payment_token": f"token_{number:020}",
            "requires_cvv": True,
            "default_payment_method_set": number == 1,
        }
        for number, method in enumerate(methods, 1)
    ]
    return {"customer_payment_methods": listed, "is_guest_customer": None}


def deleted(payment_method_id: str) -> dict[str, Any]:
    """Return what delete answers."""
    return {"payment_method_id": payment_method_id, "deleted": True}


def _card() -> dict[str, Any]:
    return {
        "scheme": None,
        "issuer_country": None,
        "issuer_country_code": None,
        "last4_digits": "4242",
        "expiry_month": "10",
        "expiry_year": "2035",
        "card_token": None,
        "card_holder_name": "Jane Doe",
        "card_fingerprint": None,
        "nick_name": None,
        "card_network": "Visa",
        "card_isin": "424242",
        "card_issuer": None,
        "card_type": "CREDIT",
        "saved_to_locker": True,
    }
