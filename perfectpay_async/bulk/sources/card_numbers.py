"""Finds what looks like a card number, so that the input can be refused without quoting it.

A text that is nothing but a number with a right check digit is taken for a card number. Within a
longer text a number must look more like one, because every tenth of all numbers has a right check
digit: it has the length and the first digits of a card brand, and no group of fewer than three
digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from perfectpay_async.bulk.rows import InputRefused
from perfectpay_async.entities.checks import has_check_digit

_LENGTHS: Final = range(13, 20)
_LOWEST, _BEYOND = 10 ** (_LENGTHS.start - 1), 10 ** (_LENGTHS.stop - 1)
_GROUPING: Final = str.maketrans("", "", " -'")
_MAX_NAME: Final = 40

_NUMBER: Final = re.compile(r"[\d '-]{13,}\Z", re.ASCII)
# Nearly no text has so many digits in a row, and that is found out in less than a microsecond.
_MANY_DIGITS: Final = re.compile(r"\d{3}(?:[ -]?\d){11}", re.ASCII)
# Neither a part of a word, nor behind a plus sign or a decimal point.
_GROUPS: Final = re.compile(r"(?<![\w+])(?<!\d[.,])\d{3,}(?:[ -]\d{3,})*(?!\w)", re.ASCII)
_BRAND: Final = re.compile(
    r"4\d{15}(?:\d{3})?"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|(?:30[0-5]\d|3095|3[689]\d\d)\d{10}"  # Diners Club
    r"|35(?:2[89]|[3-8]\d)\d{12,15}"  # JCB
    r"|(?:50|5[6-8]|6\d)\d{14,17}"  # Maestro, Discover, UnionPay, RuPay
    r"|220[0-4]\d{12,15}",  # Mir
    re.ASCII,
)
_UUID: Final = re.compile(r"(?<![\da-z])[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\b", re.IGNORECASE)
_IBAN: Final = re.compile(r"\b[A-Z]{2}\d\d(?: ?[\dA-Z]{4}){2,7}(?: ?[\dA-Z]{1,3})?\b")


def text_holds_card_number(text: str) -> bool:
    """Return whether a text is a card number, perhaps behind a prefix as in `pm_`, or has one."""
    if len(text) < _LENGTHS.start:
        return False
    number = _NUMBER.match(text, text.rfind("_") + 1)
    if number is not None:
        digits = number[0].translate(_GROUPING)
        if len(digits) in _LENGTHS and has_check_digit(digits):
            return True
    return _MANY_DIGITS.search(text) is not None and any(map(_is_of_a_card, _numbers_in(text)))


def holds_card_number(value: Any) -> bool:
    """Return whether a value is or has a card number, or is a list or object that has one."""
    if isinstance(value, str):  # nearly always
        return text_holds_card_number(value)
    if isinstance(value, int):
        return _LOWEST <= value < _BEYOND and text_holds_card_number(str(value))
    pending = [value]
    while pending:  # not recursive: the nesting is as deep as the input likes
        item = pending.pop()
        if isinstance(item, Mapping):
            pending += item.keys()
            pending += item.values()
        elif isinstance(item, list | tuple):
            pending += item
        elif text_holds_card_number(_text(item)):
            return True
    return False


def card_number_refused(where: str, at: int, name: str) -> InputRefused:
    """Return the refusal of an input with a card number in a cell.

    Args:
        where: The line or row.
        at: Position of the column, from 0.
        name: Name of the column; it is told only when it is short and harmless.
    """
    shown = name.isprintable() and 0 < len(name) <= _MAX_NAME and not text_holds_card_number(name)
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


def _numbers_in(text: str) -> Iterator[str]:
    """Iterate over all that neighbouring groups of digits make together."""
    plain = _IBAN.sub(_but_for_ibans, _UUID.sub("", text))
    for found in _GROUPS.finditer(plain):
        groups = re.split("[ -]", found[0])
        for first in range(len(groups)):
            yield from _beginnings(groups, first)


def _beginnings(groups: Sequence[str], first: int) -> Iterator[str]:
    number = ""
    for group in groups[first:]:
        number += group
        if len(number) >= _LENGTHS.stop:
            return
        yield number


def _is_of_a_card(number: str) -> bool:
    return _BRAND.fullmatch(number) is not None and has_check_digit(number)


def _but_for_ibans(found: re.Match[str]) -> str:
    # ISO 13616: the number that its characters make, the first four last, leaves 1 of 97.
    iban = found[0].replace(" ", "")
    digits = "".join(str(int(char, 36)) for char in iban[4:] + iban[:4])
    return "" if int(digits) % 97 == 1 else found[0]
