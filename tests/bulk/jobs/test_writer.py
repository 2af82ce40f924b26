from __future__ import annotations

import asyncio
import threading

import pytest

from perfectpay_async import PerfectPay
from perfectpay_async.bulk import JournalError, Verdict
from perfectpay_async.bulk.jobs import BulkJob, JournalWriter, RunRecord, Sample
from perfectpay_async.bulk.jobs.journal import Journal
from perfectpay_async.bulk.jobs.writer import COMMIT_ROWS, MAX_WAITING, Reading


class SlowJournal(Journal):
    """Counts its transactions, and can be held up or made to fail."""

    def __init__(self, path):
        super().__init__(path)
        self.commits = 0
        self.fails: Exception | None = None
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.reached = threading.Event()

    def transaction(self):
        self.reached.set()
        assert self.may_go_on.wait(10)
        if self.fails is not None:
            raise self.fails
        self.commits += 1
        return super().transaction()


@pytest.fixture
def journal(tmp_path, meta):
    Journal.create(tmp_path / "a.job", meta)
    journal = SlowJournal(tmp_path / "a.job")
    yield journal
    journal.may_go_on.set()
    journal.close()


@pytest.fixture
def failures():
    return []


@pytest.fixture
async def writer(journal, failures):
    writer = JournalWriter(journal, failures.append)
    yield writer
    journal.may_go_on.set()
    writer.close()


def finished(journal):
    return sum(journal.counts().values())


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what it waits for tells nobody
            await asyncio.sleep(0.001)


class TestGroupCommit:
    async def test_a_single_result_is_committed_soon(self, writer, journal, result):
        writer.put(0, result())

        await until(lambda: finished(journal) == 1)

    async def test_many_share_a_commit(self, writer, journal, result):
        journal.may_go_on.clear()
        writer.put(0, result())
        await until(journal.reached.is_set)
        for position in range(1, 1_500):
            writer.put(position, result())
        journal.may_go_on.set()

        await writer.flush()

        assert finished(journal) == 1_500
        assert journal.commits == 2

    async def test_a_full_group_does_not_wait(self, writer, journal, result, monkeypatch):
        monkeypatch.setattr("perfectpay_async.bulk.jobs.writer.COMMIT_SECONDS", 3_600.0)
        for position in range(COMMIT_ROWS):
            writer.put(position, result())

        await until(lambda: finished(journal) == COMMIT_ROWS)

    async def test_a_flush_does_not_wait_either(self, writer, journal, result, monkeypatch):
        monkeypatch.setattr("perfectpay_async.bulk.jobs.writer.COMMIT_SECONDS", 3_600.0)
        writer.put(7, result(7, Verdict.REJECTED))

        async with asyncio.timeout(10):
            await writer.flush()

        assert [position for position, _ in journal.problems()] == [7]

    async def test_results_are_in_the_journal_under_their_places(self, writer, journal, result):
        ended = {3: Verdict.OK, 1_002: Verdict.UNKNOWN, 2_999: Verdict.SKIPPED}
        for position, verdict in ended.items():
            writer.put(position, result(position, verdict))

        await writer.flush()

        for position in ended:
            assert position % 1_000 in journal.chunk(position // 1_000).bitmap
        assert [position for position, _ in journal.problems()] == [1_002]
        assert journal.counts()[Verdict.SKIPPED] == 1

    async def test_runs_and_samples_go_with_them(self, writer, journal):
        run, sample = RunRecord(1, 1.0, 2.0), Sample(1, 2.0, 0, 0, 0, 0, None)
        writer.note_run(run, sample)

        await until(lambda: journal.samples() == [sample])
        assert journal.runs() == [run]


class TestReading:
    async def test_what_was_read_is_committed_with_the_first_result(self, writer, journal, result):
        writer.reading = Reading(0, 3, b"x" * 16, ended=False)
        writer.put(0, result())

        await writer.flush()

        state = journal.chunk(0)
        assert (state.rows, state.seen, state.fingerprint) == (None, 3, b"x" * 16)

    async def test_nothing_is_written_for_reading_alone(self, writer, journal, monkeypatch):
        monkeypatch.setattr("perfectpay_async.bulk.jobs.writer.COMMIT_SECONDS", 0.0)
        writer.reading = Reading(0, 3, b"x" * 16, ended=False)
        await asyncio.sleep(0.05)

        assert journal.commits == 0

    async def test_the_end_of_a_chunk_is_not_overwritten_by_an_older_reading(
        self, writer, journal, result
    ):
        writer.reading = Reading(0, 999, b"x" * 16, ended=False)
        writer.put(0, result())
        writer.end_of_chunk(Reading(0, 1_000, b"y" * 16, ended=True))

        assert writer.reading is None
        await writer.flush()
        state = journal.chunk(0)
        assert (state.rows, state.seen, state.fingerprint) == (1_000, 1_000, b"y" * 16)

    async def test_a_chunk_that_has_ended_is_not_kept_in_memory(self, writer, journal, result):
        writer.end_of_chunk(Reading(0, 2, b"y" * 16, ended=True))
        writer.put(0, result())
        writer.put(1, result())

        await writer.flush()

        assert journal.chunk(0).complete
        assert writer._open == {}


class TestBackPressure:
    async def test_whoever_has_a_further_result_waits(self, writer, journal, result):
        journal.may_go_on.clear()
        writer.put(0, result())
        await until(journal.reached.is_set)
        for position in range(1, MAX_WAITING):
            writer.put(position, result())
        await writer.room()

        writer.put(MAX_WAITING, result())
        waiting = asyncio.create_task(writer.room())
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        assert not done

        journal.may_go_on.set()
        await asyncio.wait_for(waiting, 10)
        await writer.flush()
        assert finished(journal) == MAX_WAITING + 1

    async def test_nobody_waits_after_a_failure(self, writer, journal, failures, result):
        journal.may_go_on.clear()
        writer.put(0, result())
        await until(journal.reached.is_set)
        for position in range(1, MAX_WAITING + 1):
            writer.put(position, result())
        waiting = asyncio.create_task(writer.room())
        journal.fails = JournalError("no")
        journal.may_go_on.set()

        await asyncio.wait_for(waiting, 10)
        await until(lambda: failures)


class TestFailure:
    async def test_it_is_told_once_and_nothing_is_kept_after_it(
        self, writer, journal, failures, result
    ):
        journal.fails = JournalError("the disk is full")
        writer.put(0, result())
        await until(lambda: failures)
        journal.fails = None

        writer.put(1, result())
        writer.put(2, result())

        for _ in range(2):
            with pytest.raises(JournalError, match="the disk is full"):
                await writer.flush()
        assert failures == [writer.failure]
        assert finished(journal) == 0

    async def test_it_is_told_in_the_event_loop(self, journal, result):
        threads = []
        writer = JournalWriter(journal, lambda _error: threads.append(threading.current_thread()))
        journal.fails = JournalError("no")
        writer.put(0, result())

        await until(lambda: threads)

        assert threads == [threading.current_thread()]
        writer.close()

    async def test_what_is_no_error_of_a_journal_ends_it_as_well(
        self, writer, journal, failures, result
    ):
        journal.fails = ZeroDivisionError("planted secret")
        writer.put(0, result())

        await until(lambda: failures)

        assert failures[0].message == "the journal failed with ZeroDivisionError"

    async def test_a_failure_of_the_last_commit_is_raised(self, writer, journal, failures, result):
        journal.may_go_on.clear()
        writer.put(0, result())
        await until(journal.reached.is_set)
        journal.fails = JournalError("no")
        flush = asyncio.create_task(writer.flush())
        await asyncio.sleep(0.01)
        journal.may_go_on.set()

        with pytest.raises(JournalError, match="no"):
            await flush


class TestEnding:
    async def test_closing_twice_is_fine(self, writer, journal, result):
        writer.put(0, result())
        await writer.flush()
        writer.close()
        await writer.flush()

        assert writer.ended
        assert finished(journal) == 1

    def test_it_can_be_closed_when_the_loop_has_gone(self, journal, result):
        async def begin():
            writer = JournalWriter(journal, pytest.fail)
            writer.put(0, result())
            return writer

        writer = asyncio.run(begin())
        writer.close()

        assert finished(journal) == 1

    def test_so_can_one_whose_journal_fails_then(self, journal, result):
        async def begin():
            writer = JournalWriter(journal, pytest.fail)
            journal.may_go_on.clear()
            journal.fails = JournalError("no")
            writer.put(0, result())
            return writer

        writer = asyncio.run(begin())
        journal.may_go_on.set()
        writer.close()

        assert writer.failure is not None

    async def test_a_cancelled_flush_leaves_the_commit_to_close(self, writer, journal, result):
        journal.may_go_on.clear()
        writer.put(0, result())
        await until(journal.reached.is_set)
        flush = asyncio.create_task(writer.flush())
        await asyncio.sleep(0.01)

        flush.cancel()
        with pytest.raises(asyncio.CancelledError):
            await flush
        journal.may_go_on.set()
        writer.close()

        assert finished(journal) == 1

    async def test_no_thread_is_left(self, tmp_path, client: PerfectPay):
        before = threading.active_count()
        with BulkJob(tmp_path / "b.job") as job:
            await client.bulk.update_expiries([], job=job)

        assert not [t for t in threading.enumerate() if t.name == "perfectpay-journal"]
        assert threading.active_count() <= before + 1  # asyncio's executor keeps one
