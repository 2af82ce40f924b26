from __future__ import annotations

import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfectpay_async.bulk.jobs import RunRecord
from perfectpay_async.bulk.reports import (
    Commands,
    Headline,
    duration,
    headline,
    how_ended,
    lower_bound,
    moment,
    number,
    printable,
    report_markdown,
    report_page,
    state,
)


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({"ok": 100}, "All 100 rows were applied"),
        ({"rows": 0}, "The input has no rows"),
        ({"skipped": 100}, "All 100 rows were left out on purpose"),
        ({"rows": 1, "ok": 1}, "The only row was applied"),
        ({"rows": 1, "skipped": 1}, "The only row was left out on purpose"),
        (
            {"ok": 60, "skipped": 40},
            "All rows were applied, but for 40 of 100 left out on purpose",
        ),
    ],
)
def test_the_headline_of_a_job_with_nothing_left_to_do(account, counts, text):
    assert headline(account(**counts)) == Headline(True, text)


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({"ok": 97, "rejected": 1, "exhausted": 1, "invalid": 1}, "3 of 100 were not"),
        ({"ok": 90, "unknown": 10}, "of 10 of 100 it is not known"),
        (
            {"ok": 90, "rejected": 6, "unknown": 4},
            "6 of 100 were not, and of 4 it is not known",
        ),
        ({"ok": 99, "rejected": 1}, "1 of 100 was not"),
        ({"ok": 99}, "1 of 100 has not ended"),
        (
            {"rows": 3, "rejected": 1},
            "2 of 3 have not ended, and 1 of 1 row that has ended is not ok",
        ),
        ({"rows": -1, "ok": 1}, "1 has ended, and the input was not read to its end"),
        ({}, "100 of 100 have not ended"),
        ({"ok": 40}, "60 of 100 have not ended"),
        (
            {"ok": 40, "rejected": 2},
            "58 of 100 have not ended, and 2 of 42 rows that have ended are not ok",
        ),
        (
            {"rows": -1, "ok": 40},
            "40 have ended, and the input was not read to its end",
        ),
    ],
)
def test_of_one_that_did_not_apply_all(account, counts, text):
    assert headline(account(**counts)) == Headline(False, f"Not all rows were applied: {text}")


def test_of_one_that_is_running(account):
    assert headline(account(ok=40, running=True)) == Headline(
        False, "Not all rows were applied yet: the job is running and 60 of 100 have not ended"
    )
    assert headline(account(rows=-1, ok=40, running=True)).text == (
        "Not all rows were applied yet: the job is running"
    )


def test_the_state_names_the_job_that_has_replaced_it(account):
    newer = {"superseded_by": "march-2"}
    assert state(account(ok=40)) == "unfinished"
    assert state(attrs.evolve(account(ok=40), **newer)) == "superseded by march-2"
    assert state(attrs.evolve(account(ok=100), **newer)) == "finished, superseded by march-2"


def test_how_runs_ended(account):
    killed, ended, last = RunRecord(1, 0, 1), RunRecord(2, 2, 3, "SafetyStop"), RunRecord(3, 4, 5)
    of = account(runs=(killed, ended, last))
    running = account(runs=(killed, ended, last), running=True)

    assert [how_ended(of, run) for run in of.runs] == ["killed", "SafetyStop", "killed"]
    assert [how_ended(running, run) for run in of.runs] == ["killed", "SafetyStop", "under way"]


def test_the_requests_of_a_killed_run_are_a_lower_bound(account):
    killed, ended = RunRecord(1, 0, 1), RunRecord(2, 2, 3, "stopped")

    assert "a run was killed" in lower_bound(account(runs=(killed, ended)))
    assert "a run was killed" in lower_bound(account(runs=(killed, ended, killed), running=True))
    assert "a run was killed" in lower_bound(account(runs=(ended, killed)))
    assert lower_bound(account(runs=(ended, killed), running=True)) == ""  # it is under way
    assert lower_bound(account(runs=(ended,))) == ""


def test_so_are_those_of_a_fleet_that_lost_a_worker(account):
    def of_a_fleet(at_least):
        options = json.dumps({"fleet": 1, "requests_at_least": at_least})
        return account(runs=[RunRecord(1, 0, 1, "end of input")], options=options)

    assert "a worker was killed" in lower_bound(of_a_fleet(at_least=True))
    assert lower_bound(of_a_fleet(at_least=False)) == ""


def test_the_reports_say_so(account):
    for runs, times in (([RunRecord(1, 0, 1)], 1), ([RunRecord(1, 0, 1, "stopped")], 0)):
        of = account(runs=runs)
        for write in (report_markdown, report_page):
            assert write(of, Commands.of(of)).count("a run was killed before") == times


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (1.26, "1.3 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3_599.6, "1 h"),
        (3_600, "1 h"),
        (3_661, "1 h 1 min"),
        (86_400, "1 d"),
        (90_000, "1 d 1 h"),
        (86_400 + 60, "1 d"),
        (10 * 86_400, "10 d"),
    ],
)
def test_spans_of_time(seconds, text):
    assert duration(seconds) == text


def test_moments_and_numbers(begin):
    assert moment(begin) == "2026-03-01 10:13:20 UTC"
    assert [number(None), number(0), number(1_234_567)] == ["not known", "0", "1,234,567"]


def test_a_text_shows_all_that_is_in_it():
    assert printable("plain é 漢 <b>") == "plain é 漢 <b>"
    assert printable("a\x1b[31m\n\u202egnp.exe\udce9\0\x85") == (
        r"a\x1b[31m\n\u202egnp.exe\udce9\x00\x85"
    )


@given(st.text(st.characters()))
def test_whatever_it_is_it_can_be_shown_and_encoded(text):
    shown = printable(text)

    assert shown.isprintable()
    assert shown.encode().decode() == shown
