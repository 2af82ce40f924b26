from __future__ import annotations

import math
from typing import get_type_hints

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfectpay_async import CardExpiry, ConfigurationError
from perfectpay_async.bulk import (
    BadRow,
    ExpiryRow,
    RunOptions,
    RunSettings,
    SafetyStops,
    Shard,
)
from perfectpay_async.bulk.rows import Place


def test_the_defaults():
    assert RunSettings() == RunSettings(
        concurrency=64,
        rate=40.0,
        attempts=6,
        deadline=60.0,
        only_forward=False,
        max_rows=None,
        max_duration=None,
        shard=None,
        stops=SafetyStops(),
    )


def test_options_and_settings_are_the_same():
    assert set(get_type_hints(RunOptions)) == {field.name for field in attrs.fields(RunSettings)}


@pytest.mark.parametrize("name", ["concurrency", "attempts", "max_rows"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "4", math.nan])
def test_counts(name, value):
    with pytest.raises(ConfigurationError) as caught:
        RunSettings(**{name: value})

    assert str(caught.value) == f"{name} must be a whole number from 1"


@pytest.mark.parametrize("name", ["deadline", "max_duration"])
@pytest.mark.parametrize("value", [0, -1, math.nan, True, "4"])
def test_times(name, value):
    with pytest.raises(ConfigurationError, match=f"{name} must be a number of seconds above 0"):
        RunSettings(**{name: value})


@pytest.mark.parametrize("value", [0, -1, math.nan, True, "4"])
def test_rates(value):
    with pytest.raises(ConfigurationError, match="rate must be a number of requests per second"):
        RunSettings(rate=value)


@pytest.mark.parametrize("value", [0.5, 40, math.inf, None])
def test_rates_that_are_taken(value):
    assert RunSettings(rate=value).rate == value


@pytest.mark.parametrize("name", ["max_rows", "max_duration", "stops", "shard"])
def test_what_can_be_left_out(name):
    assert getattr(RunSettings(**{name: None}), name) is None


class TestShard:
    @pytest.mark.parametrize(("index", "count"), [(-1, 4), (4, 4), (5, 4), (0, 0), (0, -1)])
    def test_there_is_no_such_part(self, index, count):
        with pytest.raises(ConfigurationError, match="an index from 0 to one less than the count"):
            Shard(index, count)

    @given(
        st.integers(1, 9),
        st.lists(st.one_of(st.none(), st.text(st.characters(), max_size=9)), max_size=40),
    )
    def test_every_row_is_in_exactly_one_part(self, count, cards):
        places = [
            Place(
                at, BadRow(at, "no") if card is None else ExpiryRow(at, card, CardExpiry(1, 2031))
            )
            for at, card in enumerate(cards)
        ]

        for place in places:
            assert sum(place in Shard(index, count) for index in range(count)) == 1

    def test_all_rows_of_a_card_are_in_the_same(self):
        for number in range(50):
            row = ExpiryRow(1, f"pm_{number}", CardExpiry(1, 2031))
            again = ExpiryRow(9, f"pm_{number}", CardExpiry(2, 2035))
            assert [Place(0, row) in Shard(n, 4) for n in range(4)] == [
                Place(77, again) in Shard(n, 4) for n in range(4)
            ]

    def test_they_are_about_equally_long(self):
        rows = [Place(n, ExpiryRow(n, f"pm_{n}", CardExpiry(1, 2031))) for n in range(4_000)]

        for index in range(4):
            assert 900 < sum(place in Shard(index, 4) for place in rows) < 1_100

    def test_machines_agree_on_them_for_ever(self):
        rows = [Place(n, ExpiryRow(n, f"pm_{n}", CardExpiry(1, 2031))) for n in range(12)]

        parts = [next(n for n in range(4) if place in Shard(n, 4)) for place in rows]
        assert parts == [2, 2, 2, 1, 3, 1, 0, 2, 2, 2, 1, 0]
