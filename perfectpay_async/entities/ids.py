"""Rules for the ids that become part of a URL, and their encoding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from perfectpay_async.errors import InvalidRequestError

from .checks import has_check_digit, is_digits

_MAX_OPAQUE_ID: Final = 255
_MAX_CUSTOMER_ID: Final = 64
_PATH_SYNTAX: Final = frozenset("/\\?#%")
_SHORTEST_CARD_NUMBER: Final = 13
_CARD_NUMBER_LENGTHS: Final = range(_SHORTEST_CARD_NUMBER, 20)
_EPHEMERAL_KEYS: Final = "epk_"
# `/customers/list` is the list of customers, not the customer "list" (contract, section 2.1).
_ROUTES: Final = frozenset({"list", "list_with_count", "payment_methods"})


def check_payment_method_id(value: str, field: str = "payment_method_id") -> None:
    """Check that `value` can be the id of a payment method.

    The ids are opaque: `pm_` and 20 characters today, without a prefix on old servers, with another
    one on newer servers. Refused is only what cannot be an id or would reach another route.

    Args:
        value: The id.
        field: Its name in the error.

    Raises:
        InvalidRequestError: It is empty, too long, holds white space, control characters or URL
            syntax, consists of dots, or looks like a card number. The value is never quoted.
    """
    rule = _problem(_opaque_id_problem, value)
    del value  # it could be a card number, and this frame is about to enter a traceback
    if rule:
        raise InvalidRequestError(f"{field} {rule}", field=field)


def payment_method_segment(value: str, field: str = "payment_method_id") -> str:
    """Return the id of a payment method as exactly one segment of a URL path, percent-encoded.

    Args:
        value: The id.
        field: Its name in the error.

    Raises:
        InvalidRequestError: It breaks a rule of `check_payment_method_id`.
    """
    # Most ids need no encoding and break no rule, which is far cheaper to see all at once.
    if _is_plain(value) and not value[-_SHORTEST_CARD_NUMBER:].isdecimal():
        return value
    check_payment_method_id(value, field)
    return quote_segment(value)


def check_customer_id(value: str, field: str = "customer_id") -> None:
    """Check that `value` can be the id of a customer: 1 to 64 letters, digits, `_` and `-`.

    The names of the API's own routes below `/customers` are no ids: a customer of that name could
    be neither retrieved nor deleted.

    Args:
        value: The id.
        field: Its name in the error.

    Raises:
        InvalidRequestError: It breaks the rule. The value is never quoted.
    """
    rule = _problem(_customer_id_problem, value)
    del value  # as above
    if rule:
        raise InvalidRequestError(f"{field} {rule}", field=field)


def check_ephemeral_key_id(value: str, field: str = "key_id") -> None:
    """Check that `value` can be the id of an ephemeral key, and is not its secret.

    Args:
        value: The id.
        field: Its name in the error.

    Raises:
        InvalidRequestError: It is the secret (`epk_...`), which would end up in a URL and so in the
            logs of proxies, or breaks a rule of ids. The value is never quoted.
    """
    rule = _problem(_ephemeral_key_id_problem, value)
    del value  # as above
    if rule:
        raise InvalidRequestError(f"{field} {rule}", field=field)


def quote_segment(value: str) -> str:
    """Return a checked id percent-encoded as exactly one segment of a URL path."""
    return value if _is_plain(value) else quote(value, safe="")


def _is_plain(value: object) -> bool:
    """Return whether it is a string of letters, digits and `_`, and not too long for an id."""
    return (
        isinstance(value, str)
        and len(value) <= _MAX_OPAQUE_ID
        and value.isascii()
        and value.replace("_", "a").isalnum()
    )


def _problem(find: Callable[[str], str], value: object) -> str:
    return find(value) if isinstance(value, str) else "must be a string"


def _opaque_id_problem(value: str) -> str:
    if not 1 <= len(value) <= _MAX_OPAQUE_ID:
        return f"must have 1 to {_MAX_OPAQUE_ID} characters"
    # Not printable are control characters, lone surrogates and all white space but U+0020.
    if not value.isprintable() or " " in value:
        return "must not hold white space or control characters"
    if not _PATH_SYNTAX.isdisjoint(value):
        return "must not hold any of / \\ ? # %"
    if not value.strip("."):
        return "must not consist of dots"
    digits = value.rpartition("_")[2].replace("-", "")  # somebody made an id of a card number
    if len(digits) in _CARD_NUMBER_LENGTHS and is_digits(digits) and has_check_digit(digits):
        return "looks like a card number; pass the id that the server returned"
    return ""


def _ephemeral_key_id_problem(value: str) -> str:
    if value.startswith(_EPHEMERAL_KEYS):
        return "must be the id of the key, not its secret"
    return _opaque_id_problem(value)


def _customer_id_problem(value: str) -> str:
    if not 1 <= len(value) <= _MAX_CUSTOMER_ID:
        return f"must have 1 to {_MAX_CUSTOMER_ID} characters"
    if not (value.isascii() and value.replace("_", "a").replace("-", "a").isalnum()):
        return "must consist of letters, digits, _ and - alone"
    if value in _ROUTES:
        return f"must not be {value}, which is the name of a route of the API"
    return ""
