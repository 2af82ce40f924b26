from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perfectpay_async.fleet.shares import next_share


def test_a_worker_alone_has_all():
    assert next_share([40.0], []) == 40.0


def test_a_new_worker_waits_until_the_others_make_room():
    assert next_share([40.0, 40.0], [40.0]) == 0.0
    assert next_share([40.0, 40.0], [20.0]) == 20.0


def test_the_lowest_limit_counts_where_they_differ():
    assert next_share([40.0, 20.0], [10.0]) == 10.0


def test_without_a_limit_there_is_no_share():
    assert next_share([None, None], [0.0]) is None


@given(st.lists(st.sampled_from(["come", "go", "renew"]), max_size=60), st.data())
def test_the_sum_is_never_above_the_limit(events, data):
    shares: list[float] = []
    for event in events:
        if event == "come":
            shares.append(0.0)
        elif shares:
            at = data.draw(st.integers(0, len(shares) - 1))
            if event == "go":
                del shares[at]
            else:
                others = shares[:at] + shares[at + 1 :]
                share = next_share([40.0] * len(shares), others)
                assert share is not None
                shares[at] = share
        assert sum(shares) <= 40.0 + 1e-9
    for _ in range(2):  # and two rounds later all have the same
        for at in range(len(shares)):
            others = shares[:at] + shares[at + 1 :]
            shares[at] = next_share([40.0] * len(shares), others) or 0.0
    assert all(abs(share - 40.0 / len(shares)) < 1e-6 for share in shares)
