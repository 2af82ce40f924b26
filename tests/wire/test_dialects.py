from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from perfectpay_async.entities import (
    Address,
    AddressDetails,
    CardExpiry,
    CardNetwork,
    FrozenMapping,
    NewCard,
    PaymentMethodType,
    Phone,
)
from perfectpay_async.errors import InvalidRequestError
from perfectpay_async.jsontext import encode_json
from perfectpay_async.wire.dialects import Dialect, create_body, update_body

NUMBER = "4000056655665556"


@pytest.fixture
def card() -> NewCard:
    return NewCard(
        NUMBER,
        CardExpiry(8, 2031),
        cvc="739",
        holder_name="Ada Byron",
        nick_name="Work",
        network=CardNetwork.VISA,
        issuer="FJORD BANK ASA",
        issuing_country="NORWAY",
        issuing_country_code="NO",
        card_type="DEBIT",
    )


def as_sent(body: dict[str, Any]) -> Any:
    return json.loads(encode_json(body))


CARD = {
    "card_number": NUMBER,
    "card_exp_month": "08",
    "card_exp_year": "31",
    "card_cvc": "739",
    "card_holder_name": "Ada Byron",
    "nick_name": "Work",
    "card_network": "Visa",
    "card_issuer": "FJORD BANK ASA",
    "card_issuing_country": "NORWAY",
    "card_issuing_country_code": "NO",
    "card_type": "DEBIT",
}


@pytest.mark.parametrize(
    ("dialect", "card_part"),
    [("perfectpay", {"payment_method_data": {"card": CARD}}), ("hyperswitch", {"card": CARD})],
)
def test_create_with_everything(dialect: Dialect, card_part: dict[str, Any], card: NewCard):
    body = create_body(
        dialect,
        customer_id="cus_ada",
        card=card,
        payment_method_type=PaymentMethodType.DEBIT,
        metadata={"order": {"lines": [1, None]}},
        billing=Address(
            address=AddressDetails(city="Bergen", country="NO"),
            phone=Phone(number="55500100", country_code="+47"),
            email="ada@example.com",
        ),
    )
    assert as_sent(body) == {
        "customer_id": "cus_ada",
        "payment_method": "card",
        "payment_method_type": "debit",
        "metadata": {"order": {"lines": [1, None]}},
        "billing": {
            "address": {"city": "Bergen", "country": "NO"},
            "phone": {"number": "55500100", "country_code": "+47"},
            "email": "ada@example.com",
        },
        **card_part,
    }


def test_create_leaves_out_what_is_not_given():
    body = create_body("perfectpay", customer_id="c", card=NewCard(NUMBER, CardExpiry(8, 2031, 4)))
    assert as_sent(body) == {
        "customer_id": "c",
        "payment_method": "card",
        "payment_method_data": {
            "card": {"card_number": NUMBER, "card_exp_month": "08", "card_exp_year": "2031"}
        },
    }


def test_number_and_cvc_have_a_masked_repr_in_the_body(card: NewCard):
    shown = repr(create_body("perfectpay", customer_id="c", card=card))
    assert NUMBER not in shown
    assert "739" not in shown


def test_metadata_of_a_saved_method_can_be_sent_again(card: NewCard):
    metadata = FrozenMapping({"a": [1]})
    body = create_body("perfectpay", customer_id="c", card=card, metadata=metadata)
    assert as_sent(body)["metadata"] == {"a": [1]}


@pytest.mark.parametrize(
    "metadata", ["text", 5, [1], {"a": datetime.now(UTC)}, {"a": float("nan")}, {(1,): 2}]
)
def test_metadata_that_json_does_not_have_is_refused(
    metadata: Any, card: NewCard, what_a_tracker_sees: Callable[..., str]
):
    with pytest.raises(InvalidRequestError, match="metadata must be a mapping of values") as caught:
        create_body("perfectpay", customer_id="c", card=card, metadata=metadata)
    assert caught.value.field == "metadata"
    assert NUMBER not in what_a_tracker_sees(caught.value)


@pytest.mark.parametrize("field", ["payment_method_type", "billing"])
def test_create_refuses_another_type(field: str, card: NewCard):
    with pytest.raises(InvalidRequestError, match=f"{field} must be of type") as caught:
        create_body("perfectpay", customer_id="c", card=card, **{field: 5})  # type: ignore[arg-type]
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("changes", "card_part"),
    [
        (
            {"expiry": CardExpiry(3, 2031)},
            {"card_exp_month": "03", "card_exp_year": "31"},
        ),
        (
            {"expiry": CardExpiry("3", "2031", 4)},
            {"card_exp_month": "03", "card_exp_year": "2031"},
        ),
        ({"holder_name": "Ada King"}, {"card_holder_name": "Ada King"}),
        ({"nick_name": ""}, {"nick_name": ""}),
        (
            {"expiry": CardExpiry(12, 2030), "holder_name": "Ada", "nick_name": "Work"},
            {
                "card_exp_month": "12",
                "card_exp_year": "30",
                "card_holder_name": "Ada",
                "nick_name": "Work",
            },
        ),
    ],
)
def test_update_in_both_dialects(changes: dict[str, Any], card_part: dict[str, str]):
    assert update_body("perfectpay", **changes) == {"payment_method_data": {"card": card_part}}
    assert update_body("hyperswitch", **changes) == {"card": card_part}


def test_the_same_update_always_gives_the_same_bytes():
    bodies = {
        bytes(encode_json(update_body("perfectpay", expiry=expiry)))
        for expiry in (CardExpiry(3, 31), CardExpiry("03", "2031"), CardExpiry.parse("3/31"))
    }
    assert bodies == {
        b'{"payment_method_data":{"card":{"card_exp_month":"03","card_exp_year":"31"}}}'
    }


def test_an_update_of_nothing_is_refused():
    with pytest.raises(
        InvalidRequestError, match="update needs an expiry, a holder_name or a nick"
    ):
        update_body("perfectpay")


@pytest.mark.parametrize("field", ["expiry", "holder_name", "nick_name"])
def test_update_refuses_another_type(field: str):
    with pytest.raises(InvalidRequestError, match=f"{field} must be of type") as caught:
        update_body("perfectpay", **{field: 5})  # type: ignore[arg-type]
    assert caught.value.field == field
