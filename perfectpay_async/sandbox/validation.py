"""What the server accepts, and with which code it refuses the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final, cast

from .answers import Refused, plain, refused, unreadable

MAX_BODY: Final = 32 * 1024

CREATE_KEYS: Final = frozenset(
    {
        "payment_method", "payment_method_type", "payment_method_issuer",
        "payment_method_issuer_code", "card_network", "metadata", "customer_id", "client_secret",
        "billing", "bank_transfer", "wallet",
    }
)  # fmt: skip
CARD_KEYS: Final = frozenset(
    {
        "card_number", "card_exp_month", "card_exp_year", "card_cvc", "card_holder_name",
        "nick_name", "card_issuing_country", "card_issuing_country_code", "card_network",
        "card_issuer", "card_type",
    }
)  # fmt: skip
CARD_UPDATE_KEYS: Final = frozenset(
    {
        "card_exp_month", "card_exp_year", "card_holder_name", "nick_name", "last4_digits",
        "card_issuer", "issuer_country", "issuer_country_code", "card_network",
    }
)  # fmt: skip
DATA_KEYS: Final = frozenset({"card", "bank_debit", "wallet"})
KINDS: Final = frozenset(
    {
        "card", "card_redirect", "pay_later", "wallet", "bank_redirect", "bank_transfer", "crypto",
        "bank_debit", "reward", "real_time_payment", "upi", "voucher", "gift_card", "open_banking",
        "mobile_payment", "network_token",
    }
)  # fmt: skip
NETWORKS: Final = frozenset(
    {
        "Visa", "Mastercard", "AmericanExpress", "JCB", "DinersClub", "Discover",
        "CartesBancaires", "UnionPay", "Interac", "RuPay", "Maestro", "Star", "Pulse", "Accel",
        "Nyce",
    }
)  # fmt: skip
_TYPES: Final = {"card": {"credit", "debit"}, "network_token": {"network_token"}}
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CENTURY: Final = 2000


def read_object(content_type: str, body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body.

    Raises:
        Refused: 400 for another content type, a body over 32 KiB, or what is no JSON object.
    """
    if content_type != "application/json":
        raise unreadable("Content type error")
    if len(body) > MAX_BODY:
        raise unreadable(f"payload is larger than {MAX_BODY} bytes")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise unreadable("expected value at line 1 column 1") from None
    return as_object(value)


def as_object(value: Any) -> dict[str, Any]:
    """Return `value` if it is a JSON object.

    Raises:
        Refused: 400 for anything else.
    """
    if not isinstance(value, dict):
        raise unreadable("invalid type, expected a map at line 1 column 1")
    return cast("dict[str, Any]", value)


def refuse_unknown(found: Mapping[str, Any], allowed: frozenset[str]) -> None:
    """Refuse keys that the server does not know, at any level.

    Raises:
        Refused: 400, naming the first unknown key.
    """
    for key in found:
        if key not in allowed:
            known = ", ".join(f"`{name}`" for name in sorted(allowed))
            raise unreadable(f"unknown field `{key}`, expected one of {known}")


def text(found: Mapping[str, Any], key: str) -> str | None:
    """Return a string field; None when it is absent or null.

    Raises:
        Refused: 400 for another type.
    """
    value = found.get(key)
    if value is not None and not isinstance(value, str):
        raise unreadable(f"invalid type for `{key}`, expected a string")
    return value


def required_text(found: Mapping[str, Any], key: str) -> str:
    """Return a string field that must be there.

    Raises:
        Refused: 400 when it is missing or of another type.
    """
    value = text(found, key)
    if value is None:
        raise unreadable(f"missing field `{key}`")
    return value


def card_number(found: Mapping[str, Any]) -> str:
    """Return the number without spaces.

    Raises:
        Refused: 400 for a wrong length, other characters or a wrong check digit.
    """
    number = required_text(found, "card_number").replace(" ", "")
    if not (number.isascii() and number.isdecimal()):
        raise unreadable("invalid character in card number")
    if not 8 <= len(number) <= 19:  # noqa: PLR2004 - the lengths of ISO/IEC 7812
        raise unreadable("invalid card number length")
    if not _passes_luhn(number):
        raise unreadable("card number invalid")
    return number


def network(found: Mapping[str, Any]) -> str | None:
    """Return the card network.

    Raises:
        Refused: 400 for a network that the server does not know; its case counts.
    """
    value = text(found, "card_network")
    if value is not None and value not in NETWORKS and not value.isupper():
        raise unreadable(f"unknown variant `{value}`, expected one of the card networks")
    return value


def kind_and_type(found: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return `payment_method` and `payment_method_type`.

    Raises:
        Refused: 400 for a missing or unknown kind, 422 for a type that does not fit it.
    """
    kind = text(found, "payment_method")
    if kind is None:
        raise refused(400, "IR_04", "Missing required param: payment_method")
    if kind not in KINDS:
        raise unreadable(f"unknown variant `{kind}`, expected one of the payment methods")
    subtype = text(found, "payment_method_type")
    if subtype is not None and kind in _TYPES and subtype not in _TYPES[kind]:
        raise refused(422, "IR_06", "Invalid 'payment_method_type' provided")
    return kind, subtype


def check_expiry(month: str, year: str, today: date) -> None:
    """Check an expiry against the calendar.

    Raises:
        Refused: 400, `IR_07` for what is no number and `IR_16` for what is no future month.
    """
    if not (month.isascii() and month.isdecimal()):
        raise refused(400, "IR_07", "Invalid value provided: card_exp_month")
    if not (year.isascii() and year.isdecimal()):
        raise refused(400, "IR_07", "Invalid value provided: card_exp_year")
    if not 1 <= int(month) <= 12:  # noqa: PLR2004 - months
        raise refused(400, "IR_16", "Invalid Expiry Month")
    if len(year) not in {2, 4}:
        raise refused(400, "IR_16", "Invalid Expiry Year")
    full_year = int(year) + (_CENTURY if len(year) == 2 else 0)  # noqa: PLR2004 - as above
    if full_year < today.year:
        raise refused(400, "IR_16", "Invalid Expiry Year")
    if full_year == today.year and int(month) < today.month:
        raise refused(400, "IR_16", "Card Expired")


def check_path_id(value: str) -> None:
    """Check an id of the path.

    Raises:
        Refused: 400 in plain text for forbidden characters or too many of them.
    """
    if not _ID.fullmatch(value):
        raise Refused(plain(400, "path error: invalid id"))


def customer_id(found: Mapping[str, Any]) -> str:
    """Return the customer id of a body.

    Raises:
        Refused: 400 when it is missing or not 1 to 64 letters, digits, `_` and `-`.
    """
    value = text(found, "customer_id")
    if value is None:
        raise refused(400, "IR_04", "Missing required param: customer_id")
    if not _ID.fullmatch(value):
        raise unreadable("invalid customer_id")
    return value


def _passes_luhn(number: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value  # noqa: PLR2004 - the sum of two digits
    return total % 10 == 0
