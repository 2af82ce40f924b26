"""Which columns hold the id and the expiry, and what a row of them says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import field, frozen

from perfectpay_async.bulk.rows import COLUMNS, BadRow, ExpiryRow, Row
from perfectpay_async.entities import CardExpiry, check_payment_method_id
from perfectpay_async.errors import ConfigurationError, InvalidRequestError

from .card_numbers import text_holds_card_number

_ID, _MONTH, _YEAR = COLUMNS
_EXPIRY: Final = "expiry"
_ALIASES: Final = {
    _ID: {"id", "pm_id", "payment_method"},
    _MONTH: {"month", "card_exp_month", "expiry_month", "expiration_month"},
    _YEAR: {"year", "card_exp_year", "expiry_year", "expiration_year"},
    _EXPIRY: {"exp", "exp_date", "expiry_date", "expiration", "expiration_date", "card_expiry"},
}
_RULES: Final = {
    "month": "exp_month must be 1 to 12",
    "year": "exp_year must be 2000 to 2099, or its last two digits",
}
# So much of a bad row is shown, to be mended. A CVC in the wrong column has three digits or more.
_MONTH_LIKE: Final = re.compile(r"\d{1,2}", re.ASCII).fullmatch
_YEAR_LIKE: Final = re.compile(r"(?:19|20|21)?\d\d", re.ASCII).fullmatch
_EXPIRY_LIKE: Final = re.compile(r"(\d{1,2}) ?[/-] ?((?:19|20|21)?\d\d)", re.ASCII).fullmatch


class ColumnProblem(Exception):  # noqa: N818 - it never leaves `sources`
    """A column is missing or there twice. The message is the end of a sentence."""


@frozen
class Layout:
    """Where in a row its parts stand.

    Attributes:
        id_at: The id.
        month_at: The month, or the whole expiry when there is no `year_at`.
        year_at: The year.
    """

    id_at: int
    month_at: int
    year_at: int | None

    def row(self, number: int, cells: Sequence[Any]) -> Row:
        """Return the row that the cells say."""
        good_id: str | None = None
        try:
            payment_method_id = cells[self.id_at]
            check_payment_method_id(payment_method_id)
            good_id = payment_method_id
            if self.year_at is None:
                expiry = CardExpiry.parse(cells[self.month_at])
            else:
                expiry = CardExpiry(cells[self.month_at], cells[self.year_at])
            return ExpiryRow(number, payment_method_id, expiry)
        except InvalidRequestError as error:
            rule = None if self.year_at is None else _RULES.get(error.field or "")
            return BadRow(number, rule or error.message, good_id, *self._shown_expiry(cells))

    def _shown_expiry(self, cells: Sequence[Any]) -> tuple[str | None, str | None]:
        """Return month and year of a bad row, in as far as they can be nothing else."""
        month = _text(cells[self.month_at])
        if self.year_at is not None:
            year = _text(cells[self.year_at])
            return month if _MONTH_LIKE(month) else None, year if _YEAR_LIKE(year) else None
        parts = _EXPIRY_LIKE(month)
        return (parts[1], parts[2]) if parts else (None, None)


@frozen
class Columns:
    """The columns to look for. Any case will do, and spaces and dashes for underscores.

    A name that is given must be there. Where none is given, the name of our own wins over its
    aliases, and month and year win over a column that holds the whole expiry.

    Args:
        names: Names given, by the names of our own: `{"payment_method_id": "card_ref"}`.
        expiry: Name given to a column that holds the whole expiry.

    Raises:
        ConfigurationError: Something else than a column of ours is named, or month or year beside
            a whole expiry, or a name is empty or a card number.
    """

    names: Mapping[str, str] = field(factory=dict[str, str])
    expiry: str | None = None

    def __attrs_post_init__(self) -> None:
        if set(self.names) - set(COLUMNS):
            raise ConfigurationError(f"columns that can be named are {', '.join(COLUMNS)}")
        if self.expiry is not None and {_MONTH, _YEAR} & set(self.names):
            raise ConfigurationError("name exp_month and exp_year, or an expiry column, not both")
        given = [*self.names.values(), *([] if self.expiry is None else [self.expiry])]
        if not all(map(normalised, given)):
            raise ConfigurationError("the name of a column must not be empty")
        if any(map(text_holds_card_number, given)):
            raise ConfigurationError("the name of a column must not be a card number")

    @property
    def wanted(self) -> list[str]:
        """The names to look for, for a sentence that explains the input."""
        if self.expiry is not None:
            return [normalised(self.names.get(_ID, _ID)), normalised(self.expiry)]
        return [normalised(self.names.get(name, name)) for name in COLUMNS]

    def find(self, header: Sequence[str]) -> Layout:
        """Return where the columns stand.

        Args:
            header: The names of all columns, each `normalised`.

        Raises:
            ColumnProblem: A column is missing or there twice.
        """
        id_at = self._place(header, _ID, self.names.get(_ID))
        if self.expiry is not None:
            return Layout(id_at, self._place(header, _EXPIRY, self.expiry), None)
        split = {_MONTH, _YEAR} & set(self.names) or _has(header, _MONTH) or _has(header, _YEAR)
        if not split and _has(header, _EXPIRY):
            return Layout(id_at, self._place(header, _EXPIRY, None), None)
        month_at = self._place(header, _MONTH, self.names.get(_MONTH))
        return Layout(id_at, month_at, self._place(header, _YEAR, self.names.get(_YEAR)))

    @staticmethod
    def _place(header: Sequence[str], column: str, given: str | None) -> int:
        name = normalised(given or column)
        count = header.count(name)
        if count > 1:
            raise ColumnProblem(f"repeats the column {name}")
        if count == 1:
            return header.index(name)
        found = [] if given else [at for at, name in enumerate(header) if name in _ALIASES[column]]
        if len(found) > 1:
            raise ColumnProblem(f"has more than one column that could be {column}; say which it is")
        if not found:
            raise ColumnProblem(f"lacks the column {name}")
        return found[0]


def normalised(name: str) -> str:
    """Return the name of a column as names are compared."""
    return "_".join(name.lower().replace("-", " ").split())


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _has(header: Sequence[str], column: str) -> bool:
    return column in header or not _ALIASES[column].isdisjoint(header)
