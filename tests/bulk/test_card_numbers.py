from __future__ import annotations

import uuid

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from perfectpay_async.bulk.sources.card_numbers import text_holds_card_number
from perfectpay_async.entities.checks import has_check_digit

BRANDS = {
    "4": (16, 19), "51": (16,), "55": (16,), "2221": (16,), "2720": (16,), "34": (15,),
    "37": (15,), "36": (14,), "300": (14,), "3095": (14,), "3528": (16, 19), "3589": (16,),
    "6011": (16, 19), "62": (16, 18), "65": (16,), "5018": (16,), "6759": (16, 19),
    "2200": (16,), "2204": (19,),
}  # fmt: skip

DIGITS = "0123456789"
WORDS = st.text(alphabet="abcxyz ,.;:!?()'\"/äß\n", max_size=30)


def with_check_digit(digits):
    return next(digits + last for last in DIGITS if has_check_digit(digits + last))


@st.composite
def card_numbers(draw):
    start, lengths = draw(st.sampled_from(sorted(BRANDS.items())))
    length = draw(st.sampled_from(lengths))
    rest = draw(st.text(DIGITS, min_size=length - 1 - len(start), max_size=length - 1 - len(start)))
    return with_check_digit(start + rest)


@st.composite
def ibans(draw):
    country = draw(st.sampled_from(["DE", "GB", "FR", "NL"]))
    account = draw(st.text(DIGITS + "AZ", min_size=12, max_size=28))
    number = "".join(str(int(char, 36)) for char in f"{account}{country}00")
    text = f"{country}{98 - int(number) % 97:02}{account}"
    spaced = " ".join(text[at : at + 4] for at in range(0, len(text), 4))
    return draw(st.sampled_from([text, spaced]))


def grouped(number, separator):
    sizes = {14: (4, 6, 4), 15: (4, 6, 5), 16: (4, 4, 4, 4), 18: (6, 12), 19: (4, 4, 4, 4, 3)}
    groups, at = [], 0
    for size in sizes[len(number)]:
        groups.append(number[at : at + size])
        at += size
    return separator.join(groups)


class TestWithinAText:
    @given(card_numbers(), st.sampled_from(["", " ", "-"]), WORDS, WORDS)
    def test_a_card_number_is_found_wherever_it_stands(self, number, separator, before, after):
        assume(before[-1:] not in {"a", "b", "c", "x", "y", "z", "ä", "ß"})
        assume(after[:1] not in {"a", "b", "c", "x", "y", "z", "ä", "ß"})
        assert text_holds_card_number(before + grouped(number, separator) + after)

    @pytest.mark.parametrize(
        "text",
        [
            "card 4111 1111 1111 1111 of Mr X",
            "4111-1111-1111-1111, exp. 12/27",
            "4111 1111 1111 1111 123",  # its CVC behind it
            "17 4111111111111111",
            "tel 555 4111111111111111",
            '{"pan":"4111111111111111"}',
            "DE12 4111 1111 1111 1111",  # no IBAN: its check digits are wrong
            "https://shop.example/pay?card=4111111111111111&x=1",
            "a4111111111111112, 3782 822463 10005.",
        ],
    )
    def test_what_people_write(self, text):
        assert text_holds_card_number(text)

    @pytest.mark.parametrize(
        "text",
        [
            "card 4111 1111 1111 1112 of Mr X",  # the check digit
            "card x4111111111111111 of Mr X",  # part of a word
            "order 1000 0000 0000 0008 of Mr X",  # no brand
            "order 8000000000000002 of Mr X",
            "IMEI 352099001761481, ICCID 8949226000000000003",
            "EAN 4006381333931 and GTIN 04006381333931",
            "at 1732456538123 or 1732456538123456 or 20261124135538123",
            "call +49 151 12345678 or 004915112345678 or 0151 23 45 67 89 00",
            "lat 52.4111111111111111 or 52,4111111111111111",
            "IBAN DE89 3704 0044 0532 0130 00 of Mr X",
            "2026-11-24 13:55:38 2026-11-25 14:00:00",
            "pm_4111111111111111_visa and cus-x",
        ],
    )
    def test_what_else_has_many_digits(self, text):
        assert not text_holds_card_number(text)

    @given(st.uuids(), st.sampled_from(["", "pm_", "id "]))
    def test_no_uuid_is_one(self, value, prefix):
        assert not text_holds_card_number(f"{prefix}{value}")

    def test_nor_one_that_begins_with_a_card_number(self):
        value = uuid.UUID("41111111-1111-1111-8111-111111111111")
        assert not text_holds_card_number(f"see {value}")
        assert not text_holds_card_number(f"pm_{value}")

    @given(ibans(), WORDS)
    def test_no_iban_is_one(self, iban, after):
        assume(not after[:1].isalnum())
        assert not text_holds_card_number(f"pay to {iban}{after}")

    @given(st.text(DIGITS + " -", max_size=40), WORDS)
    def test_without_a_right_check_digit_there_is_none(self, digits, words):
        runs = "".join(digits.replace("-", " ").split())
        ends = {runs[at:end] for at in range(len(runs)) for end in range(at + 13, at + 20)}
        if text_holds_card_number(f"a {digits} {words}"):
            assert any(len(run) > 12 and has_check_digit(run) for run in ends)
