from __future__ import annotations

from perfectpay_async.cli.exits import ExitCode


def test_the_exit_codes_are_frozen():
    assert {code.name: code.value for code in ExitCode} == {
        "DONE": 0,
        "NOT_ALL_DONE": 1,
        "USAGE": 2,
        "INPUT_REFUSED": 3,
        "CREDENTIALS": 4,
        "SAFETY_STOP": 5,
        "JOB_REFUSED": 6,
        "JOURNAL": 7,
        "BUG": 70,
        "INTERRUPTED": 130,
        "TERMINATED": 143,
    }
