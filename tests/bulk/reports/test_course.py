from __future__ import annotations

from perfectpay_async.bulk.jobs import RunRecord, Sample
from perfectpay_async.bulk.reports.course import Span, merged, stretches, throttled


def sample(run, at, finished, *, failed=0, requests=None, throttled=0, granted=40.0):
    return Sample(
        run, at, finished, failed, finished if requests is None else requests, throttled, granted
    )


def test_a_run_without_a_sample_is_a_stretch(account):
    (stretch,) = stretches(account(runs=[RunRecord(1, 10.0, 12.0)]))

    assert stretch.points == ((10.0, 0), (12.0, 0))


def test_a_job_without_a_run_has_none(account):
    assert stretches(account()) == []
    assert throttled(account()) == 0


def test_what_was_done_between_samples(account):
    runs = [RunRecord(1, 10.0, 13.0, "end of input", 100, 0)]
    samples = [
        sample(1, 11.0, 30, requests=35, throttled=2),
        sample(1, 13.0, 100, failed=4, requests=115, throttled=3, granted=32.0),
    ]

    (stretch,) = stretches(account(runs=runs, samples=samples))

    assert stretch.points == ((10.0, 0), (11.0, 30), (13.0, 100))
    assert stretch.spans == (
        Span(10.0, 11.0, 35, 2, 0, 40.0),
        Span(11.0, 13.0, 80, 1, 4, 32.0),
    )


def test_each_run_goes_on_where_the_one_before_ended(account):
    runs = [RunRecord(1, 0.0, 2.0), RunRecord(2, 100.0, 101.0)]
    samples = [sample(1, 2.0, 50), sample(2, 101.0, 80, requests=30, throttled=4)]
    job = account(runs=runs, samples=samples)

    first, second = stretches(job)

    assert second.points == ((100.0, 50), (101.0, 80))
    assert second.spans[0].requests == 30
    assert (first.end, second.begin) == (2.0, 100.0)
    assert throttled(job) == 4


def test_rows_that_are_run_again_are_open_when_their_run_begins(account):
    runs = [RunRecord(1, 0.0, 2.0), RunRecord(2, 10.0, 12.0)]
    samples = [sample(1, 2.0, 100, failed=30), sample(2, 11.0, 75, failed=0, requests=5)]

    _, again = stretches(account(runs=runs, samples=samples))

    assert again.points == ((10.0, 75), (11.0, 75), (12.0, 75))
    assert all(span.failed >= 0 for span in again.spans)


def test_a_pause_in_a_run_makes_two_stretches(account):
    """As when a laptop sleeps: nothing was entered for far longer than usual."""
    runs = [RunRecord(1, 0.0, 4_005.0)]
    samples = [sample(1, float(at), at) for at in (*range(1, 5), *range(4_001, 4_006))]

    before, after = stretches(account(runs=runs, samples=samples))

    assert (before.begin, before.end) == (0.0, 4.0)
    assert (after.begin, after.end) == (4_001.0, 4_005.0)
    assert after.run is before.run


def test_the_rare_samples_of_a_long_run_are_no_pauses(account):
    times = [at * 600.0 for at in range(1, 50)]
    early = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]
    runs = [RunRecord(1, 0.0, times[-1])]

    assert (
        len(stretches(account(runs=runs, samples=[sample(1, at, 1) for at in early + times]))) == 1
    )


def test_a_clock_that_was_put_back_does_not_turn_the_course_round(account):
    runs = [RunRecord(1, 100.0, 103.0), RunRecord(2, 50.0, 52.0)]
    samples = [sample(1, 101.0, 1), sample(1, 99.0, 2), sample(1, 103.0, 3), sample(2, 52.0, 4)]

    course = stretches(account(runs=runs, samples=samples))

    times = [at for stretch in course for at, _ in stretch.points]
    assert times == sorted(times)
    assert all(span.seconds > 0 for stretch in course for span in stretch.spans)


def test_spans_are_joined_until_they_are_long_enough():
    spans = [Span(float(at), at + 1.0, 10, 1, 2, float(at)) for at in range(5)]

    assert list(merged(spans, 2.0)) == [
        Span(0.0, 2.0, 20, 2, 4, 1.0),
        Span(2.0, 4.0, 20, 2, 4, 3.0),
        Span(4.0, 5.0, 10, 1, 2, 4.0),
    ]
    assert list(merged([], 2.0)) == []
