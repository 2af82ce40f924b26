from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perfectpay_async.bulk import SafetyStops, Verdict
from perfectpay_async.bulk.report import no_counts
from perfectpay_async.bulk.stops import FEWEST, WINDOW
from perfectpay_async.fleet.stops import JobWatch


def counts(ok=0, rejected=0, **more):
    given = {"ok": ok, "rejected": rejected, **more}
    return {**no_counts(), **{Verdict(name): value for name, value in given.items()}}


def told(*steps, stops=None):
    """Return what was said of each of the counts."""
    watch = JobWatch(stops or SafetyStops())
    return [watch.reason(step) for step in steps]


def test_too_many_failures_stop_it_whoever_sent_them():
    *before, reason = told(counts(), counts(ok=150, rejected=8), counts(ok=189, rejected=11))
    assert before == [None, None]  # the second is too few to say anything
    assert str(reason).startswith("11 of the last 200 rows failed, which is more than 5.0%")


def test_rows_that_were_not_sent_say_nothing():
    assert told(counts(), counts(ok=10, invalid=500)) == [None, None]


def test_what_had_ended_before_says_nothing():
    assert told(counts(rejected=500), counts(ok=500, rejected=501)) == [None, None]


def test_only_the_last_thousand_or_so_count():
    early = [counts(ok=1_000 * step, rejected=49) for step in range(1, 10)]
    assert told(counts(), *early, counts(ok=9_960, rejected=89)) == [None] * 11


def test_never_means_never():
    stops = SafetyStops(max_failures=1.0)
    assert told(counts(), counts(rejected=5_000), stops=stops) == [None, None]
    stops = SafetyStops(max_failures=None)
    assert told(counts(), counts(rejected=5_000), stops=stops) == [None, None]


@given(
    st.lists(st.tuples(st.integers(0, 700), st.integers(0, 50)), min_size=1, max_size=60),
    st.floats(0, 1),
)
def test_it_agrees_with_a_count_of_the_steps(steps, most):
    watch = JobWatch(SafetyStops(max_failures=most))
    assert watch.reason(counts()) is None
    sums = [(0, 0)]
    for ok, rejected in steps:
        sums.append((sums[-1][0] + ok, sums[-1][1] + rejected))
        ended = sum(sums[-1])
        first = max((at for at in sums if ended - sum(at) >= WINDOW), default=sums[0], key=sum)
        many, bad = ended - sum(first), sums[-1][1] - first[1]
        reason = watch.reason(counts(*sums[-1]))
        assert (reason is not None) == (many >= FEWEST and bad > most * many)
