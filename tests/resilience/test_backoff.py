from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenacity import RetryCallState

from perfectpay_async.errors import ConnectError, RateLimited
from perfectpay_async.resilience.backoff import WaitFullJitter


def state_after(attempt: int, failure: Exception) -> RetryCallState:
    state = RetryCallState(cast("Any", None), None, (), {})
    state.attempt_number = attempt
    state.set_exception((type(failure), failure, None))
    return state


@pytest.mark.parametrize(("attempt", "bound"), [(1, 0.1), (2, 0.2), (3, 0.4), (7, 6.4), (8, 8.0)])
def test_the_bound_doubles_up_to_the_cap(attempt, bound):
    wait = WaitFullJitter(uniform=lambda low, high: high)
    assert wait(state_after(attempt, ConnectError("lost"))) == pytest.approx(bound)


@pytest.mark.parametrize(("attempt", "bound"), [(1, 1.0), (2, 2.0), (4, 8.0), (5, 8.0)])
def test_a_throttled_call_starts_from_the_larger_base(attempt, bound):
    wait = WaitFullJitter(uniform=lambda low, high: high)
    assert wait(state_after(attempt, RateLimited("slow down"))) == pytest.approx(bound)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_every_wait_lies_between_zero_and_the_cap(attempt, share):
    wait = WaitFullJitter(uniform=lambda low, high: low + share * (high - low))
    assert 0 <= wait(state_after(attempt, ConnectError("lost"))) <= 8.0


def test_the_wait_is_drawn_from_zero_on():
    drawn = []
    wait = WaitFullJitter(uniform=lambda low, high: drawn.append((low, high)) or 0.0)
    wait(state_after(3, ConnectError("lost")))
    assert drawn == [(0.0, pytest.approx(0.4))]
