from hypothesis import given
from hypothesis import strategies as st

from perfectpay_async.resilience.budget import RetryBudget


def test_it_starts_full():
    assert RetryBudget().available == 500


def test_a_retry_costs_and_a_throttled_one_costs_less():
    budget = RetryBudget()
    assert budget.take(throttled=False) == 14
    assert budget.take(throttled=True) == 5
    assert (budget.available, budget.retries, budget.refused) == (481, 2, 0)


def test_it_refuses_when_too_little_is_left():
    budget = RetryBudget(available=13)
    assert budget.take(throttled=False) is None
    assert budget.take(throttled=True) == 5
    assert (budget.available, budget.retries, budget.refused) == (8, 1, 1)


def test_a_refund_never_overfills_it():
    budget = RetryBudget(capacity=20, available=19)
    budget.refund(14)
    assert budget.available == 20


@given(st.lists(st.sampled_from(["retry", "throttled", "success"]), max_size=300))
def test_it_stays_between_empty_and_full(events):
    budget = RetryBudget()
    for event in events:
        if event == "success":
            budget.refund(budget.success_refund)
        else:
            budget.take(throttled=event == "throttled")
        assert 0 <= budget.available <= budget.capacity
