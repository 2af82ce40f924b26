import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfectpay_async.errors import ConfigurationError
from perfectpay_async.resilience.limiter import Gcra


def starts(limiter, count, now=0.0):
    """When each of so many starts happens, for a caller that always waits as told."""
    times = []
    for _ in range(count):
        now += limiter.delay(now)
        limiter.take(now)
        times.append(now)
    return times


def test_starts_are_spaced_evenly():
    assert starts(Gcra(10), 4) == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_a_burst_may_come_at_once_after_a_pause():
    limiter = Gcra(10, burst=3)
    assert starts(limiter, 5) == pytest.approx([0.0, 0.0, 0.0, 0.1, 0.2])
    assert starts(limiter, 4, now=100.0) == pytest.approx([100.0, 100.0, 100.0, 100.1])


def test_a_new_rate_counts_from_the_next_start_on():
    limiter = Gcra(10)
    starts(limiter, 1)
    limiter.rate = 2
    assert starts(limiter, 3) == pytest.approx([0.1, 0.6, 1.1])


def test_a_change_counts_for_the_wait_that_has_begun():
    limiter = Gcra(1)
    limiter.take(0.0)
    limiter.change(0.5, 10, 1)
    assert limiter.delay(0.5) == pytest.approx(0.05)
    limiter.change(0.5, 1, 1)
    assert limiter.delay(0.5) == pytest.approx(0.5)


def test_a_change_of_the_burst_counts_too():
    limiter = Gcra(10)
    limiter.change(0.0, 10, 3)
    assert starts(limiter, 4) == pytest.approx([0.0, 0.0, 0.0, 0.1])


def test_what_is_not_taken_leaves_no_gap():
    limiter = Gcra(10)
    limiter.take(0.0)
    assert limiter.delay(0.05) == limiter.delay(0.05) == pytest.approx(0.05)


@given(st.floats(0.5, 1000), st.floats(1, 20), st.lists(st.floats(0, 2), min_size=1, max_size=100))
def test_no_window_ever_holds_more_than_the_rate_and_the_burst(rate, burst, pauses):
    limiter, now, times = Gcra(rate, burst), 0.0, []
    for pause in pauses:
        now += pause
        now += limiter.delay(now)
        limiter.take(now)
        times.append(now)
    for first, begin in enumerate(times):
        for last in range(first, len(times)):
            allowed = rate * (times[last] - begin) + burst
            assert last - first + 1 <= allowed * (1 + 1e-6) + 1e-3


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (float("nan"), 1), (1, 0.5)])
def test_what_makes_no_sense_is_refused(rate, burst):
    with pytest.raises(ConfigurationError, match="must be a number"):
        Gcra(rate, burst)


@given(st.lists(st.floats(0.0, 0.5), max_size=50), st.floats(0.1, 1_000.0), st.floats(1.0, 20.0))
def test_to_start_is_to_ask_and_to_take(pauses, rate, burst):
    at_once, in_two_steps, now = Gcra(rate, burst), Gcra(rate, burst), 0.0
    for pause in pauses:
        now += pause
        wait = in_two_steps.delay(now)
        if not wait:
            in_two_steps.take(now)
        assert at_once.start(now) == wait
