"""Checks of arguments that more than one module needs."""

from __future__ import annotations

from typing import TypeVar

from perfectpay_async.errors import InvalidRequestError

_Kind = TypeVar("_Kind")


def checked(name: str, value: object, kind: type[_Kind]) -> _Kind | None:
    """Return `value` if it is None or a `kind`.

    Raises:
        InvalidRequestError: It is something else.
    """
    if value is None or isinstance(value, kind):
        return value
    del value  # perhaps a card number in the wrong place, and this frame enters a traceback
    raise InvalidRequestError(f"{name} must be of type {kind.__name__}", field=name)


def is_digits(text: str) -> bool:
    """Return whether `text` is one or more of the digits 0 to 9."""
    return text.isascii() and text.isdecimal()


def has_check_digit(digits: str) -> bool:
    """Return whether the last of the digits is the Luhn check digit of the others."""
    plain = sum(map(int, digits[-1::-2]))
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (plain + doubled) % 10 == 0
