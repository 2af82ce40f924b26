"""Card numbers: the check digit, numbers to test with, and what their first digits tell."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Final

from attrs import frozen

_BIN: Final = "400000"


@frozen
class Issuer:
    """What is known of the bank that issued a card."""

    network: str | None = None
    name: str | None = None
    card_type: str | None = None
    country: str | None = None
    country_code: str | None = None


def issuer_of(number: str) -> Issuer | None:
    """Return what the server's table knows of a number, or None when it is not in it."""
    network = _network_of(number)
    if network is None:
        return None
    return Issuer(network, "SANDBOX BANK", "CREDIT", "UNITEDSTATES")


def _network_of(number: str) -> str | None:
    if number.startswith("4"):
        return "Visa"
    if "51" <= number[:2] <= "55" or "2221" <= number[:4] <= "2720":
        return "Mastercard"
    return "AmericanExpress" if number[:2] in {"34", "37"} else None


def passes_luhn(number: str) -> bool:
    """Whether the last digit is the check digit of the others."""
    return _check_digit(number[:-1]) == number[-1:]


def sample_numbers() -> Iterator[str]:
    """Return endlessly many distinct card numbers with a right check digit, all of a test BIN."""
    for place in count():
        stem = f"{_BIN}{place:09d}"
        yield stem + _check_digit(stem)


def _check_digit(digits: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        # Every second digit counts twice, as the sum of its digits.
        total += int(digit) if place % 2 else sum(divmod(2 * int(digit), 10))
    return str(-total % 10)
