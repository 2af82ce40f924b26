from __future__ import annotations

import pickle

import pytest

from perfectpay_async.bulk import BulkReport, RowResult, Tally, Verdict


def tally_of(*results: RowResult) -> Tally:
    tally = Tally()
    for result in results:
        tally.add(result)
    return tally


def test_each_result_is_counted_in_its_class():
    tally = tally_of(
        RowResult(1, "pm_1", Verdict.OK, attempts=1),
        RowResult(2, "pm_2", Verdict.OK, attempts=3),
        RowResult(3, "pm_3", Verdict.REJECTED, attempts=1),
        RowResult(4, "pm_4", Verdict.EXHAUSTED, attempts=6),
        RowResult(5, "pm_5", Verdict.UNKNOWN, attempts=6),
        RowResult(6, None, Verdict.INVALID),
    )

    report = tally.report(elapsed=2.0, total=10)

    assert (report.ok, report.rejected, report.exhausted) == (2, 1, 1)
    assert (report.unknown, report.invalid) == (1, 1)
    assert (report.rows, report.problem_count, report.remaining) == (6, 4, 4)
    assert (report.retried, report.attempts, report.requests_per_second) == (3, 17, 8.5)
    assert [problem.number for problem in report.problems] == [3, 4, 5, 6]
    assert not report.complete


@pytest.mark.parametrize(("total", "complete"), [(1, True), (2, False), (None, False)])
def test_complete_means_that_no_row_is_left(total, complete):
    tally = tally_of(RowResult(1, "pm_1", Verdict.OK, attempts=1))

    assert tally.report(elapsed=1.0, total=total).complete is complete


def test_a_report_can_be_pickled_and_is_short():
    tally = tally_of(RowResult(1, "pm_1", Verdict.UNKNOWN, attempts=1, message="lost"))
    report = tally.report(elapsed=1.0, total=1)

    assert pickle.loads(pickle.dumps(report)) == report
    assert isinstance(report, BulkReport)
    assert "lost" not in repr(report)
