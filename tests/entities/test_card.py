from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any, cast

import attrs
import pytest

from perfectpay_async.entities import CardDetails, CardExpiry, CardNetwork, NewCard
from perfectpay_async.errors import InvalidRequestError
from perfectpay_async.secrets import Secret

NUMBER = "4000056655665556"
CVC = "739"
EXPIRY = CardExpiry(8, 2031)


def card(**changes: Any) -> NewCard:
    return NewCard(**{"number": NUMBER, "expiry": EXPIRY, "cvc": CVC, **changes})


def test_a_new_card():
    new = card(holder_name="Ada Byron", nick_name="Work", network="Visa", issuer="A Bank")
    assert new.number.reveal() == NUMBER
    assert new.cvc is not None
    assert new.cvc.reveal() == CVC
    assert new.expiry == EXPIRY
    assert new.network is CardNetwork.VISA
    assert (new.holder_name, new.nick_name, new.issuer) == ("Ada Byron", "Work", "A Bank")
    assert new.last4 == "5556"


def test_only_number_and_expiry_are_needed():
    new = NewCard(NUMBER, EXPIRY)
    assert (new.cvc, new.holder_name, new.network) == (None, None, None)


@pytest.mark.parametrize("number", ["4000 0566 5566 5556", "4000-0566-5566-5556", " " + NUMBER])
def test_spaces_and_dashes_in_the_number_are_removed(number: str):
    assert card(number=number).number.reveal() == NUMBER
    assert card(number=Secret(number)).number.reveal() == NUMBER


@pytest.mark.parametrize("number", ["00000018", "378282246310005", "6304000000000000000"])
def test_numbers_of_8_to_19_digits(number: str):
    assert card(number=number).last4 == number[-4:]


@pytest.mark.parametrize("cvc", ["000", "1234", Secret("123")])
def test_a_cvc_of_3_or_4_digits(cvc: Any):
    assert card(cvc=cvc).cvc == Secret(cvc)


def test_a_network_that_is_not_known_is_kept():
    assert card(network="VISA").network == "VISA"


BAD_NUMBERS = [
    "",
    "4000",
    NUMBER + NUMBER,
    NUMBER[:-1] + "x",
    "\N{FULLWIDTH DIGIT FOUR}" * 16,
    "4000.0566.5566.5556",
    int(NUMBER),
    NUMBER.encode(),
    [NUMBER],
    None,
    Secret(cast("Any", int(NUMBER))),
    pickle.loads(pickle.dumps(Secret(NUMBER))),
]
MISTYPED = "4000056655665565"
FAILURES: list[tuple[dict[str, Any], str, str]] = [
    *(({"number": bad}, "number", "must be a string of 8 to 19 digits") for bad in BAD_NUMBERS),
    ({"number": MISTYPED}, "number", "must have a right check digit"),
    *(
        ({"cvc": bad}, "cvc", "must be a string of 3 or 4 digits")
        for bad in ["", "73", "73973", "7 39", "٧٣٩", 739, b"739", ["739"], Secret("7399739")]
    ),
    ({"expiry": "08/31"}, "expiry", "must be a CardExpiry"),
    ({"expiry": NUMBER}, "expiry", "must be a CardExpiry"),
    ({"expiry": None}, "expiry", "must be a CardExpiry"),
    ({"holder_name": 5}, "holder_name", "must be of type str"),
    ({"nick_name": b"x"}, "nick_name", "must be of type str"),
    ({"network": 5}, "network", "must be of type CardNetwork"),
    ({"issuer": 5}, "issuer", "must be of type str"),
    ({"issuing_country": 5}, "issuing_country", "must be of type str"),
    ({"issuing_country_code": 5}, "issuing_country_code", "must be of type str"),
    ({"card_type": 5}, "card_type", "must be of type str"),
]


@pytest.mark.parametrize(("changes", "field", "rule"), FAILURES)
def test_a_refusal_names_field_and_rule_and_no_frame_holds_number_or_cvc(
    changes: dict[str, Any], field: str, rule: str, what_a_tracker_sees: Callable[..., str]
):
    with pytest.raises(InvalidRequestError) as caught:
        card(**changes)
    assert caught.value.field == field
    assert caught.value.message.startswith(f"{field} {rule}")
    seen = what_a_tracker_sees(caught.value)
    assert "number=Secret(" in seen  # it did look into our frames
    for secret in (NUMBER, NUMBER[4:], "739", MISTYPED, "0566"):
        assert secret not in seen


def test_number_cvc_and_holder_are_not_shown():
    shown = repr(card(holder_name="Ada Byron")) + str(card()) + f"{card()}"
    for hidden in (NUMBER, "5556", CVC, "Ada"):
        assert hidden not in shown


def test_a_pickled_card_loses_its_secrets():
    new = card(nick_name="Work")
    pickled = pickle.dumps(new)
    assert NUMBER.encode() not in pickled
    assert CVC.encode() not in pickled
    twin = pickle.loads(pickled)
    assert (twin.expiry, twin.nick_name) == (EXPIRY, "Work")
    with pytest.raises(ValueError, match="pickled"):
        twin.number.reveal()


def test_cards_compare_hash_copy_and_evolve():
    assert card() == card(number=Secret("4000 0566 5566 5556"))
    assert hash(card()) == hash(card())
    assert card() != card(cvc="123")
    assert copy.deepcopy(card()) == card()
    assert attrs.evolve(card(), nick_name="Home") == card(nick_name="Home")


@pytest.mark.parametrize(
    ("month", "year", "wire_year"),
    [("11", "30", "30"), ("3", "2030", "2030"), ("03", "26", "26")],
)
def test_the_expiry_of_a_saved_card_keeps_the_stored_style(month: str, year: str, wire_year: str):
    expiry = CardDetails(expiry_month=month, expiry_year=year).expiry
    assert expiry == CardExpiry(month, year)
    assert expiry is not None
    assert expiry.wire_year == wire_year


@pytest.mark.parametrize(
    ("month", "year"),
    [(None, "30"), ("11", None), (None, None), ("", ""), ("13", "30"), ("11", "030"), ("XX", "XX")],
)
def test_an_expiry_that_is_absent_or_nonsense_is_none(month: str | None, year: str | None):
    assert CardDetails(expiry_month=month, expiry_year=year).expiry is None


@pytest.mark.parametrize(
    ("stored", "last4"),
    [
        ("5556", "5556"),
        ("xxxxxxxxxxxx5556", "5556"),
        ("56", None),
        ("", None),
        (None, None),
        ("xxxx", None),
        ("55x6", None),
    ],
)
def test_the_last_four_digits_of_a_saved_card(stored: str | None, last4: str | None):
    assert CardDetails(last4_digits=stored).last4 == last4


def test_token_fingerprint_and_holder_of_a_saved_card_are_not_shown():
    details = CardDetails(
        card_token=Secret("tok-1"), card_fingerprint="fp-1", card_holder_name="Ada Byron"
    )
    for hidden in ("tok-1", "fp-1", "Ada"):
        assert hidden not in repr(details)
