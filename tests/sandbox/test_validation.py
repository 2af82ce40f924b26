import json
from datetime import date
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

from perfectpay_async.sandbox import validation
from perfectpay_async.sandbox.answers import Refused
from perfectpay_async.sandbox.card_numbers import issuer_of, passes_luhn, sample_numbers

TODAY = date(2026, 6, 15)
UNREADABLE = (400, "IR_06")


class TestReadObject:
    def test_up_to_32_kib(self, refused_with):
        body = b'{"a":1}'.ljust(32_768)
        assert validation.read_object("application/json", body) == {"a": 1}
        assert refused_with(validation.read_object, "application/json", body + b" ") == UNREADABLE

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"7", b"null", b"\xff", b'{"a":NaN}', b"[" * 9_999]
    )
    def test_what_is_no_json_object(self, body, refused_with):
        assert refused_with(validation.read_object, "application/json", body) == UNREADABLE

    def test_another_content_type(self, refusal):
        answer = refusal(validation.read_object, "application/octet-stream", b"{}")
        assert json.loads(answer.body)["error"] == {
            "error_type": "invalid_request",
            "message": "Json deserialize error: Content type error",
            "code": "IR_06",
        }


class TestParts:
    def test_an_unknown_key_is_named_with_the_known_ones(self, refusal):
        answer = refusal(validation.refuse_unknown, {"b": 1}, frozenset({"c", "a"}))
        message = json.loads(answer.body)["error"]["message"]
        assert message.endswith("unknown field `b`, expected one of `a`, `c`")

    @pytest.mark.parametrize("value", ["", 0, False, [], "x"])
    def test_must_be_objects(self, value, refused_with):
        assert refused_with(validation.part, {"card": value}, "card", frozenset()) == UNREADABLE
        assert refused_with(validation.free_object, {"card": value}, "card") == UNREADABLE

    @pytest.mark.parametrize("found", [{}, {"card": None}])
    def test_may_be_missing(self, found):
        assert validation.part(found, "card", frozenset()) is None
        assert validation.free_object(found, "card") is None

    @pytest.mark.parametrize("value", [1, True, [], {}])
    def test_a_text_is_a_string(self, value, refused_with):
        assert refused_with(validation.text, {"a": value}, "a") == UNREADABLE
        assert refused_with(validation.required_text, {}, "a") == UNREADABLE


class TestCardNumbers:
    @pytest.mark.parametrize("number", ["4242 4242 4242 4242", "00000000", "0" * 19])
    def test_taken(self, number):
        assert validation.card_number({"card_number": number}) == number.replace(" ", "")

    @pytest.mark.parametrize(
        "number",
        ["", "0" * 7, "0" * 20, "4242424242424241", "4242-4242-4242-4242", "\u0664" * 16, 4],
    )
    def test_refused(self, number, refused_with):
        assert refused_with(validation.card_number, {"card_number": number}) == UNREADABLE

    def test_samples_are_valid_and_distinct(self):
        numbers = list(islice(sample_numbers(), 2_000))
        assert len({validation.card_number({"card_number": number}) for number in numbers}) == 2_000

    @given(st.integers(10**14, 10**18), st.data())
    def test_one_wrong_digit_is_always_found(self, stem, data):
        right = next(f"{stem}{digit}" for digit in range(10) if passes_luhn(f"{stem}{digit}"))
        place = data.draw(st.integers(0, len(right) - 1))
        digit = data.draw(st.sampled_from([d for d in "0123456789" if d != right[place]]))
        with pytest.raises(Refused):
            validation.card_number({"card_number": right[:place] + digit + right[place + 1 :]})

    @pytest.mark.parametrize(
        ("number", "network"),
        [("4", "Visa"), ("55", "Mastercard"), ("2300", "Mastercard"), ("37", "AmericanExpress")],
    )
    def test_tell_the_network(self, number, network):
        assert issuer_of(number).network == network

    @pytest.mark.parametrize("number", ["6011", "2721", "2220", "56", "36"])
    def test_others_tell_nothing(self, number):
        assert issuer_of(number) is None


class TestEnumerations:
    @pytest.mark.parametrize("network", ["Visa", "VISA", "AMEX", "RUPAY", None])
    def test_networks_in_their_spelling_or_in_capitals(self, network):
        assert validation.network({"card_network": network}) == network

    @pytest.mark.parametrize("network", ["visa", "ViSA", "HOUSE", ""])
    def test_other_networks(self, network, refused_with):
        assert refused_with(validation.network, {"card_network": network}) == UNREADABLE

    @pytest.mark.parametrize(
        ("method", "kind"),
        [
            ("card", "debit"),
            ("card", None),
            ("wallet", "google_pay"),
            ("bank_debit", "sepa_guarenteed_debit"),
            ("voucher", "oxxo"),
        ],
    )
    def test_pairs_that_fit(self, method, kind):
        body = {"payment_method": method, "payment_method_type": kind}
        assert validation.kind_and_type(body) == (method, kind)

    @pytest.mark.parametrize(
        ("body", "answer"),
        [
            ({}, (400, "IR_04")),
            ({"payment_method": "cards"}, UNREADABLE),
            ({"payment_method": "card", "payment_method_type": "creditcard"}, UNREADABLE),
            ({"payment_method": "card", "payment_method_issuer_code": "jp_bank"}, UNREADABLE),
            ({"payment_method": "card", "payment_method_type": "paypal"}, (422, "IR_06")),
            ({"payment_method": "wallet", "payment_method_type": "credit"}, (422, "IR_06")),
        ],
    )
    def test_pairs_that_do_not(self, body, answer, refused_with):
        assert refused_with(validation.kind_and_type, body) == answer


class TestExpiry:
    @pytest.mark.parametrize(
        ("month", "year"), [("6", "26"), ("06", "2026"), ("12", "26"), ("1", "27"), ("01", "9999")]
    )
    def test_this_month_and_later(self, month, year):
        validation.check_expiry(month, year, TODAY)

    @pytest.mark.parametrize(
        ("month", "year", "code", "message"),
        [
            ("5", "26", "IR_16", "Card Expired"),
            ("12", "25", "IR_16", "Invalid Expiry Year"),
            ("12", "2025", "IR_16", "Invalid Expiry Year"),
            ("12", "203", "IR_16", "Invalid Expiry Year"),
            ("12", "20300", "IR_16", "Invalid Expiry Year"),
            ("13", "30", "IR_16", "Invalid Expiry Month"),
            ("0", "30", "IR_16", "Invalid Expiry Month"),
            ("", "30", "IR_07", "Invalid value provided: card_exp_month"),
            ("may", "30", "IR_07", "Invalid value provided: card_exp_month"),
            ("-1", "30", "IR_07", "Invalid value provided: card_exp_month"),
            ("\u0663", "30", "IR_07", "Invalid value provided: card_exp_month"),
            ("9" * 5_000, "30", "IR_07", "Invalid value provided: card_exp_month"),
            ("12", "3O", "IR_07", "Invalid value provided: card_exp_year"),
        ],
    )
    def test_refused(self, month, year, code, message, refusal):
        error = json.loads(refusal(validation.check_expiry, month, year, TODAY).body)["error"]
        assert error == {"type": "invalid_request", "message": message, "code": code}


class TestIds:
    @pytest.mark.parametrize("value", ["a", "cus_1-B", "x" * 64])
    def test_taken(self, value):
        validation.check_path_id(value)
        assert validation.customer_id({"customer_id": value}) == value

    @pytest.mark.parametrize("value", ["x" * 65, "a.b", "a/b", "a\n", "\u00e9", "\u0663"])
    def test_refused(self, value, refusal, refused_with):
        answer = refusal(validation.check_path_id, value)
        assert (answer.status, answer.content_type) == (400, "text/plain; charset=utf-8")
        assert refused_with(validation.customer_id, {"customer_id": value}) == UNREADABLE

    def test_an_empty_one_is_not_a_missing_one(self, refused_with):
        assert refused_with(validation.customer_id, {"customer_id": ""}) == UNREADABLE
        assert validation.customer_id({}) is None


class TestLimit:
    @pytest.mark.parametrize(("values", "limit"), [([], None), (["0"], 0), (["50"], 50)])
    def test_taken(self, values, limit):
        query = MultiDict([*(("limit", value) for value in values), ("hat", "1"), ("hat", "2")])
        assert validation.query_number(query, "limit") == limit

    @pytest.mark.parametrize("values", [[""], ["1.5"], ["-1"], ["9" * 5_000], ["1", "2"]])
    def test_refused(self, values, refusal):
        query = MultiDict(("limit", value) for value in values)
        answer = refusal(validation.query_number, query, "limit")
        assert (answer.status, answer.content_type) == (400, "text/plain; charset=utf-8")
