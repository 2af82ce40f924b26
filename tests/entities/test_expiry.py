from __future__ import annotations

import copy
import pickle
from calendar import monthrange
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfectpay_async.entities import CardExpiry, check_not_expired
from perfectpay_async.errors import InvalidRequestError

REPEATABLE = settings(derandomize=True)
months = st.integers(1, 12)
years = st.integers(2000, 2099)
expiries = st.builds(CardExpiry, months, years, st.sampled_from([2, 4]))


@pytest.mark.parametrize("month", [3, "3", "03"])
@pytest.mark.parametrize("year", [25, "25", 2025, "2025"])
def test_month_and_year_may_be_numbers_or_digits(month: int | str, year: int | str):
    expiry = CardExpiry(month, year)
    assert (expiry.month, expiry.year) == (3, 2025)
    assert str(expiry) == "03/2025"


@pytest.mark.parametrize("year", [0, "00", 2000, "2000", 5, "05"])
def test_early_years_of_the_century(year: int | str):
    assert CardExpiry(1, year).year == 2000 + int(year) % 100


@pytest.mark.parametrize(
    "month",
    [
        0,
        13,
        -1,
        "0",
        "00",
        "13",
        "003",
        "",
        " 3",
        "+3",
        "3.0",
        "٣",
        "²",
        "III",
        True,
        None,
        3.0,
        b"03",
        "4242424242424242",
    ],
)
def test_a_bad_month_is_refused(month: Any, what_a_tracker_sees: Callable[..., str]):
    with pytest.raises(InvalidRequestError, match=r"^expiry month must be 1 to 12$") as caught:
        CardExpiry(month, 2030)
    assert caught.value.field == "month"
    assert "4242" not in what_a_tracker_sees(caught.value)


@pytest.mark.parametrize(
    "year",
    [
        -1,
        100,
        999,
        1999,
        2100,
        20250,
        "5",
        "005",
        "025",
        "0025",
        "1999",
        "2100",
        "20 25",
        "٢٥",
        "",
        None,
        True,
        25.0,
        b"25",
        "4242424242424242",
        4242424242424242,
    ],
)
def test_a_bad_year_is_refused(year: Any, what_a_tracker_sees: Callable[..., str]):
    with pytest.raises(InvalidRequestError, match=r"^expiry year must be 2000 to 2099") as caught:
        CardExpiry(3, year)
    assert caught.value.field == "year"
    assert "4242" not in what_a_tracker_sees(caught.value)


def test_a_number_too_large_to_print_is_refused_like_any_other():
    with pytest.raises(InvalidRequestError, match="month must be 1 to 12"):
        CardExpiry(10**5000, 2030)
    with pytest.raises(InvalidRequestError, match="year must be 2000 to 2099"):
        CardExpiry(3, 10**5000)


@pytest.mark.parametrize("digits", [0, 3, "2", None, []])
def test_the_year_has_two_or_four_digits(digits: Any):
    with pytest.raises(InvalidRequestError, match="year_digits must be 2 or 4"):
        CardExpiry(3, 2030, digits)


def test_how_it_is_written_to_the_server():
    assert (CardExpiry(3, 2031).wire_month, CardExpiry(3, 2031).wire_year) == ("03", "31")
    assert CardExpiry(3, 2031, 4).wire_year == "2031"
    assert CardExpiry(12, 2005).wire_year == "05"


@pytest.mark.parametrize(
    "text",
    ["3/25", "03/25", "3/2025", "03/2025", " 03/25\n", "03 / 25", "03-2025", "3-2025", "2025-03"],
)
def test_the_forms_that_parse_reads(text: str):
    assert CardExpiry.parse(text) == CardExpiry(3, 2025)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "0325",
        "032025",
        "202503",
        "03-25",
        "25-03",
        "2025-3",
        "2025/03",
        "03/025",
        "03.25",
        "03/25/01",
        "2025-03-01",
        "March 2025",
        "٠٣/٢٥",
        "03\n/25",
        "4242424242424242",
        None,
        325,
        b"03/25",
    ],
)
def test_ambiguous_and_unreadable_forms_are_refused(
    text: Any, what_a_tracker_sees: Callable[..., str]
):
    with pytest.raises(InvalidRequestError, match="expiry must have the form") as caught:
        CardExpiry.parse(text)
    assert caught.value.field == "expiry"
    assert "4242" not in what_a_tracker_sees(caught.value)


@pytest.mark.parametrize("text", ["00/25", "13/25", "01/1999", "2125-01"])
def test_parse_refuses_values_out_of_range(text: str):
    with pytest.raises(InvalidRequestError, match=r"expiry (month|year) must be"):
        CardExpiry.parse(text)


@REPEATABLE
@given(expiries)
def test_every_written_form_is_read_back(expiry: CardExpiry):
    month, year = expiry.wire_month, expiry.wire_year
    assert CardExpiry.parse(str(expiry)) == expiry
    assert CardExpiry.parse(f"{month}/{year}") == expiry
    assert CardExpiry.parse(f"{expiry.year}-{month}") == expiry
    again = CardExpiry(month, year, expiry.year_digits)
    assert (again.wire_month, again.wire_year) == (month, year)
    assert (len(month), len(year)) == (2, expiry.year_digits)


@REPEATABLE
@given(expiries, expiries)
def test_equality_hash_and_order_follow_time_alone(one: CardExpiry, other: CardExpiry):
    ours, theirs = (one.year, one.month), (other.year, other.month)
    assert (one == other) == (ours == theirs)
    assert (one < other, one <= other) == (ours < theirs, ours <= theirs)
    assert (one > other, one >= other) == (ours > theirs, ours >= theirs)
    if one == other:
        assert hash(one) == hash(other)


def test_the_style_of_writing_does_not_count_for_equality():
    assert CardExpiry(3, 2031, 2) == CardExpiry(3, 2031, 4)
    assert len({CardExpiry(3, 2031, 2), CardExpiry(3, 2031, 4)}) == 1


def test_it_is_not_comparable_with_other_things():
    assert CardExpiry(3, 2031) != (3, 2031)
    with pytest.raises(TypeError):
        _ = CardExpiry(3, 2031) < (3, 2031)


@REPEATABLE
@given(expiries)
def test_a_card_is_good_until_the_last_day_of_its_month(expiry: CardExpiry):
    last_day = date(expiry.year, expiry.month, monthrange(expiry.year, expiry.month)[1])
    assert not expiry.is_expired(last_day)
    assert not expiry.is_expired(last_day.replace(day=1))
    assert expiry.is_expired(last_day + timedelta(days=1))


def test_an_expired_card_is_refused():
    check_not_expired(CardExpiry(3, 2025), date(2025, 3, 31))
    with pytest.raises(InvalidRequestError, match="expiry must not be in the past") as caught:
        check_not_expired(CardExpiry(3, 2025), date(2025, 4, 1))
    assert caught.value.field == "expiry"


def test_an_expiry_of_another_type_is_refused():
    text: Any = "03/25"
    with pytest.raises(InvalidRequestError, match="expiry must be of type CardExpiry"):
        check_not_expired(text, date(2025, 3, 1))


def test_it_survives_pickle_and_copy_with_its_style():
    expiry = CardExpiry(3, 2031, 4)
    for twin in (pickle.loads(pickle.dumps(expiry)), copy.deepcopy(expiry)):
        assert twin == expiry
        assert twin.year_digits == 4
