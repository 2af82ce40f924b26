"""Card numbers and the command line: never among the arguments, which every user can see."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from .exits import InputNotTaken

if TYPE_CHECKING:
    from perfectpay_async.entities import CardExpiry, NewCard

_ANYWHERE: Final = re.compile(r"\d(?:[ -]?\d){12,18}", re.ASCII)
# In a text, but not inside a word, an id, or a telephone number with its plus sign.
_IN_TEXT: Final = re.compile(r"(?<![\w+])\d(?:[ -]?\d){12,18}(?!\w)", re.ASCII)
_FREE_TEXT: Final = frozenset({"methods", "customers"})
_GROUPING: Final = str.maketrans("", "", " -")
_LONGEST_LINE: Final = 64


def refuse_card_numbers(arguments: Sequence[str]) -> None:
    """Refuse a command line that holds a card number. It is checked before anything prints it.

    Args:
        arguments: All arguments.

    Raises:
        UsageError: One is a card number; for the commands that take free text, one holds one. Its
            place is named, never its value.
    """
    free_text = bool(arguments) and arguments[0] in _FREE_TEXT
    for place, argument in enumerate(arguments, 1):
        option, _, value = argument.partition("=") if argument[:1] == "-" else ("", "", argument)
        if (
            _is_card_number(value)
            or _holds_card_number(option, _ANYWHERE)
            or (free_text and _holds_card_number(value, _IN_TEXT))
        ):
            raise click.UsageError(
                f"argument {place} looks like a card number, and arguments are seen by every user "
                "of this machine and kept in the shell's history: remove it from there; "
                "`perfectpay methods create` asks for the number, or reads it from standard input"
            )


def read_card(
    expiry: CardExpiry, holder_name: str | None = None, nick_name: str | None = None
) -> NewCard:
    """Return a card whose number and CVC are typed unseen, or are two lines of standard input.

    Args:
        expiry: Its expiry.
        holder_name: The name on it.
        nick_name: Your name for it.

    Raises:
        InputNotTaken: Nothing was read.
        InvalidRequestError: It is no card number or CVC; the message does not quote it.
    """
    from perfectpay_async.entities import NewCard
    from perfectpay_async.secrets import Secret

    number, cvc = Secret(_read("Card number")), Secret(_read("CVC (may be empty)"))
    if not number.reveal():
        raise InputNotTaken(
            "there is no card number on standard input: its first line is the number, its second "
            "the CVC or nothing"
        )
    return NewCard(
        number,
        expiry,
        cvc=cvc if cvc.reveal() else None,
        holder_name=holder_name,
        nick_name=nick_name,
    )


def _read(what: str) -> str:
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison] - it was closed
        return ""
    if sys.stdin.isatty():
        typed: str = click.prompt(what, default="", show_default=False, hide_input=True, err=True)
        return typed.strip()
    return sys.stdin.readline(_LONGEST_LINE).strip()


def _is_card_number(text: str) -> bool:
    return _ANYWHERE.fullmatch(text.strip()) is not None and _has_check_digit(text.strip())


def _holds_card_number(text: str, pattern: re.Pattern[str]) -> bool:
    return any(_has_check_digit(match[0]) for match in pattern.finditer(text))


def _has_check_digit(text: str) -> bool:
    from perfectpay_async.entities.checks import has_check_digit

    return has_check_digit(text.translate(_GROUPING))
