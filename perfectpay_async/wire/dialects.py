"""Request bodies, in the two forms that servers of this API take.

PerfectPay's documentation puts the card under `payment_method_data`, stock Hyperswitch v1 wants it
at the top. A server refuses keys that it does not know, so both are never sent at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from perfectpay_async.entities import (
    Address,
    CardExpiry,
    NewCard,
    PaymentMethodKind,
    PaymentMethodType,
)
from perfectpay_async.entities.checks import checked
from perfectpay_async.errors import InvalidRequestError
from perfectpay_async.jsontext import encode_json
from perfectpay_async.secrets import MaskedBytes

from .codec import to_wire
from .parts import given, json_object

Dialect: TypeAlias = Literal["perfectpay", "hyperswitch"]


def create_body(
    dialect: Dialect,
    *,
    customer_id: str,
    card: NewCard,
    payment_method_type: PaymentMethodType | str | None = None,
    metadata: Mapping[str, object] | None = None,
    billing: Address | None = None,
) -> dict[str, Any]:
    """Return the body of `POST /payment_methods`.

    Its secrets are strings with a masked `repr`.

    Args:
        dialect: The form.
        customer_id: Whose card it is.
        card: The card.
        payment_method_type: "credit" or "debit".
        metadata: Your own data. The documented limits (50 keys of 40 characters, values of 500) are
            left to the server, which does not enforce them.
        billing: The billing address.

    Raises:
        InvalidRequestError: An argument has the wrong type, or metadata has no JSON form.
    """
    billing = checked("billing", billing, Address)
    body = {
        "customer_id": customer_id,
        "payment_method": PaymentMethodKind.CARD,
        "payment_method_type": checked("payment_method_type", payment_method_type, str),
        "metadata": None if metadata is None else json_object("metadata", metadata),
        "billing": None if billing is None else to_wire(billing),
    }
    card_part = {
        "card_number": card.number.reveal(),
        "card_exp_month": card.expiry.wire_month,
        "card_exp_year": card.expiry.wire_year,
        "card_cvc": None if card.cvc is None else card.cvc.reveal(),
        "card_holder_name": card.holder_name,
        "nick_name": card.nick_name,
        "card_network": card.network,
        "card_issuer": card.issuer,
        "card_issuing_country": card.issuing_country,
        "card_issuing_country_code": card.issuing_country_code,
        "card_type": card.card_type,
    }
    return given(body) | _with_card(dialect, given(card_part))


def update_body(
    dialect: Dialect,
    *,
    expiry: CardExpiry | None = None,
    holder_name: str | None = None,
    nick_name: str | None = None,
) -> dict[str, Any]:
    """Return the body of `POST /payment_methods/{payment_method_id}/update`.

    The same values always give the same text: the month has two digits, and the year is written
    as `expiry.year_digits` says. The server merges: what is left out keeps its value.

    Args:
        dialect: The form.
        expiry: New month and year.
        holder_name: New name on the card.
        nick_name: New nickname.

    Raises:
        InvalidRequestError: Nothing is to be changed, or an argument has the wrong type.
    """
    expiry = checked("expiry", expiry, CardExpiry)
    card_part = given(
        {
            "card_exp_month": expiry and expiry.wire_month,
            "card_exp_year": expiry and expiry.wire_year,
            "card_holder_name": checked("holder_name", holder_name, str),
            "nick_name": checked("nick_name", nick_name, str),
        }
    )
    if not card_part:
        raise InvalidRequestError("update needs an expiry, a holder_name or a nick_name")
    return _with_card(dialect, card_part)


def expiry_text(dialect: Dialect, expiry: CardExpiry) -> MaskedBytes:
    """Return the encoded body of an update of the expiry alone, which most updates are.

    It is the same for the same expiry, so it is kept: encoding it again would take a twentieth of
    the time of the whole call.
    """
    return _expiry_text(dialect, expiry.month, expiry.year, expiry.year_digits)


@lru_cache(maxsize=1_024)
def _expiry_text(
    dialect: Dialect, month: int, year: int, year_digits: Literal[2, 4]
) -> MaskedBytes:
    return encode_json(update_body(dialect, expiry=CardExpiry(month, year, year_digits)))


def _with_card(dialect: Dialect, card: dict[str, Any]) -> dict[str, Any]:
    return {"card": card} if dialect == "hyperswitch" else {"payment_method_data": {"card": card}}
