from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perfectpay_async.entities import (
    CardExpiry,
    CardNetwork,
    PaymentExperience,
    PaymentMethod,
    PaymentMethodIssuerCode,
    PaymentMethodKind,
    PaymentMethodType,
    Percentage,
    SurchargeKind,
)
from perfectpay_async.errors import ResponseDecodingError
from perfectpay_async.messages import Response
from perfectpay_async.outcome import Outcome
from perfectpay_async.secrets import Secret
from perfectpay_async.wire.codec import (
    check_payment_method,
    decode_deleted,
    decode_payment_method,
    decode_payment_method_list,
    to_wire,
)

REPEATABLE = settings(
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
Answer = Callable[..., Response]
Body = dict[str, Any]


def test_a_payment_method_with_every_field(answer: Answer, method_body: Body):
    response = answer(200, method_body)
    method = decode_payment_method(response)
    assert method.payment_method_id == "pm_9fQ2xT4mZk7LrW3vBn6d"
    assert method.merchant_id == "merchant_1700000001"
    assert method.customer_id == "cus_ada"
    assert method.payment_method is PaymentMethodKind.CARD
    assert method.payment_method_type is PaymentMethodType.DEBIT
    assert (method.recurring_enabled, method.installment_payment_enabled) == (True, False)
    assert method.payment_experience == (
        PaymentExperience.REDIRECT_TO_URL,
        PaymentExperience.ONE_CLICK,
    )
    assert method.metadata == {"order": {"lines": [1, 2]}, "note": None}
    assert method.wallet == {"last4": "5556", "type": "DEBIT"}
    assert method.bank_transfer == {"iban": "NO9386011117947"}
    assert method.created == datetime(2026, 2, 3, 4, 5, 6, 789_000, UTC)
    assert method.last_used_at == datetime(2026, 3, 4, 5, 6, 7, 0, UTC)
    assert method.client_secret == Secret(method_body["client_secret"])
    assert method.extra == {}
    assert method.response is response


def test_a_card_with_every_field(answer: Answer, method_body: Body):
    card = decode_payment_method(answer(200, method_body)).card
    assert card is not None
    assert card.expiry == CardExpiry(8, 2031)
    assert card.expiry.wire_year == "2031"
    assert card.last4 == "5556"
    assert card.card_network is CardNetwork.MASTERCARD
    assert card.card_token == Secret("vault-token-1")
    assert card.card_holder_name == "Ada Byron"
    assert card.saved_to_locker is True


def test_the_four_fields_that_perfectpay_documents_are_enough(answer: Answer):
    body = {
        "payment_method_id": "pm_7",
        "payment_method": "card",
        "payment_method_type": "credit",
        "customer_id": "cus_7",
    }
    assert decode_payment_method(answer(200, body)) == PaymentMethod(
        payment_method_id="pm_7",
        payment_method=PaymentMethodKind.CARD,
        payment_method_type=PaymentMethodType.CREDIT,
        customer_id="cus_7",
    )


def test_null_and_missing_are_the_same(answer: Answer, method_body: Body):
    nulls = dict.fromkeys(method_body) | {"payment_method_id": "pm_7"}
    assert decode_payment_method(answer(200, nulls)) == PaymentMethod(payment_method_id="pm_7")
    in_card = {"payment_method_id": "pm_7", "card": dict.fromkeys(method_body["card"])}
    assert decode_payment_method(answer(200, in_card)) == decode_payment_method(
        answer(200, {"payment_method_id": "pm_7", "card": {}})
    )


@pytest.mark.parametrize(
    ("changes", "attribute", "expected"),
    [
        ({"payment_method_id": "2A85jQ3iW4tWdzLB"}, "payment_method_id", "2A85jQ3iW4tWdzLB"),
        ({"payment_method_type": None}, "payment_method_type", None),
        ({"payment_method_type": "credit_card"}, "payment_method_type", "credit_card"),
        ({"payment_method": "barter"}, "payment_method", "barter"),
        ({"payment_experience": []}, "payment_experience", ()),
        ({"payment_experience": ["teleport"]}, "payment_experience", ("teleport",)),
        ({"metadata": {}}, "metadata", {}),
    ],
)
def test_the_variety_of_methods(
    answer: Answer, method_body: Body, changes: Body, attribute: str, expected: object
):
    method = decode_payment_method(answer(200, method_body | changes))
    assert getattr(method, attribute) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"expiry_year": "31"},
        {"expiry_month": "8"},
        {"issuer_country": "UNITEDKINGDOM", "issuer_country_code": "512.0"},
        {"issuer_country": "", "issuer_country_code": ""},
        {"last4_digits": "xxxxxxxxxxxx5556"},
        {"card_isin": "4000056", "card_type": "Credit", "scheme": "visa"},
        {"card_network": "VISA"},
        {"card_network": None, "card_issuer": None, "card_type": None, "scheme": None},
    ],
)
def test_the_variety_of_cards(answer: Answer, method_body: Body, changes: Body):
    method_body["card"] |= changes
    card = decode_payment_method(answer(200, method_body)).card
    assert card is not None
    assert {name: getattr(card, name) for name in changes} == changes
    assert card.expiry == CardExpiry(8, 2031)
    assert card.last4 == "5556"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-02-03T04:05:06Z", datetime(2026, 2, 3, 4, 5, 6, 0, UTC)),
        ("2026-02-03T04:05:06.123456Z", datetime(2026, 2, 3, 4, 5, 6, 123_456, UTC)),
        ("2026-02-03T04:05:06", datetime(2026, 2, 3, 4, 5, 6, 0, UTC)),
        ("2026-02-03T04:05:06.5+02:00", datetime(2026, 2, 3, 2, 5, 6, 500_000, UTC)),
        ("2026-02-03 04:05:06-05:30", datetime(2026, 2, 3, 9, 35, 6, 0, UTC)),
        (1_770_091_506, datetime(2026, 2, 3, 4, 5, 6, 0, UTC)),
        (1_770_091_506.5, datetime(2026, 2, 3, 4, 5, 6, 500_000, UTC)),
    ],
)
def test_the_variety_of_times(answer: Answer, method_body: Body, text: object, expected: datetime):
    method = decode_payment_method(answer(200, method_body | {"created": text}))
    assert method.created == expected
    assert method.created.tzinfo is UTC


def test_unknown_fields_are_kept_at_every_level(answer: Answer, method_body: Body):
    method_body |= {"status": "active", "response": 1, "extra": {"a": [1]}}
    method_body["card"]["tokenised"] = False
    response = answer(200, method_body)
    method = decode_payment_method(response)
    assert method.extra == {"status": "active", "response": 1, "extra": {"a": [1]}}
    assert method.response is response
    assert method.card is not None
    assert method.card.extra == {"tokenised": False}


def test_secrets_of_the_body_are_not_shown(answer: Answer, method_body: Body, item_body: Body):
    shown = repr(decode_payment_method(answer(200, method_body)))
    shown += repr(decode_payment_method_list(answer(200, [item_body])))
    hidden = (
        "_secret_",
        "vault-token-1",
        "token_Qw3",
        "fp_77aa",
        "Ada",
        "Strandgaten",
        "NO93",
        "beta",
    )
    assert [text for text in hidden if text in shown] == []


def test_the_method_that_was_asked_for(answer: Answer, method_body: Body):
    expected = method_body["payment_method_id"]
    method = decode_payment_method(answer(200, method_body), expected_id=expected)
    assert method.payment_method_id == expected


def test_another_method_than_the_one_asked_for_is_refused(
    answer: Answer, method_body: Body, what_a_tracker_sees: Callable[..., str]
):
    with pytest.raises(ResponseDecodingError, match="must be the id that was asked for") as caught:
        decode_payment_method(answer(200, method_body), expected_id="pm_other")
    assert caught.value.path == "payment_method_id"
    assert caught.value.outcome is Outcome.UNKNOWN
    assert "pm_9f" not in what_a_tracker_sees(caught.value)


def test_a_check_reads_nothing_but_the_id(answer: Answer, method_body: Body):
    check_payment_method(answer(200, {**method_body, "card": 7}), method_body["payment_method_id"])


@pytest.mark.parametrize("changes", [{"payment_method_id": "pm_other"}, {"payment_method_id": 7}])
def test_a_check_refuses_another_method(
    answer: Answer, method_body: Body, changes: Body, what_a_tracker_sees: Callable[..., str]
):
    asked = method_body["payment_method_id"]
    body = {**method_body, **changes, "client_secret": "planted83613"}
    with pytest.raises(ResponseDecodingError, match="must be the id that was asked for") as caught:
        check_payment_method(answer(200, body), asked)
    assert caught.value.path == "payment_method_id"
    assert caught.value.outcome is Outcome.UNKNOWN
    for secret in ("pm_other", "planted83613"):
        assert secret not in what_a_tracker_sees(caught.value)


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"null", b"[]", b'"pm_1"', b"{}"])
def test_a_check_refuses_what_names_no_method(answer: Answer, body: bytes):
    with pytest.raises(ResponseDecodingError):
        check_payment_method(answer(200, body), "pm_1")


def test_a_list_item_with_every_field(answer: Answer, item_body: Body):
    response = answer(200, {"customer_payment_methods": [item_body], "is_guest_customer": False})
    methods = decode_payment_method_list(response)
    assert methods.response is response
    assert methods.is_guest_customer is False
    (item,) = methods
    assert methods.default is item
    assert item.payment_token == Secret("token_Qw3eRt5yUi7oPa9sDf1g")
    assert item.payment_method_issuer == ""
    assert item.payment_method_issuer_code is PaymentMethodIssuerCode.JP_SEPA
    assert item.requires_cvv is True
    assert item.bank is not None
    assert item.bank.mask == "7947"
    assert item.billing is not None
    assert item.billing.address is not None
    assert item.billing.address.city == "Bergen"
    assert item.billing.address.line2 is None
    assert item.billing.phone is not None
    assert item.billing.phone.country_code == "+47"


def test_a_surcharge_that_is_a_rate(answer: Answer, item_body: Body):
    (item,) = decode_payment_method_list(answer(200, [item_body]))
    details = item.surcharge_details
    assert details is not None
    assert details.surcharge is not None
    assert details.surcharge.type is SurchargeKind.RATE
    assert details.surcharge.value == Percentage(percentage=2.5)
    assert details.tax_on_surcharge == Percentage(percentage=25.0)
    assert details.tax_on_surcharge is not None
    assert type(details.tax_on_surcharge.percentage) is float
    assert details.display_total_surcharge_amount == 1.56


def test_a_surcharge_that_is_fixed(answer: Answer, item_body: Body):
    item_body["surcharge_details"]["surcharge"] = {"type": "fixed", "value": 125}
    (item,) = decode_payment_method_list(answer(200, [item_body]))
    assert item.surcharge_details is not None
    assert item.surcharge_details.surcharge is not None
    assert item.surcharge_details.surcharge.type is SurchargeKind.FIXED
    assert item.surcharge_details.surcharge.value == 125


def test_the_least_of_an_item(answer: Answer):
    (item,) = decode_payment_method_list(answer(200, [{"payment_method_id": "pm_7"}]))
    assert (item.requires_cvv, item.default_payment_method_set) == (None, False)


@pytest.mark.parametrize("body", [[], {"customer_payment_methods": []}])
def test_an_empty_list(answer: Answer, body: object):
    assert len(decode_payment_method_list(answer(200, body))) == 0


def test_a_bare_array_and_the_envelope_are_the_same(answer: Answer, item_body: Body):
    bare = decode_payment_method_list(answer(200, [item_body]))
    assert bare == decode_payment_method_list(
        answer(200, {"customer_payment_methods": [item_body]})
    )


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"payment_method_id": "pm_7", "deleted": True}),
        (200, b""),
        (200, b" \n"),
        (204, b""),
        (200, {"deleted": True}),
        (200, {}),
    ],
)
def test_the_ways_to_say_deleted(answer: Answer, status: int, body: object):
    response = answer(status, body)
    gone = decode_deleted(response, "pm_7")
    assert (gone.payment_method_id, gone.deleted, gone.extra) == ("pm_7", True, {})
    assert gone.response is response


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"payment_method_id": "pm_8", "deleted": True}, "payment_method_id"),
        ({"payment_method_id": "pm_7", "deleted": False}, "deleted"),
        ({"payment_method_id": "pm_7", "deleted": "true"}, "deleted"),
        ({"payment_method_id": None, "deleted": True}, "payment_method_id"),
        ([], ""),
        ("deleted", ""),
        (b"deleted", ""),
    ],
)
def test_what_does_not_say_deleted_is_refused(answer: Answer, body: object, path: str):
    with pytest.raises(ResponseDecodingError) as caught:
        decode_deleted(answer(200, body), "pm_7")
    assert caught.value.path == path


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[" * 100_000, b"null", b"7", b'"x"', b"true"]
)
def test_what_is_no_json_object_is_refused(answer: Answer, body: bytes):
    for decode in (decode_payment_method, decode_payment_method_list):
        with pytest.raises(ResponseDecodingError, match="the body of the answer") as caught:
            decode(answer(200, body))
        assert caught.value.path == ""


PLANTED = "4000056655665556"
WRONG: list[tuple[str, object, str]] = [
    ("payment_method_id", None, "is missing"),
    ("payment_method_id", 7, "must be a string, not a number"),
    ("payment_method", 7, "must be a string, not a number"),
    ("payment_method_type", [PLANTED], "must be a string, not an array"),
    ("customer_id", True, "must be a string, not a boolean"),
    ("recurring_enabled", "false", "must be a boolean, not a string"),
    ("recurring_enabled", 0, "must be a boolean, not a number"),
    ("payment_experience", "redirect_to_url", "must be an array, not a string"),
    ("payment_experience[1]", 7, "must be a string, not a number"),
    ("payment_experience[0]", None, "must be a string, not null"),
    ("metadata", [PLANTED], "must be an object, not an array"),
    ("wallet", PLANTED, "must be an object, not a string"),
    ("created", PLANTED + "x", "must be an ISO 8601 time or seconds since 1970"),
    ("created", "", "must be an ISO 8601 time or seconds since 1970"),
    ("created", True, "must be an ISO 8601 time or seconds since 1970, not a boolean"),
    ("created", 1e300, "must be an ISO 8601 time or seconds since 1970"),
    ("created", 10**40, "must be an ISO 8601 time or seconds since 1970"),
    ("created", "0001-01-01T00:00:00+23:00", "must be an ISO 8601 time or seconds since 1970"),
    ("client_secret", {"x": PLANTED}, "must be a string, not an object"),
    ("card", PLANTED, "must be an object, not a string"),
    ("card.expiry_month", 8, "must be a string, not a number"),
    ("card.saved_to_locker", "yes", "must be a boolean, not a string"),
    ("card.card_network", 7, "must be a string, not a number"),
    ("card.card_token", 7, "must be a string, not a number"),
]


def plant(body: Any, path: str, value: object) -> None:
    """Put a value where the path says."""
    *parents, last = path.replace("[", ".[").split(".")
    for step in parents:
        body = body[int(step[1:-1]) if step.startswith("[") else step]
    body[int(last[1:-1]) if last.startswith("[") else last] = value


@pytest.mark.parametrize(("path", "value", "rule"), WRONG)
def test_a_wrong_type_is_refused_with_its_path_and_never_its_value(
    path: str,
    value: object,
    rule: str,
    answer: Answer,
    method_body: Body,
    what_a_tracker_sees: Callable[..., str],
):
    plant(method_body, path, value)
    with pytest.raises(ResponseDecodingError) as caught:
        decode_payment_method(answer(200, method_body))
    assert caught.value.path == path
    assert caught.value.message.startswith(f"{path} {rule}")
    seen = what_a_tracker_sees(caught.value)
    for hidden in (PLANTED, "_secret_", "vault-token-1", "Ada", "merchant_17", "2026-0"):
        assert hidden not in seen


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("card.expiry_month", 8, "must be a string, not a number"),
        ("payment_method_id", None, "is missing"),
        ("billing.address.zip", 5013, "must be a string, not a number"),
        ("billing.phone", "55500100", "must be an object, not a string"),
        ("surcharge_details.surcharge.value", "1", "must be a whole number, not a string"),
        ("surcharge_details.surcharge.value", 1.5, "must be a whole number, not a number"),
        ("surcharge_details.surcharge.value", True, "must be a whole number, not a boolean"),
        ("surcharge_details.surcharge.value.percentage", "2", "must be a number, not a string"),
        ("surcharge_details.display_surcharge_amount", True, "must be a number, not a boolean"),
        ("surcharge_details.display_surcharge_amount", 10**400, "must be a number of at most"),
        ("default_payment_method_set", "true", "must be a boolean, not a string"),
    ],
)
def test_a_path_into_a_list(path: str, value: object, rule: str, answer: Answer, item_body: Body):
    bad = copy.deepcopy(item_body)
    plant(bad, path, value)
    body = {"customer_payment_methods": [item_body, item_body, item_body, bad]}
    with pytest.raises(ResponseDecodingError) as caught:
        decode_payment_method_list(answer(200, body))
    assert caught.value.path == f"customer_payment_methods[3].{path}"
    assert f".{path} {rule}" in caught.value.message


def test_a_number_that_is_read_as_infinite_is_refused(answer: Answer):
    body = (
        b'[{"payment_method_id": "pm_7", "surcharge_details": {"display_surcharge_amount": 1e999}}]'
    )
    with pytest.raises(ResponseDecodingError, match="must be a number of at most 64 bits"):
        decode_payment_method_list(answer(200, body))


@pytest.mark.parametrize("item", [None, "pm_7", ["pm_7"]])
def test_an_item_that_is_no_object_is_refused(answer: Answer, item: object):
    with pytest.raises(ResponseDecodingError, match="must be an object") as caught:
        decode_payment_method_list(answer(200, [item]))
    assert caught.value.path == "customer_payment_methods[0]"


def test_an_object_without_the_envelope_is_refused(answer: Answer):
    with pytest.raises(ResponseDecodingError, match="customer_payment_methods is missing"):
        decode_payment_method_list(answer(200, {"data": []}))


def without_nulls(value: object) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(part) for name, part in value.items() if part is not None}
    return [without_nulls(part) for part in value] if isinstance(value, list) else value


def test_an_entity_goes_back_to_the_object_it_came_from(answer: Answer, item_body: Body):
    body = {"customer_payment_methods": [item_body], "is_guest_customer": True, "new": [1]}
    wire = to_wire(decode_payment_method_list(answer(200, body)))
    expected = without_nulls(body)
    (item,) = expected["customer_payment_methods"]
    del item["payment_token"], item["card"]["card_token"]
    item["created"] = "2026-02-03T04:05:06.789000Z"
    item["last_used_at"] = "2026-03-04T05:06:07Z"
    assert wire == expected
    assert type(wire["customer_payment_methods"][0]["payment_method"]) is str


texts = st.text(max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(texts, parts, max_size=3),
    max_leaves=5,
)
# A microsecond is as fine as it gets, and the first and last days lie beyond the range in UTC.
times = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.just(UTC)).map(  # noqa: DTZ001
    datetime.isoformat
)
cards = st.fixed_dictionaries(
    {},
    optional={
        "scheme": st.none() | texts,
        "expiry_month": st.none() | texts,
        "expiry_year": st.none() | texts,
        "last4_digits": st.none() | texts,
        "card_network": st.none() | st.sampled_from(list(CardNetwork)).map(str) | texts,
        "saved_to_locker": st.none() | st.booleans(),
        "new_field": json_values,
    },
)
methods = st.fixed_dictionaries(
    {"payment_method_id": texts},
    optional={
        "payment_method": st.none() | texts,
        "payment_method_type": st.none() | st.sampled_from(["credit", "debit"]) | texts,
        "customer_id": st.none() | texts,
        "card": st.none() | cards,
        "recurring_enabled": st.none() | st.booleans(),
        "payment_experience": st.none() | st.lists(texts, max_size=3),
        "metadata": st.none() | st.dictionaries(texts, json_values, max_size=3),
        "created": st.none() | times,
        "new_field": json_values,
    },
)


@REPEATABLE
@given(methods)
def test_decoding_and_encoding_loses_nothing(answer: Answer, body: Body):
    method = decode_payment_method(answer(200, body))
    again = decode_payment_method(answer(200, to_wire(method)))
    assert again == method
    assert to_wire(again) == to_wire(method)
    assert method.extra == {name: body[name] for name in body if name == "new_field"}


@REPEATABLE
@given(json_values)
def test_no_json_value_is_a_surprise(answer: Answer, body: Any):
    for decode in (decode_payment_method, decode_payment_method_list):
        with suppress(ResponseDecodingError):
            decode(answer(200, body))
