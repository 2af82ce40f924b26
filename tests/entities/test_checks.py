from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfectpay_async.entities.checks import checked, has_check_digit, is_digits
from perfectpay_async.errors import InvalidRequestError

REPEATABLE = settings(derandomize=True)


def test_a_value_of_the_type_or_none_passes():
    assert checked("name", "x", str) == "x"
    assert checked("name", None, str) is None


def test_another_type_is_refused_by_name():
    with pytest.raises(InvalidRequestError, match=r"^name must be of type str$") as caught:
        checked("name", 4000056655665556, str)
    assert caught.value.field == "name"


@pytest.mark.parametrize(
    ("text", "expected"), [("0", True), ("0123456789", True), ("", False), ("1a", False)]
)
def test_digits(text: str, expected: bool):
    assert is_digits(text) is expected


@pytest.mark.parametrize("text", ["٣", "²", "1 2", "-1"])
def test_only_ascii_digits_count(text: str):
    assert not is_digits(text)


@pytest.mark.parametrize(
    "number", ["4000056655665556", "378282246310005", "6011111111111117", "30569309025904", "18"]
)
def test_numbers_with_a_right_check_digit(number: str):
    assert has_check_digit(number)


@REPEATABLE
@given(st.text("0123456789", min_size=1, max_size=18))
def test_exactly_one_digit_completes_a_number(prefix: str):
    assert sum(has_check_digit(prefix + digit) for digit in "0123456789") == 1


@REPEATABLE
@given(st.text("0123456789", min_size=1, max_size=18), st.integers(0, 17), st.integers(1, 9))
def test_one_mistyped_digit_is_always_found(number: str, position: int, change: int):
    position %= len(number)
    mistyped = (int(number[position]) + change) % 10
    other = f"{number[:position]}{mistyped}{number[position + 1 :]}"
    assert not (has_check_digit(number) and has_check_digit(other))
