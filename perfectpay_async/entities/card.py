"""Cards: a new one, with its number, and a saved one, as the server shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from attrs import field, frozen

from perfectpay_async.errors import InvalidRequestError
from perfectpay_async.secrets import Secret

from .base import Entity, extra_field
from .checks import checked, has_check_digit, is_digits
from .enums import CardNetwork
from .expiry import CardExpiry

_NUMBER_LENGTHS: Final = range(8, 20)
_CVC_LENGTHS: Final = range(3, 5)
_LAST: Final = 4
_GROUPING: Final = str.maketrans("", "", " -")
_TEXTS: Final = (
    "holder_name",
    "nick_name",
    "issuer",
    "issuing_country",
    "issuing_country_code",
    "card_type",
)


@frozen(init=False)
class NewCard:
    """A card to be saved. Number and CVC are never shown, logged or pickled.

    Whether the card has expired is checked when it is sent, which needs today's date.

    Args:
        number: 8 to 19 digits with a right check digit; spaces and dashes are removed.
        expiry: The last month in which the card is good.
        cvc: 3 or 4 digits.
        holder_name: Name on the card.
        nick_name: Your name for the card.
        network: Such as `CardNetwork.VISA`.
        issuer: Name of the bank.
        issuing_country: Country of the bank.
        issuing_country_code: Its code.
        card_type: Such as "CREDIT".

    Raises:
        InvalidRequestError: A value breaks its rule; the message names field and rule, and neither
            it nor its traceback holds the number or the CVC.

    Examples:
        >>> NewCard("4242 4242 4242 4242", CardExpiry(10, 2030), cvc="123").last4
        '4242'
    """

    number: Secret
    expiry: CardExpiry
    cvc: Secret | None = None
    holder_name: str | None = field(default=None, repr=False)
    nick_name: str | None = None
    network: CardNetwork | None = None
    issuer: str | None = None
    issuing_country: str | None = None
    issuing_country_code: str | None = None
    card_type: str | None = None

    def __init__(
        self,
        number: str | Secret,
        expiry: CardExpiry,
        *,
        cvc: str | Secret | None = None,
        holder_name: str | None = None,
        nick_name: str | None = None,
        network: CardNetwork | str | None = None,
        issuer: str | None = None,
        issuing_country: str | None = None,
        issuing_country_code: str | None = None,
        card_type: str | None = None,
    ) -> None:
        # By hand, because the constructor that attrs would write holds the bare number in its
        # frame while a check raises. Made complete before it is checked, so that it can be printed.
        number = _without_grouping(Secret(number))
        cvc = None if cvc is None else Secret(cvc)
        expiry = _expiry_or_none(expiry)
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
            number=number,
            expiry=expiry,
            cvc=cvc,
            holder_name=holder_name,
            nick_name=nick_name,
            network=_network(network),
            issuer=issuer,
            issuing_country=issuing_country,
            issuing_country_code=issuing_country_code,
            card_type=card_type,
        )

    def __attrs_post_init__(self) -> None:
        if not _has_digits(self.number, _NUMBER_LENGTHS):
            raise InvalidRequestError("number must be a string of 8 to 19 digits", field="number")
        if not has_check_digit(self.number.reveal()):
            raise InvalidRequestError(
                "number must have a right check digit (Luhn); a digit may be mistyped",
                field="number",
            )
        if self.cvc is not None and not _has_digits(self.cvc, _CVC_LENGTHS):
            raise InvalidRequestError("cvc must be a string of 3 or 4 digits", field="cvc")
        if _expiry_or_none(self.expiry) is None:
            raise InvalidRequestError("expiry must be a CardExpiry", field="expiry")
        checked("network", self.network, CardNetwork)
        for name in _TEXTS:
            checked(name, getattr(self, name), str)

    @property
    def last4(self) -> str:
        """The last four digits of the number, which may be shown."""
        return self.number.reveal()[-_LAST:]


@frozen(kw_only=True, eq=False, repr=False)
class CardDetails(Entity):
    """A saved card, masked by the server. Which fields it fills differs from call to call.

    Attributes:
        scheme: The card scheme, such as "Visa", in any spelling.
        issuer_country: Name or code of the bank's country, in any spelling.
        issuer_country_code: A country code; odd values occur.
        last4_digits: The end of the number as the server writes it; see `last4`.
        expiry_month: One or two digits, as stored; see `expiry`.
        expiry_year: Two or four digits, as stored; see `expiry`.
        card_token: The vault's token. Never shown, logged or pickled.
        card_holder_name: Name on the card.
        card_fingerprint: The same for the same card number.
        nick_name: Your name for the card.
        card_network: The network.
        card_isin: The first digits of the number, which tell the bank.
        card_issuer: Name of the bank.
        card_type: Such as "CREDIT", in any spelling.
        saved_to_locker: Whether the vault holds the card.
        extra: Fields that this version does not know.
    """

    scheme: str | None = None
    issuer_country: str | None = None
    issuer_country_code: str | None = None
    last4_digits: str | None = None
    expiry_month: str | None = None
    expiry_year: str | None = None
    card_token: Secret | None = None
    card_holder_name: str | None = field(default=None, repr=False)
    card_fingerprint: str | None = field(default=None, repr=False)
    nick_name: str | None = None
    card_network: CardNetwork | None = None
    card_isin: str | None = None
    card_issuer: str | None = None
    card_type: str | None = None
    saved_to_locker: bool | None = None
    extra: Mapping[str, object] = extra_field()

    @property
    def expiry(self) -> CardExpiry | None:
        """The expiry, in the year style that the server stored.

        None when the server left a part of it out or stored what is not a month and a year.
        """
        if self.expiry_month is None or self.expiry_year is None:
            return None
        year_digits: Literal[2, 4] = 4 if self.expiry_year[2:] else 2
        try:
            return CardExpiry(self.expiry_month, self.expiry_year, year_digits)
        except InvalidRequestError:
            return None

    @property
    def last4(self) -> str | None:
        """The last four digits of the number, also where the server writes `xxxxxxxxxxxx4242`."""
        last = (self.last4_digits or "")[-_LAST:]
        return last if len(last) == _LAST and is_digits(last) else None


def _expiry_or_none(value: object) -> Any:
    """Drop what is no expiry: it could be the number, in the wrong place."""
    return value if isinstance(value, CardExpiry) else None


def _network(value: object) -> Any:
    return CardNetwork(value) if isinstance(value, str) else value


def _without_grouping(number: Secret) -> Secret:
    try:
        return Secret(number.reveal().translate(_GROUPING))
    except (TypeError, ValueError):
        return number  # not a string, or lost in a pickle: `_has_digits` refuses it


def _has_digits(secret: Secret, lengths: range) -> bool:
    try:
        return len(secret.reveal()) in lengths and is_digits(secret.reveal())
    except (TypeError, ValueError):
        return False
