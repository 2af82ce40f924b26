"""How a saved method is called, and whether its card has expired. Pure: the day is passed in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Final

from perfectpay_async import CardExpiry, CardNetwork, CustomerPaymentMethod

SOON_MONTHS: Final = 2
"""A card expires soon when this month or the next one is its last."""

_BRANDS: Final = {
    CardNetwork.AMERICAN_EXPRESS: "American Express",
    CardNetwork.DINERS_CLUB: "Diners Club",
    CardNetwork.CARTES_BANCAIRES: "Cartes Bancaires",
    CardNetwork.UNION_PAY: "UnionPay",
    CardNetwork.RU_PAY: "RuPay",
}
_MONTHS: Final = 12


class Standing(StrEnum):
    """How long a card will be good."""

    GOOD = "good"
    SOON = "soon"
    EXPIRED = "expired"


def expires_soon(expiry: CardExpiry, on: date, months: int = SOON_MONTHS) -> bool:
    """Return whether a card is still good on that day, but not for long.

    Args:
        expiry: The card's expiry.
        on: The day.
        months: How many months are not long, the one of that day included.
    """
    left = (expiry.year - on.year) * _MONTHS + expiry.month - on.month
    return 0 <= left < months


def standing(method: CustomerPaymentMethod, on: date) -> Standing:
    """Return how long a method's card will be good; what has no known expiry counts as good."""
    expiry = method.card.expiry if method.card else None
    if expiry is None:
        return Standing.GOOD
    if expiry.is_expired(on):
        return Standing.EXPIRED
    return Standing.SOON if expires_soon(expiry, on) else Standing.GOOD


def brand(method: CustomerPaymentMethod) -> str:
    """Return what kind of card, or else what kind of method it is."""
    card = method.card
    if card is not None:
        if card.card_network is not None:
            return _BRANDS.get(card.card_network, card.card_network)
        return card.scheme or "Card"
    kind = method.payment_method_type or method.payment_method or "payment method"
    return kind.replace("_", " ").capitalize()


def ending(method: CustomerPaymentMethod) -> str | None:
    """Return the last digits of the card or account, as far as the server shows them."""
    if method.card is not None:
        return method.card.last4
    mask = method.bank.mask if method.bank else None
    return mask[-4:] if mask else None


def name(method: CustomerPaymentMethod) -> str:
    """Return what the method is called in a sentence, such as "Visa ending in 4242"."""
    digits = ending(method)
    return f"{brand(method)} ending in {digits}" if digits else brand(method)


def needs_cvc(method: CustomerPaymentMethod) -> bool:
    """Return whether the customer has to enter the CVC to pay; so, too, when the server is silent.

    Only a card has one.
    """
    return method.card is not None and method.requires_cvv is not False


def preselected(methods: Sequence[CustomerPaymentMethod], on: date) -> str | None:
    """Return the id of the method to offer first: the default, or the first that is still good."""
    good = [method for method in methods if standing(method, on) is not Standing.EXPIRED]
    good.sort(key=lambda method: not method.default_payment_method_set)
    return good[0].payment_method_id if good else None
