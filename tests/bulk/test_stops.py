from __future__ import annotations

import math

import pytest

from perfectpay_async import ConfigurationError
from perfectpay_async.bulk import RowResult, SafetyStop, SafetyStops, Verdict
from perfectpay_async.bulk.stops import FEWEST, WINDOW, SafetyWatch


def watch(**stops) -> SafetyWatch:
    return SafetyWatch(SafetyStops(**{"max_failures": None, "max_outage": None, **stops}))


def note(watch, verdict, times=1, *, began=0.0, attempts=1):
    for _ in range(times):
        watch.note(RowResult(1, "pm_1", verdict, attempts=attempts), began)


class TestFailures:
    @pytest.mark.parametrize("verdict", [Verdict.REJECTED, Verdict.EXHAUSTED, Verdict.UNKNOWN])
    def test_too_many_stop_the_run(self, verdict):
        watched = watch(max_failures=0.05)
        note(watched, Verdict.OK, 190)
        note(watched, verdict, 10)
        assert watched.reason(0.0) is None

        note(watched, verdict)

        reason = watched.reason(0.0)
        assert isinstance(reason, SafetyStop)
        assert str(reason) == (
            "11 of the last 201 rows failed, which is more than 5.0%; "
            "look at their messages before you go on"
        )

    def test_a_few_rows_say_nothing(self):
        watched = watch(max_failures=0.0)
        note(watched, Verdict.REJECTED, FEWEST - 1)
        assert watched.reason(0.0) is None

        note(watched, Verdict.REJECTED)
        assert watched.reason(0.0) is not None

    def test_the_last_thousand_count(self):
        watched = watch(max_failures=0.05)
        note(watched, Verdict.OK, 100_000)
        note(watched, Verdict.REJECTED, 50)
        assert watched.reason(0.0) is None
        note(watched, Verdict.REJECTED)
        assert watched.reason(0.0) is not None

        note(watched, Verdict.OK, WINDOW)
        assert watched.reason(0.0) is None

    @pytest.mark.parametrize("share", [1.0, None])
    def test_it_can_be_turned_off(self, share):
        watched = watch(max_failures=share)
        note(watched, Verdict.REJECTED, 5_000)

        assert watched.reason(0.0) is None

    def test_invalid_rows_say_nothing_about_the_server(self):
        watched = watch(max_failures=0.0, max_outage=1.0)
        note(watched, Verdict.INVALID, 5_000)

        assert watched.reason(1_000.0) is None

    def test_skipped_rows_are_no_failures(self):
        watched = watch(max_failures=0.0)
        note(watched, Verdict.SKIPPED, 5_000)

        assert watched.reason(0.0) is None

    def test_rows_of_another_shard_do_not_dilute_the_share(self):
        watched = watch(max_failures=0.05)
        for _ in range(FEWEST):
            note(watched, Verdict.SKIPPED, 99, attempts=0)
            note(watched, Verdict.REJECTED)

        assert watched.reason(0.0) is not None


class TestOutage:
    @pytest.mark.parametrize("verdict", [Verdict.EXHAUSTED, Verdict.UNKNOWN])
    def test_too_long_a_one_stops_the_run(self, verdict):
        watched = watch(max_outage=900.0)
        note(watched, verdict, began=0.0)
        note(watched, verdict, began=500.0)
        assert watched.reason(900.0) is None

        reason = watched.reason(901.0)
        assert str(reason) == (
            "the server has not carried anything out for 901 s; "
            "'perfectpay doctor' looks for the cause, go on when it is back"
        )

    def test_a_row_of_another_shard_is_no_answer(self):
        watched = watch(max_outage=900.0)
        note(watched, Verdict.EXHAUSTED, began=0.0)
        note(watched, Verdict.SKIPPED, began=890.0, attempts=0)

        assert watched.reason(901.0) is not None

    @pytest.mark.parametrize("verdict", [Verdict.OK, Verdict.REJECTED, Verdict.SKIPPED])
    def test_an_answer_ends_it(self, verdict):
        watched = watch(max_outage=900.0)
        note(watched, Verdict.EXHAUSTED, began=0.0)
        note(watched, verdict, began=890.0)

        assert watched.reason(10_000.0) is None

    def test_a_quiet_input_is_no_outage(self):
        watched = watch(max_outage=10.0)
        note(watched, Verdict.OK)

        assert watched.reason(10_000.0) is None

    @pytest.mark.parametrize("longest", [math.inf, None])
    def test_it_can_be_turned_off(self, longest):
        watched = watch(max_outage=longest)
        note(watched, Verdict.EXHAUSTED)

        assert watched.reason(1e9) is None


def test_the_defaults():
    assert SafetyStops() == SafetyStops(max_failures=0.05, max_outage=900.0)


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan, "0.5", True])
def test_a_share_that_is_none(share):
    with pytest.raises(ConfigurationError, match="max_failures must be a share from 0 to 1"):
        SafetyStops(max_failures=share)


@pytest.mark.parametrize("seconds", [0, -1, math.nan, "9", True])
def test_an_outage_that_is_none(seconds):
    with pytest.raises(ConfigurationError, match="max_outage must be a number of seconds above 0"):
        SafetyStops(max_outage=seconds)
