from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from perfectpay_async.entities import (
    check_customer_id,
    check_ephemeral_key_id,
    check_payment_method_id,
    quote_segment,
)
from perfectpay_async.errors import InvalidRequestError

REPEATABLE = settings(derandomize=True)
CARD = "4000056655665556"


@pytest.mark.parametrize(
    "value",
    [
        "pm_9fQ2xT4mZk7LrW3vBn6d",
        "9fQ2xT4mZk7LrW3v",
        "12345_pm_0190163d8694739baea5966c26f8ad91",
        "card_é",
        "a",
        ".a",
        "a..b",
        "x" * 255,
        "é:@!$&'()*+,;=~",
        CARD[:-1] + "7",
        "4" * 12,
        "4000056655665556x",
        "42" * 10,
    ],
)
def test_ids_of_payment_methods_are_opaque(value: str):
    check_payment_method_id(value)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("", "must have 1 to 255 characters"),
        ("x" * 256, "must have 1 to 255 characters"),
        (None, "must be a string"),
        (7, "must be a string"),
        (b"pm_1", "must be a string"),
        *(
            (text, "must not hold white space or control characters")
            for text in ["a b", " ", "a\n"]
        ),
        *((text, "must not hold white space or control") for text in ["\x00", "\u2028", "\ud800"]),
        *((f"a{char}b", "must not hold any of / \\ ? # %") for char in "/\\?#%"),
        ("../x", "must not hold any of / \\ ? # %"),
        *((dots, "must not consist of dots") for dots in [".", "..", "..."]),
    ],
)
def test_what_cannot_be_an_id_or_would_reach_another_route_is_refused(value: Any, rule: str):
    with pytest.raises(InvalidRequestError) as caught:
        check_payment_method_id(value)
    assert caught.value.message.startswith(f"payment_method_id {rule}")
    assert caught.value.field == "payment_method_id"


@pytest.mark.parametrize("value", [CARD, "4000-0566-5566-5556", "378282246310005"])
def test_a_card_number_is_refused_without_being_shown(
    value: str, what_a_tracker_sees: Callable[..., str]
):
    with pytest.raises(
        InvalidRequestError, match="looks like a card number; pass the id"
    ) as caught:
        check_payment_method_id(value, "row 7: payment_method_id")
    assert caught.value.field == "row 7: payment_method_id"
    assert value[-6:] not in what_a_tracker_sees(caught.value)


@pytest.mark.parametrize("value", ["cus_1", "x" * 64, "-", "_", "A-b_9", "1"])
def test_ids_of_customers(value: str):
    check_customer_id(value)


@pytest.mark.parametrize(
    "value", ["", "x" * 65, "a b", "a/b", "..", "é", "a.b", None, 7, "a\n", "²"]
)
def test_a_bad_customer_id_is_refused(value: Any, what_a_tracker_sees: Callable[..., str]):
    with pytest.raises(InvalidRequestError, match=r"^customer_id must ") as caught:
        check_customer_id(value)
    assert caught.value.field == "customer_id"
    assert repr(value) not in what_a_tracker_sees(caught.value)


def accepted(value: str) -> bool:
    try:
        check_payment_method_id(value)
    except InvalidRequestError:
        return False
    return True


@REPEATABLE
@given(st.text(max_size=300))
def test_an_accepted_id_stays_one_segment_of_the_url(value: str):
    if not accepted(value):
        return
    segment = quote_segment(value)
    assert segment.isascii()
    assert unquote(segment) == value
    url = URL("https://api.example").with_path(f"/payment_methods/{segment}/update", encoded=True)
    assert url.parts == ("/", "payment_methods", value, "update")
    assert (url.query_string, url.fragment) == ("", "")


@pytest.mark.parametrize("name", ["list", "list_with_count", "payment_methods"])
def test_names_of_routes_are_no_customer_ids(name: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"customer_id must not be {name}, "):
        check_customer_id(name)
    check_customer_id(f"{name}_1")
    check_payment_method_id(name)  # below /payment_methods there is no other route


class TestEphemeralKeyIds:
    def test_opaque_ids_are_taken(self) -> None:
        check_ephemeral_key_id("eki_DuTISISBl1O0MAyczMQ8")
        check_ephemeral_key_id("7")

    @pytest.mark.parametrize("bad", ["", "a/b", "..", "a b", None, 7])
    def test_others_are_not(self, bad: Any) -> None:
        with pytest.raises(InvalidRequestError, match="key_id must"):
            check_ephemeral_key_id(bad)

    def test_the_secret_is_refused_and_not_quoted(self) -> None:
        with pytest.raises(InvalidRequestError, match="not its secret") as caught:
            check_ephemeral_key_id("epk_planted")
        assert "planted" not in str(caught.value)
