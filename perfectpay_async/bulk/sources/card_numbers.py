"""Finds what looks like a card number, so that the input can be refused without quoting it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from perfectpay_async.bulk.rows import InputRefused
from perfectpay_async.entities.checks import has_check_digit, is_digits

_LENGTHS: Final = range(13, 20)
_LOWEST, _BEYOND = 10 ** (_LENGTHS.start - 1), 10 ** (_LENGTHS.stop - 1)
_GROUPING: Final = str.maketrans("", "", " -'")
_MAX_NAME: Final = 40


def is_card_number(text: str) -> bool:
    """Return whether a text is a card number, perhaps in groups, or behind a prefix as in `pm_`."""
    if len(text) < _LENGTHS.start:
        return False
    digits = text.rpartition("_")[2].translate(_GROUPING)
    return len(digits) in _LENGTHS and is_digits(digits) and has_check_digit(digits)


def holds_card_number(value: Any) -> bool:
    """Return whether a value is a card number, or a list or object with one anywhere in it."""
    if isinstance(value, str):  # nearly always
        return is_card_number(value)
    if isinstance(value, int):
        return _LOWEST <= value < _BEYOND and is_card_number(str(value))
    pending = [value]
    while pending:  # not recursive: the nesting is as deep as the input likes
        item = pending.pop()
        if isinstance(item, Mapping):
            pending += item.keys()
            pending += item.values()
        elif isinstance(item, list | tuple):
            pending += item
        elif is_card_number(_text(item)):
            return True
    return False


def card_number_refused(where: str, at: int, name: str) -> InputRefused:
    """Return the refusal of an input with a card number in a cell.

    Args:
        where: The line or row.
        at: Position of the column, from 0.
        name: Name of the column; it is told only when it is short and harmless.
    """
    shown = name.isprintable() and 0 < len(name) <= _MAX_NAME and not is_card_number(name)
    column = f"column {at + 1} ({name})" if shown else f"column {at + 1}"
    return InputRefused(
        f"{where}, {column} looks like a card number; card numbers must not be in this file"
    )


def _text(value: Any) -> str:
    match value:
        case str():
            return value
        case bytes():
            return value.decode("latin-1").strip("\0 ")
        case int() | float() | Decimal() if _LOWEST <= value < _BEYOND and value == int(value):
            return str(int(value))
        case _:
            return ""
