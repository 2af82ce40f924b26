from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from perfectpay_async.resilience.retry_after import parse_retry_after

NOW = datetime(2031, 3, 5, 12, 0, 0, tzinfo=UTC).timestamp()


def parsed(*pairs: tuple[str, str]) -> float | None:
    return parse_retry_after(CIMultiDict(pairs), NOW)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("99999999999", 99999999999.0),
        ("Wed, 05 Mar 2031 12:00:30 GMT", 30.0),
        ("Wednesday, 05-Mar-31 12:00:30 GMT", 30.0),
        ("Wed Mar  5 12:00:30 2031", 30.0),
        ("Wed, 05 Mar 2031 11:59:00 GMT", 0.0),
    ],
)
def test_every_form_of_rfc_9110_is_read(text, seconds):
    assert parsed(("Retry-After", text)) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "-5", "soon", "nan", "12:30", "Wed, 99 Foo 2031", "1e"])
def test_what_makes_no_sense_is_ignored(text):
    assert parsed(("Retry-After", text)) is None


def test_an_endless_wait_stays_endless_so_that_it_is_refused_as_too_long():
    assert parsed(("Retry-After", "1e999")) == float("inf")


def test_milliseconds_are_read():
    assert parsed(("Retry-After-Ms", "250")) == pytest.approx(0.25)


def test_of_several_values_the_longest_counts():
    pairs = [("Retry-After", "2"), ("Retry-After", "9"), ("retry-after-ms", "100")]
    assert parsed(*pairs) == pytest.approx(9.0)


def test_a_plain_mapping_will_do():
    assert parse_retry_after({"retry-after": "3"}, NOW) == pytest.approx(3.0)


def test_no_header_means_no_wish():
    assert parsed(("Content-Type", "text/html")) is None


@given(st.text())
def test_no_text_breaks_it(text):
    value = parsed(("Retry-After", text))
    assert value is None or value >= 0
