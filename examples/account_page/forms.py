"""What the customer sent, checked. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from perfectpay_async import CardExpiry, CustomerPaymentMethod, InvalidRequestError

from . import words
from .cards import Standing, standing


class FormError(Exception):
    """What was sent cannot be used.

    Args:
        sentence: What is wrong and what to do, for the customer.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def entered_expiry(form: Mapping[str, str], on: date) -> CardExpiry:
    """Return the expiry from the fields `month` and `year`.

    Raises:
        FormError: It is no expiry, or past.
    """
    try:
        expiry = CardExpiry(form.get("month", ""), form.get("year", ""))
    except InvalidRequestError:
        raise FormError(words.NO_EXPIRY) from None
    if expiry.is_expired(on):
        raise FormError(words.PAST_EXPIRY)
    return expiry


def chosen_method(
    form: Mapping[str, str], methods: Sequence[CustomerPaymentMethod], on: date
) -> CustomerPaymentMethod:
    """Return the method that the field `method` names.

    Args:
        form: What was sent.
        methods: The customer's methods: only one of these can be chosen.
        on: Today.

    Raises:
        FormError: None was chosen, or one that cannot be used.
    """
    chosen_id = form.get("method")
    for method in methods:
        if method.payment_method_id == chosen_id:
            if standing(method, on) is Standing.EXPIRED:
                raise FormError(words.EXPIRED_CHOICE)
            return method
    raise FormError(words.NO_CHOICE if chosen_id is None else words.CHOICE_IS_GONE)
