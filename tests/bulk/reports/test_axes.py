from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfectpay_async.bulk.jobs import RunRecord
from perfectpay_async.bulk.reports.axes import Scale, TimeAxis
from perfectpay_async.bulk.reports.course import Stretch


def stretch(begin, end):
    return Stretch(RunRecord(1, begin, end), ((begin, 0), (end, 1)), ())


def test_time_runs_from_left_to_right():
    axis = TimeAxis([stretch(100.0, 200.0)], 50.0, 250.0)

    ((_, left, right),) = axis
    assert (left, right) == (50.0, 250.0)
    assert axis.gaps == []


def test_a_short_gap_is_as_long_as_it_was():
    axis = TimeAxis([stretch(0.0, 50.0), stretch(51.0, 101.0)], 0.0, 101.0)

    (gap,) = axis.gaps
    assert (gap.left, gap.right, gap.seconds, gap.shortened) == (50.0, 51.0, 1.0, False)


def test_a_long_one_is_shortened():
    axis = TimeAxis([stretch(0.0, 50.0), stretch(100_000.0, 100_050.0)], 0.0, 1_000.0)

    (gap,) = axis.gaps
    assert gap.shortened
    assert gap.seconds == 99_950.0
    assert gap.right - gap.left == 26.0
    assert [round(right - left) for _, left, right in axis] == [487, 487]


def test_many_gaps_leave_room_for_the_runs():
    course = [stretch(n * 1_000.0, n * 1_000.0 + 1.0) for n in range(500)]
    axis = TimeAxis(course, 0.0, 1_000.0)

    assert sum(right - left for _, left, right in axis) == pytest.approx(700.0)


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e7)), min_size=1, max_size=30),
    st.floats(100, 2_000),
)
def test_whatever_the_times_all_is_inside_and_in_order(parts, width):
    course, at = [], 1_772_360_000.0
    for length, wait in parts:
        course.append(stretch(at, at + length))
        at += length + wait
    axis = TimeAxis(course, 40.0, 40.0 + width)

    places = [place for _, left, right in axis for place in (left, right)]
    assert places == sorted(places)
    assert places[0] == 40.0
    assert places[-1] <= 40.0 + width + 1e-3
    ticks = [place for place, _ in axis.ticks(6.5)]
    assert all(after - before >= 6.5 for before, after in pairwise(ticks))
    assert len(ticks) <= width / 6.5


@pytest.mark.parametrize(
    ("seconds", "texts"),
    [
        (20, ["10:13:20", "10:13:25", "10:13:30", "10:13:35", "10:13:40"]),
        (3_600, ["10:20", "10:30", "10:40", "10:50", "11:00", "11:10"]),
        (25 * 3_600, ["01 Mar 12:00", "01 Mar 18:00", "02 Mar 00:00", "02 Mar 06:00"]),
        (7 * 86_400, [f"0{day} Mar" for day in range(2, 9)]),
    ],
)
def test_round_times_are_written_below(seconds, texts, begin):
    axis = TimeAxis([stretch(begin, begin + seconds)], 0.0, 600.0)

    assert [text for _, text in axis.ticks(6.5)] == texts


@pytest.mark.parametrize(
    ("highest", "texts"),
    [
        (0, ["0", "1"]),
        (1, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (40, ["0", "10", "20", "30", "40"]),
        (50_000, ["0", "10k", "20k", "30k", "40k", "50k"]),
        (5_000, ["0", "1,000", "2,000", "3,000", "4,000", "5,000"]),
        (10_000_000, ["0", "2M", "4M", "6M", "8M", "10M"]),
        (7, ["0", "2", "4", "6", "8"]),
    ],
)
def test_scales_have_round_numbers(highest, texts):
    assert [text for _, text in Scale(highest, 22.0, 198.0).ticks()] == texts


@given(st.just(0.0) | st.floats(1e-6, 1e9))
def test_every_number_is_inside(highest):
    scale = Scale(highest, 22.0, 198.0)

    assert scale(0) == 198.0
    assert 22.0 - 1e-6 <= scale(highest) <= 198.0
    assert len(list(scale.ticks())) <= 7
