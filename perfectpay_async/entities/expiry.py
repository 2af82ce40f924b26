"""The expiry of a card: a month and a year, in the style in which they are written."""

from __future__ import annotations

import re
from datetime import date
from functools import total_ordering
from typing import Final, Literal

from attrs import field, frozen

from perfectpay_async.errors import InvalidRequestError

from .checks import checked

_CENTURY: Final = 2000
_NUMBERS: Final = range(_CENTURY + 100)
_MONTH: Final = re.compile(r"0?[1-9]|1[0-2]", re.ASCII)
_YEAR: Final = re.compile(r"(?:20)?(?P<of_century>\d\d)", re.ASCII)
_FORMS: Final = (
    re.compile(r"(?P<month>\d{1,2}) */ *(?P<year>\d{2}|\d{4})", re.ASCII),  # 3/25, 03 / 2025
    re.compile(r"(?P<month>\d{1,2})-(?P<year>\d{4})", re.ASCII),  # 03-2025
    re.compile(r"(?P<year>\d{4})-(?P<month>\d{2})", re.ASCII),  # 2025-03
)


@total_ordering
@frozen(init=False)
class CardExpiry:
    """The last month in which a card is good.

    Two are equal when month and year are; they are ordered by time.

    Args:
        month: 1 to 12, as a number or as one or two digits.
        year: 2000 to 2099, or its last two digits: a number or a text of two or four digits.
        year_digits: How the year is written to the server: 2 for "31", 4 for "2031". The server
            compares years as text, so keep the style that a stored card has.

    Raises:
        InvalidRequestError: A value breaks its rule; the message never quotes it.

    Examples:
        >>> CardExpiry(3, 31) == CardExpiry("03", "2031") == CardExpiry.parse("3/31")
        True
        >>> str(CardExpiry(3, 31))
        '03/2031'
    """

    month: int
    year: int
    year_digits: Literal[2, 4] = field(default=2, eq=False)

    def __init__(self, month: int | str, year: int | str, year_digits: Literal[2, 4] = 2) -> None:
        # Rebound first: what came from a wrong column, perhaps a card number, must not be in a
        # frame that raises. And made complete before it is checked, so that it can be printed.
        month, year = _month(month), _full_year(year)
        self.__attrs_init__(month, year, year_digits)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

    def __attrs_post_init__(self) -> None:
        if not self.month:
            raise InvalidRequestError("expiry month must be 1 to 12", field="month")
        if not self.year:
            raise InvalidRequestError(
                "expiry year must be 2000 to 2099, or its last two digits", field="year"
            )
        if self.year_digits not in (2, 4):
            raise InvalidRequestError("year_digits must be 2 or 4", field="year_digits")

    @classmethod
    def parse(cls, text: str, year_digits: Literal[2, 4] = 2) -> CardExpiry:
        """Return the expiry that `text` says.

        The forms are `MM/YY`, `MM/YYYY`, `MM-YYYY` and `YYYY-MM`; before a slash or dash the month
        may have one digit, and spaces are allowed at the ends and around the slash. Digits without
        a separator (`1025`) are refused: both month-year and year-month are in use.

        Args:
            text: The expiry.
            year_digits: As in the constructor; the text's own style is not taken over.

        Raises:
            InvalidRequestError: It has none of the forms, or a value is out of range.
        """
        parts = _split(text)
        del text  # whatever it was, this frame may be about to enter a traceback
        if parts is None:
            raise InvalidRequestError(
                "expiry must have the form MM/YY, MM/YYYY, MM-YYYY or YYYY-MM", field="expiry"
            )
        return cls(*parts, year_digits)

    @property
    def wire_month(self) -> str:
        """The month as it is sent: always two digits."""
        return f"{self.month:02d}"

    @property
    def wire_year(self) -> str:
        """The year as it is sent: two or four digits, as `year_digits` says."""
        return str(self.year)[-self.year_digits :]

    def is_expired(self, on: date) -> bool:
        """Return whether the card is no longer good on that day.

        A card is good until the last day of its month.
        """
        return self.year < on.year or (self.year == on.year and self.month < on.month)

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, CardExpiry):
            return NotImplemented
        return (self.year, self.month) < (other.year, other.month)

    def __str__(self) -> str:
        return f"{self.month:02d}/{self.year}"


def check_not_expired(expiry: CardExpiry, on: date) -> None:
    """Check that a card with this expiry is good on that day.

    Raises:
        InvalidRequestError: It has expired (the server would refuse it with `IR_16`), or it is not
            a `CardExpiry`.
    """
    if type(expiry) is not CardExpiry:
        checked("expiry", expiry, CardExpiry)
    if expiry.is_expired(on):
        raise InvalidRequestError("expiry must not be in the past", field="expiry")


def _split(text: object) -> tuple[str, str] | None:
    """Return the month and the year of a text, or None if it has none of the forms."""
    if isinstance(text, str):
        for form in _FORMS:
            if match := form.fullmatch(text.strip()):
                return match["month"], match["year"]
    return None


def _month(value: object) -> int:
    """Return the month, or 0 if it is none."""
    match = _MONTH.fullmatch(_text(value))
    return int(match[0]) if match else 0


def _full_year(value: object) -> int:
    """Return the year in full, or 0 if it is none."""
    match = _YEAR.fullmatch(_text(value))
    return _CENTURY + int(match["of_century"]) if match else 0


def _text(value: object) -> str:
    """Return a text as it is, a number as digits (two at least), and anything else as nothing."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value in _NUMBERS:
        return f"{value:02d}"
    return ""
