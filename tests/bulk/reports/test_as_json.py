from __future__ import annotations

import json
import math

from perfectpay_async.bulk import Verdict
from perfectpay_async.bulk.jobs import ProblemGroup, RunRecord, Sample
from perfectpay_async.bulk.reports import report_json


def test_all_of_the_account_is_in_it(account, begin):
    told = json.loads(
        report_json(
            account(
                ok=90,
                rejected=4,
                runs=[
                    RunRecord(1, begin, begin + 5, None, 60, 1),
                    RunRecord(2, begin + 9, begin + 14, "stopped", 40, 2),
                ],
                groups=[ProblemGroup(Verdict.REJECTED, 404, "HE_02", "gone", 4, 17)],
                samples=[
                    Sample(1, begin + 5, 55, 1, 60, 3, 40.0),
                    Sample(2, begin + 14, 94, 4, 40, 2, math.inf),
                ],
                options='{"format": "csv"}',
            )
        )
    )

    assert (told["schema"], told["job"], told["state"]) == (1, "march-1", "unfinished")
    assert (told["rows"], told["ok"], told["rejected"], told["remaining"]) == (100, 90, 4, 6)
    assert told["complete"] is False
    assert (told["requests"], told["requests_at_least"]) == (100, True)
    assert told["facts"]["options"] == {"format": "csv"}
    assert told["facts"]["unit"] == "line"
    assert told["rates"] == {
        "rows_per_second": 9.4,
        "requests_per_second": 10.0,
        "throttled": 5,
        "throttled_share": 0.05,
        "retried": 3,
    }
    assert [run["ending"] for run in told["runs"]] == [None, "stopped"]
    assert told["groups"] == [
        {
            "verdict": "rejected",
            "status": 404,
            "code": "HE_02",
            "message": "gone",
            "rows": 4,
            "first": 17,
        }
    ]
    assert [sample["granted"] for sample in told["samples"]] == [40.0, None]


def test_a_job_without_a_run(account):
    told = json.loads(report_json(account(rows=-1)))

    assert (told["rows"], told["remaining"], told["runs"]) == (None, None, [])
    assert told["rates"]["requests_per_second"] == 0.0


def test_one_that_is_complete(account):
    assert json.loads(report_json(account(ok=60, skipped=40)))["complete"] is True
