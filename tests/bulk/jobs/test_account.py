from __future__ import annotations

from contextlib import closing

import pytest

from perfectpay_async import CardExpiry
from perfectpay_async.bulk import BulkJob, JournalError, Verdict, read_account
from perfectpay_async.bulk.jobs import RunRecord, Sample
from perfectpay_async.bulk.jobs.journal import Journal

NEW = CardExpiry(12, 2031)


@pytest.fixture
async def ran(tmp_path, client, api):
    """Runs a job on some rows, of which one is refused and one breaks a rule."""

    async def run(**options):
        async def answer(_api, card):
            return 404 if card == "pm_3" else 200

        api.answer = answer
        rows = [*((f"pm_{n}", NEW) for n in range(10)), ("pm_old", CardExpiry(1, 2001))]
        with BulkJob(tmp_path / "a.job") as job:
            await client.bulk.update_expiries(rows, job=job, rate=None, **options)
        return read_account(tmp_path / "a.job")

    return run


async def test_a_job_that_has_ended(ran, tmp_path):
    account = await ran()

    assert (account.name, account.path) == ("a", tmp_path / "a.job")
    assert (account.state, account.running) == ("finished", False)
    assert (account.rows, account.finished, account.remaining) == (11, 11, 0)
    assert (account.failed, account.problem_count, account.requests) == (1, 2, 10)
    assert account.counts[Verdict.OK] == 9
    (run,) = account.runs
    assert (run.number, run.ending, run.requests) == (1, "end of input", 10)
    assert account.seconds == run.seen - run.began >= 0
    assert {group.verdict: group.rows for group in account.groups} == {
        Verdict.REJECTED: 1,
        Verdict.INVALID: 1,
    }
    assert account.samples[-1].finished == 11


async def test_one_that_was_stopped_and_resumed(ran):
    stopped = await ran(max_rows=4)
    assert (stopped.state, stopped.rows, stopped.remaining) == ("unfinished", None, None)
    assert stopped.runs[0].ending == "stopped"

    account = await ran()

    assert [run.number for run in account.runs] == [1, 2]
    assert account.state == "finished"
    assert account.requests == 10
    assert {sample.run for sample in account.samples} == {1, 2}


async def test_a_clock_that_was_put_back(ran):
    account = await ran()
    with closing(Journal(account.path)) as journal, journal.transaction():
        journal.write_run(RunRecord(2, began=2_000.0, seen=1_900.0))
        for at, finished in ((2_000.0, 1), (2_001.0, 2), (1_900.0, 3)):
            journal.write_sample(Sample(2, at, finished, 0, finished, 0, None))

    again = read_account(account.path)

    assert again.runs[1].seconds == 0.0
    assert again.seconds == account.seconds
    assert [sample.finished for sample in again.samples if sample.run == 2] == [1, 2, 3]


async def test_one_that_is_running(tmp_path, client):
    with BulkJob(tmp_path / "a.job") as job:
        assert read_account(job.path).state == "running"
        await client.bulk.update_expiries([("pm_1", NEW)], job=job, rate=None)

        account = read_account(job.path)
        assert (account.state, account.finished) == ("running", 1)


async def test_it_shows_neither_rows_nor_curves(ran):
    assert "groups" not in repr(await ran())


def test_one_without_a_run(tmp_path):
    BulkJob(tmp_path / "a.job").close()

    account = read_account(str(tmp_path / "a.job"))

    assert (account.state, account.rows, account.runs) == ("unfinished", None, ())
    assert (account.requests, account.seconds) == (0, 0)


def test_reading_makes_nothing(tmp_path, meta):
    Journal.create(tmp_path / "a.job", meta)
    before = {path.name for path in tmp_path.iterdir()}

    read_account(tmp_path / "a.job")

    assert {path.name for path in tmp_path.iterdir()} == before


def test_no_journal(tmp_path):
    with pytest.raises(JournalError, match="there is no journal"):
        read_account(tmp_path / "a.job")


def test_an_empty_file(tmp_path):
    (tmp_path / "a.job").write_bytes(b"")

    with pytest.raises(JournalError, match="is not a journal"):
        read_account(tmp_path / "a.job")
