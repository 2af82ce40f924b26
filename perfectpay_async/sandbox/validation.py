"""What the server accepts, and with which code it refuses the rest.

A body that cannot be read at all (no JSON, an unknown key, an unknown value of an enumeration, a
bad card number) is refused in another envelope than one that makes no sense.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any, Final, NoReturn, cast

from multidict import MultiMapping

from .answers import JSON, Refused, plain, refused, unreadable
from .card_numbers import Issuer, passes_luhn
from .enumerations import (
    DOCUMENT_TYPES,
    ISSUER_CODES,
    NETWORK_ALIASES,
    NETWORKS,
    PAYMENT_METHOD_TYPES,
    PAYMENT_METHODS,
    TYPES_OF,
)

MAX_BODY: Final = 32 * 1024
"""Bytes of the largest body that is read."""

CREATE_KEYS: Final = frozenset(
    {
        "payment_method", "payment_method_type", "payment_method_issuer",
        "payment_method_issuer_code", "card_network", "metadata", "customer_id", "client_secret",
        "billing", "bank_transfer", "bank_transfer_data", "wallet", "payment_method_data",
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
CUSTOMER_TEXTS: Final = (
    "name", "email", "phone", "phone_country_code", "description", "tax_registration_id",
)  # fmt: skip
CUSTOMER_DETAILS: Final = (*CUSTOMER_TEXTS, "address", "metadata", "document_details")
DATA_KEYS: Final = frozenset({"card", "bank_debit", "wallet"})
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CENTURY: Final = 2000


def read_object(content_type: str, body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body.

    Raises:
        Refused: 400 for another content type, a body over 32 KiB, or what is no JSON object.
    """
    if content_type != JSON:
        raise unreadable("Content type error")
    if len(body) > MAX_BODY:
        raise unreadable(f"JSON payload is larger than allowed (limit: {MAX_BODY} bytes)")
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise unreadable("expected value at line 1 column 1") from None
    return _as_object(value)


def part(found: Mapping[str, Any], key: str, allowed: frozenset[str]) -> dict[str, Any] | None:
    """Return an object inside a body; None when it is absent or null.

    Raises:
        Refused: 400 when it is something else or has an unknown key.
    """
    value = found.get(key)
    if value is None:
        return None
    inner = _as_object(value)
    refuse_unknown(inner, allowed)
    return inner


def free_object(found: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    """Return an object inside a body, whatever it holds; None when it is absent or null.

    Raises:
        Refused: 400 when it is something else.
    """
    value = found.get(key)
    return None if value is None else _as_object(value)


def refuse_unknown(found: Mapping[str, Any], allowed: frozenset[str]) -> None:
    """Refuse keys that the server does not know.

    Raises:
        Refused: 400, naming the first unknown key.
    """
    for key in found:
        if key not in allowed:
            raise unreadable(f"unknown field `{key}`, expected one of {_quoted(allowed)}")


def text(found: Mapping[str, Any], key: str) -> str | None:
    """Return a string field; None when it is absent or null.

    Raises:
        Refused: 400 for another type.
    """
    value = found.get(key)
    if value is not None and not isinstance(value, str):
        raise unreadable(f"invalid type for `{key}`, expected a string at line 1 column 1")
    return value


def required_text(found: Mapping[str, Any], key: str) -> str:
    """Return a string field that must be there.

    Raises:
        Refused: 400 when it is missing or of another type.
    """
    value = text(found, key)
    if value is None:
        raise unreadable(f"missing field `{key}` at line 1 column 1")
    return value


def card_number(card: Mapping[str, Any]) -> str:
    """Return the number without spaces.

    Raises:
        Refused: 400 for a wrong length, other characters or a wrong check digit.
    """
    number = required_text(card, "card_number").replace(" ", "")
    if not _is_number(number):
        raise unreadable("invalid character in card number at line 1 column 1")
    if not 8 <= len(number) <= 19:  # noqa: PLR2004 - the contract's bounds
        raise unreadable("invalid card number length at line 1 column 1")
    if not passes_luhn(number):
        raise unreadable("card number invalid at line 1 column 1")
    return number


def network(card: Mapping[str, Any]) -> str | None:
    """Return the card network.

    Raises:
        Refused: 400 for a network that the server does not know; `VISA` is one, `visa` is not.
    """
    return _variant(card, "card_network", NETWORKS, also=NETWORK_ALIASES)


def issuer(card: Mapping[str, Any]) -> Issuer | None:
    """Return what a new card says of its issuer; None unless it says all four of the main things.

    Raises:
        Refused: 400 for a wrong type or an unknown network.
    """
    said = Issuer(
        network=network(card),
        name=text(card, "card_issuer"),
        card_type=text(card, "card_type"),
        country=text(card, "card_issuing_country"),
        country_code=text(card, "card_issuing_country_code"),
    )
    needed = (said.network, said.name, said.card_type, said.country)
    return None if None in needed else said


def kind_and_type(body: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return `payment_method` and `payment_method_type`.

    Raises:
        Refused: 400 for a missing or unknown value, 422 for a type that does not fit the method.
    """
    subtype = _variant(body, "payment_method_type", PAYMENT_METHOD_TYPES)
    kind = _variant(body, "payment_method", PAYMENT_METHODS)
    _variant(body, "payment_method_issuer_code", ISSUER_CODES)
    if kind is None:
        raise refused(400, "IR_04", "Missing required param: payment_method")
    if subtype is not None and subtype not in TYPES_OF.get(kind, PAYMENT_METHOD_TYPES):
        raise refused(422, "IR_06", "Invalid 'payment_method_type' provided")
    return kind, subtype


def check_expiry(month: str, year: str, today: date) -> None:
    """Check an expiry against the calendar.

    Raises:
        Refused: 400, `IR_07` for what is no number and `IR_16` for what is no month to come.
    """
    for name, value in (("card_exp_month", month), ("card_exp_year", year)):
        if not _is_number(value):
            raise refused(400, "IR_07", f"Invalid value provided: {name}")
    if not 1 <= int(month) <= 12:  # noqa: PLR2004 - months
        raise refused(400, "IR_16", "Invalid Expiry Month")
    full_year = int(year) + (_CENTURY if len(year) == 2 else 0)  # noqa: PLR2004 - two digits
    if len(year) not in {2, 4} or full_year < today.year:
        raise refused(400, "IR_16", "Invalid Expiry Year")
    if full_year == today.year and int(month) < today.month:
        raise refused(400, "IR_16", "Card Expired")


def check_path_id(value: str) -> None:
    """Check an id of the path.

    Raises:
        Refused: 400 in plain text for forbidden characters or too many of them.
    """
    if not _ID.fullmatch(value):
        raise Refused(plain(400, "Path deserialize error: invalid id"))


def customer_id(body: Mapping[str, Any]) -> str | None:
    """Return the customer id of a body; None when it is absent or null.

    Raises:
        Refused: 400 when it is not 1 to 64 letters, digits, `_` and `-`.
    """
    value = text(body, "customer_id")
    if value is not None and not _ID.fullmatch(value):
        raise unreadable("invalid characters or length in `customer_id` at line 1 column 1")
    return value


def customer_details(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a customer that are given; unknown keys are ignored here.

    Raises:
        Refused: 400 for a wrong type, a text of more than 255 characters, or an unknown kind of
            document.
    """
    for name in CUSTOMER_TEXTS:
        if len(text(body, name) or "") > 255:  # noqa: PLR2004 - the contract's bound
            raise unreadable(f"`{name}` is longer than 255 characters at line 1 column 1")
    for name in ("address", "metadata", "document_details"):
        free_object(body, name)
    document = free_object(body, "document_details")
    if document is not None:
        required_text(document, "document_type")
        required_text(document, "document_number")
        _variant(document, "document_type", DOCUMENT_TYPES)
    return {name: body[name] for name in CUSTOMER_DETAILS if body.get(name) is not None}


def required_customer_id(body: Mapping[str, Any]) -> str:
    """Return the customer id of a body that must have one.

    Raises:
        Refused: 400 when it is missing, or as `customer_id`.
    """
    required_text(body, "customer_id")
    return customer_id(body) or ""


def query_number(query: MultiMapping[str], name: str, most: int = 2**63 - 1) -> int | None:
    """Return a number of the query; None when there is none. Unknown parameters are ignored.

    Raises:
        Refused: 400 in plain text for a value that is no number up to `most`, or one that is given
            twice.
    """
    values = query.getall(name, [])
    if len(values) > 1:
        raise Refused(plain(400, f"Query deserialize error: duplicate field `{name}`"))
    if not values:
        return None
    if not _is_number(values[0]) or int(values[0]) > most:
        raise Refused(plain(400, "Query deserialize error: invalid digit found in string"))
    return int(values[0])


def _refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and the infinities, which Python reads though they are no JSON."""
    raise ValueError(name)


def _as_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise unreadable("invalid type, expected a map at line 1 column 1")
    return cast("dict[str, Any]", value)


def _variant(
    found: Mapping[str, Any],
    key: str,
    known: Collection[str],
    *,
    also: Collection[str] = (),
) -> str | None:
    value = text(found, key)
    if value is not None and value not in known and value not in also:
        raise unreadable(f"unknown variant `{value}`, expected one of {_quoted(known)}")
    return value


def _quoted(names: Collection[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _is_number(value: str) -> bool:
    # A server reads these into small integers, so a thousand digits are no number to it.
    return value.isascii() and value.isdecimal() and len(value) <= 19  # noqa: PLR2004 - of 64 bits
