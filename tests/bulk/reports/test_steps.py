from __future__ import annotations

import shlex

import attrs

from perfectpay_async.bulk import Verdict
from perfectpay_async.bulk.reports import Commands, next_steps


def steps(account, *more):
    return {step.name: step for step in next_steps(account, Commands.of(account, *more))}


def test_every_class_is_told_in_its_order(account):
    assert list(steps(account())) == [*(verdict.value for verdict in Verdict), "remaining"]


def test_nothing_is_to_be_done_about_classes_without_rows(account):
    assert {(step.do, step.command) for step in steps(account(ok=100)).values()} == {("", "")}


def test_what_to_do_about_each_class(account):
    told = steps(account(ok=1, rejected=2, exhausted=3, unknown=4, invalid=5, skipped=6))

    mend, again = "perfectpay bulk dead-letter march-1", "perfectpay bulk retry-failed march-1"
    assert {name: step.command for name, step in told.items()} == {
        "ok": "",
        "rejected": mend,
        "exhausted": again,
        "unknown": again,
        "invalid": mend,
        "skipped": "",
        "remaining": "",
    }
    assert told["unknown"].do == "run them again: the values are absolute"
    assert told["remaining"].rows == 79
    assert told["remaining"].do == "go on with the job: give it the same rows again"


def test_the_command_that_goes_on_with_a_file(account):
    job = account(path="/in/march cards.csv", shard="0/4")

    command = steps(job, "--state-dir", "/my jobs")["remaining"].command

    assert shlex.split(command) == [
        *("perfectpay", "bulk", "run", "/in/march cards.csv", "--resume"),
        *("--base-url", "https://sandbox.example", "--shard", "0/4", "--state-dir", "/my jobs"),
    ]


def test_a_running_job_is_waited_for(account):
    step = steps(account(running=True, path="/in/march.csv"))["remaining"]

    assert (step.do, step.command) == ("wait: the job is running", "")


def test_nothing_goes_on_with_a_job_that_was_superseded(account):
    job = attrs.evolve(account(ok=1, rejected=2, path="/in/march.csv"), superseded_by="march-2")

    told = steps(job)
    nothing = ("nothing: the newer job march-2 has replaced this one", "")
    assert {name: (step.do, step.command) for name, step in told.items() if step.do} == {
        "rejected": nothing,
        "remaining": nothing,
    }


def test_rows_that_are_not_known(account):
    assert steps(account(rows=-1, ok=3))["remaining"].rows is None
