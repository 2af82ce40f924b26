from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime

import pytest

from perfectpay_async import (
    AuthenticationError,
    CardExpiry,
    ConfigurationError,
    Middlewares,
    PerfectPay,
)
from perfectpay_async.bulk import (
    BulkJob,
    InputRefused,
    JobRefused,
    JournalError,
    SafetyStop,
    SafetyStops,
    Shard,
    Verdict,
    read_account,
)
from perfectpay_async.bulk.jobs.journal import Journal
from perfectpay_async.bulk.jobs.writer import JournalWriter
from perfectpay_async.sandbox import Fault, Sandbox

YEAR = datetime.now(UTC).year + 3
OLD, NEW = CardExpiry(12, YEAR - 1), CardExpiry(12, YEAR)
LOOK, UPDATE = "payment_methods.retrieve", "payment_methods.update"


def rows_of(count):
    return [(f"pm_{number}", NEW) for number in range(count)]


@pytest.fixture
def run_of(client):
    """Makes a run as fast as it goes; the rate control has tests of its own."""

    def make(rows, **options):
        return client.bulk.expiry_run(rows, **{"rate": None, "stops": None, **options})

    return make


@pytest.fixture
def job(tmp_path):
    with BulkJob(tmp_path / "a.job") as job:
        yield job


@pytest.fixture
def hang(api):
    """Has requests wait; returns the event that says that so many are under way, and their door."""

    def arrange(many):
        under_way, door = asyncio.Event(), asyncio.Event()

        async def answer(api, _card):
            if api.flying.total() >= many:
                under_way.set()
            await door.wait()
            return 200

        api.answer = answer
        return under_way, door

    return arrange


async def run_to_the_end(run):
    async with run:
        pass


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what it waits for tells nobody
            await asyncio.sleep(0.001)


class TestResults:
    async def test_they_can_be_iterated_as_they_come(self, run_of):
        async with run_of(rows_of(300)) as run:
            results = [result async for result in run]

        assert sorted(result.number for result in results) == list(range(1, 301))
        assert run.report.ok == 300

    async def test_they_need_not_be(self, run_of):
        async with run_of(rows_of(3_000)) as run:
            pass

        assert run.report.ok == 3_000

    async def test_reading_can_end_early(self, run_of):
        async with run_of(rows_of(3_000)) as run:
            async for _ in run:
                break

        assert run.report.ok == 3_000

    async def test_results_that_are_not_read_hold_the_run_up(self, run_of, api):
        async with run_of(rows_of(5_000), concurrency=8) as run:
            await until(lambda: len(api.updates) >= 1_000)
            for _ in range(100):
                await asyncio.sleep(0)
            assert len(api.updates) <= 1_000 + 8

            results = [result async for result in run]

        assert len(results) == 5_000

    async def test_two_readers_share_them(self, run_of):
        async with run_of(rows_of(500)) as run:

            async def read():
                return [result.number async for result in run]

            one, two = await asyncio.gather(read(), read())

        assert sorted(one + two) == list(range(1, 501))

    async def test_a_reader_in_another_task_ends_with_the_block(self, run_of, hang):
        under_way, door = hang(1)
        async with run_of(rows_of(1)) as run:

            async def read():
                return [result async for result in run]

            reader = asyncio.create_task(read())
            await under_way.wait()
            door.set()
        await asyncio.wait_for(reader, 10)

    async def test_a_run_that_was_not_entered_has_none(self, run_of):
        run = run_of(rows_of(1))

        with pytest.raises(ConfigurationError, match="enter it with 'async with'"):
            await anext(run)
        with pytest.raises(ConfigurationError, match="enter it with 'async with'"):
            _ = run.report
        assert not run.begun

    async def test_nor_one_that_has_ended(self, run_of):
        async with run_of(rows_of(1)) as run:
            pass

        assert [result async for result in run] == []

    async def test_a_run_can_be_entered_once(self, run_of):
        async with run_of([]) as run:
            with pytest.raises(ConfigurationError, match="a run can be entered once"):
                await run.__aenter__()

        with pytest.raises(ConfigurationError, match="a run can be entered once"):
            async with run:
                pass

    async def test_the_report_can_be_looked_at_meanwhile(self, run_of, hang):
        under_way, door = hang(4)
        async with run_of(rows_of(10), concurrency=4) as run:
            await under_way.wait()
            assert (run.report.rows, run.report.remaining) == (0, 10)
            door.set()

        assert run.report.complete


class TestStopping:
    async def test_what_is_under_way_is_finished(self, run_of, hang, job):
        under_way, door = hang(4)
        async with run_of(rows_of(100), concurrency=4, job=job) as run:
            await under_way.wait()
            run.stop()
            door.set()

        assert (run.report.ok, run.report.remaining) == (4, 96)
        assert read_account(job.path).counts[Verdict.OK] == 4
        assert read_account(job.path).runs[0].ending == "stopped"

    async def test_when_the_grace_is_over_it_is_abandoned(self, run_of, hang, job, api):
        under_way, _ = hang(4)
        results = []
        run = run_of(rows_of(100), concurrency=4, job=job, on_result=results.append)
        async with run:
            await under_way.wait()
            run.stop(grace=0.01)

        assert api.flying.total() == 0
        assert [(result.verdict, result.settled) for result in results] == [
            (Verdict.UNKNOWN, False)
        ] * 4
        assert run.report.rows == 0
        assert read_account(job.path).finished == 0  # they are run again

    async def test_a_second_stop_shortens_the_grace_and_none_lengthens_it(self, run_of, hang):
        under_way, _ = hang(2)
        async with asyncio.timeout(10), run_of(rows_of(9), concurrency=2) as run:
            await under_way.wait()
            run.stop(3_600)
            run.stop(0)
            run.stop(3_600)

        assert run.report.unknown == 2

    async def test_a_run_that_was_stopped_before_it_begins_sends_nothing(self, run_of, api):
        run = run_of(rows_of(10))
        run.stop()

        async with run:
            pass

        assert api.keys == []
        assert (run.report.rows, run.report.remaining) == (0, 10)

    async def test_or_in_the_moment_it_begins(self, run_of, api):
        async with run_of(rows_of(10)) as run:
            run.stop()

        assert api.keys == []

    async def test_stopping_one_that_has_ended_changes_nothing(self, run_of):
        async with run_of(rows_of(3)) as run:
            pass
        run.stop(0)

        assert run.report.complete

    async def test_a_source_that_gives_nothing_is_not_waited_for(self, run_of):
        async def source():
            yield ("pm_1", NEW)
            await asyncio.Event().wait()

        async with asyncio.timeout(10), run_of(source()) as run:
            await anext(run)
            run.stop()

        assert run.report.ok == 1


class TestLeaving:
    async def test_by_an_exception_abandons_what_is_under_way(self, run_of, hang, job, api):
        under_way, _ = hang(4)
        before = asyncio.all_tasks()

        with pytest.raises(KeyError):  # noqa: PT012 - the block is what raises
            async with run_of(rows_of(100), concurrency=4, job=job):
                await under_way.wait()
                raise KeyError

        assert asyncio.all_tasks() == before
        assert api.flying.total() == 0
        assert job.counts[Verdict.OK] == 0

    async def test_an_exception_of_the_block_comes_before_one_of_the_run(self, run_of):
        def source():
            raise InputRefused("line 1: no")
            yield

        with pytest.raises(KeyError):  # noqa: PT012 - the block is what raises
            async with run_of(source()):
                await asyncio.sleep(0.01)
                raise KeyError

    async def test_a_cancel_wins_and_the_job_can_be_resumed(self, run_of, hang, tmp_path, api):
        under_way, door = hang(4)
        before = asyncio.all_tasks()

        async def run():
            with BulkJob(tmp_path / "b.job") as job:
                async with run_of(rows_of(50), concurrency=4, job=job):
                    pass

        task = asyncio.create_task(run())
        await under_way.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == before

        door.set()
        with BulkJob(tmp_path / "b.job") as job:
            async with run_of(rows_of(50), job=job) as again:
                pass
        assert (again.report.ok, again.report.earlier) == (50, 0)

    async def test_a_cancel_while_the_journal_is_written_loses_nothing(
        self, run_of, tmp_path, monkeypatch
    ):
        may_go_on, reached = threading.Event(), asyncio.Event()
        loop, transaction = asyncio.get_running_loop(), Journal.transaction

        def slow(journal):
            if threading.current_thread().name == "perfectpay-journal":
                loop.call_soon_threadsafe(reached.set)
                assert may_go_on.wait(10)
            return transaction(journal)

        monkeypatch.setattr(Journal, "transaction", slow)

        async def run():
            with BulkJob(tmp_path / "b.job") as job:
                async with run_of(rows_of(3), job=job):
                    pass

        task = asyncio.create_task(run())
        await reached.wait()
        await asyncio.sleep(0.05)
        loop.call_later(0.05, may_go_on.set)
        threading.Timer(0.2, may_go_on.set).start()  # closing the job holds the loop
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert read_account(tmp_path / "b.job").counts[Verdict.OK] == 3

    async def test_a_second_cancel_leaves_no_task_behind(self, run_of, hang, tmp_path, monkeypatch):
        under_way, _ = hang(4)
        before, may_go_on = asyncio.all_tasks(), threading.Event()
        flush, flushing = JournalWriter.flush, asyncio.Event()

        async def slow(writer):
            flushing.set()
            await asyncio.to_thread(may_go_on.wait, 10)
            await flush(writer)

        monkeypatch.setattr(JournalWriter, "flush", slow)

        async def run():
            with BulkJob(tmp_path / "b.job") as job:
                async with run_of(rows_of(50), concurrency=4, job=job):
                    await asyncio.Event().wait()

        task = asyncio.create_task(run())
        await under_way.wait()
        task.cancel()
        await flushing.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        left = asyncio.all_tasks() - before
        may_go_on.set()

        assert left == set()

    async def test_a_cancel_comes_before_a_failure_of_the_journal(
        self, run_of, hang, tmp_path, monkeypatch
    ):
        under_way, _ = hang(4)

        async def fails(_writer):
            raise JournalError("the disk is full")

        monkeypatch.setattr(JournalWriter, "flush", fails)
        with BulkJob(tmp_path / "b.job") as job:
            run = run_of(rows_of(50), concurrency=4, job=job)
            task = asyncio.create_task(run_to_the_end(run))
            await under_way.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


class TestFailures:
    async def test_the_job_can_be_run_again_when_on_rate_raised(self, run_of, job):
        def on_rate(_figures):
            raise KeyError

        with pytest.raises(KeyError):
            await run_to_the_end(run_of(rows_of(3), rate=1_000, job=job, on_rate=on_rate))
        assert job.counts[Verdict.OK] == 3

        async with run_of(rows_of(3), job=job) as again:
            pass
        assert (again.report.ok, again.report.remaining) == (3, 0)

    async def test_one_is_told_although_the_grace_is_over(self, run_of, hang):
        under_way, _ = hang(4)

        def source():
            yield from rows_of(4)
            raise KeyError

        with pytest.raises(KeyError):  # noqa: PT012 - it is raised at the end of the block
            async with run_of(source(), concurrency=5) as run:
                await under_way.wait()
                run.stop(grace=0.01)

    async def test_a_source_may_stop_the_run(self, run_of, api):
        run = run_of([])

        def source():
            yield ("pm_1", NEW)
            run.stop()
            yield ("pm_2", NEW)

        run = run_of(source(), concurrency=1)
        await run_to_the_end(run)

        assert [card for card, _ in api.keys] == ["pm_1"]
        assert (run.report.ok, run.report.rows) == (1, 1)


class TestLimits:
    async def test_max_rows(self, run_of, api, job):
        async with run_of(rows_of(100), max_rows=30, job=job) as run:
            pass
        assert (len(api.keys), run.report.ok, run.report.remaining) == (30, 30, 70)

        async with run_of(rows_of(100), max_rows=1_000, job=job) as run:
            pass
        assert (len(api.keys), run.report.ok, run.report.remaining) == (100, 100, 0)
        assert run.report.earlier == 30

    async def test_max_rows_counts_those_of_the_shard(self, run_of, api):
        async with run_of(rows_of(1_000), max_rows=30, shard=Shard(0, 4)):
            pass

        assert len(api.keys) == 30

    async def test_max_duration(self, run_of, api, job):
        async def source():
            for number in range(10**9):
                yield (f"pm_{number}", NEW)

        async with asyncio.timeout(30):
            async with run_of(source(), max_duration=0.01, job=job) as run:
                pass

        assert len(api.keys) == run.report.ok > 0
        assert read_account(job.path).runs[0].ending == "stopped"


class TestShards:
    async def test_together_they_run_every_row_once(self, run_of, api):
        skipped = []
        for index in range(4):
            async with run_of(rows_of(400), shard=Shard(index, 4)) as run:
                pass
            skipped.append(run.report.skipped)
            assert run.report.complete

        assert sorted(card for card, _ in api.updates) == sorted(card for card, _ in rows_of(400))
        assert sum(skipped) == 3 * 400

    async def test_rows_of_others_are_not_sent_when_a_job_is_resumed(self, run_of, api, job):
        for _ in range(2):
            async with run_of(rows_of(400), shard=Shard(1, 4), job=job) as run:
                pass

        assert len(api.keys) == run.report.ok
        assert run.report.skipped == 400 - run.report.ok

    async def test_a_job_keeps_to_its_shard(self, run_of, job, api):
        async with run_of(rows_of(400), shard=Shard(1, 4), job=job):
            pass
        sent = len(api.keys)

        for other in (Shard(0, 4), Shard(1, 2), None):
            with pytest.raises(JobRefused, match="was begun with the shard 1/4"):
                run_of(rows_of(400), shard=other, job=job)
        assert len(api.keys) == sent

    async def test_a_job_on_all_rows_gets_no_shard_later(self, run_of, job):
        async with run_of(rows_of(400), max_rows=10, job=job):
            pass

        with pytest.raises(JobRefused, match="was begun with all rows"):
            run_of(rows_of(400), shard=Shard(0, 4), job=job)
        async with run_of(rows_of(400), job=job) as run:
            pass
        assert run.report.ok == 400


class TestSafetyStops:
    async def test_too_many_failures(self, run_of, api, job):
        async def refuses(_api, _card):
            await asyncio.sleep(0.001)
            return 400

        async def source():
            for number in range(10**9):
                yield (f"pm_{number}", NEW)

        api.answer = refuses
        async with asyncio.timeout(30):
            async with run_of(source(), stops=SafetyStops(), job=job) as run:
                pass

        assert isinstance(run.report.stopped_by, SafetyStop)
        assert run.report.rejected == len(api.keys)
        assert read_account(job.path).runs[0].ending == "SafetyStop"

    async def test_an_outage(self, run_of, api):
        async def away(_api, _card):
            await asyncio.sleep(0.001)
            return 503

        async def source():
            for number in range(10**9):
                yield (f"pm_{number}", NEW)

        api.answer = away
        stops = SafetyStops(max_failures=None, max_outage=0.05)
        async with asyncio.timeout(30):
            async with run_of(source(), stops=stops, attempts=1) as run:
                pass

        assert "has not carried anything out" in str(run.report.stopped_by)


class TestKeyRefused:
    @pytest.mark.parametrize("concurrency", [1, 8, 64])
    async def test_no_more_than_what_was_under_way_is_sent(self, run_of, api, job, concurrency):
        async def revoked(api, _card):
            return 200 if len(api.updates) < 100 else 401

        api.answer = revoked
        async with run_of(rows_of(2_000), concurrency=concurrency, job=job) as run:
            pass

        assert isinstance(run.report.stopped_by, AuthenticationError)
        assert len(api.keys) <= 100 + concurrency
        assert run.report.ok == read_account(job.path).counts[Verdict.OK] == 100
        assert run.report.problem_count == 0  # the rows that met it are run again

    async def test_nor_what_waits_in_a_middleware_of_the_client(self, api, job):
        refused, waiting = asyncio.Event(), []

        async def line(request, call_next):
            waiting.append(request)
            if len(waiting) > 1:
                await refused.wait()
            else:
                await until(lambda: len(waiting) == 8)
            return await call_next(request)

        async def revoked(_api, _card):
            return 401

        api.answer = revoked
        async with PerfectPay(
            "snd_test", base_url="http://127.0.0.1:9", transport=api, rate_limit=line
        ) as client:
            report = await client.bulk.update_expiries(
                rows_of(100),
                job=job,
                concurrency=8,
                rate=None,
                on_result=lambda _: refused.set(),
            )

        assert isinstance(report.stopped_by, AuthenticationError)
        assert len(api.keys) == 1

    async def test_the_job_goes_on_with_a_good_one(self, run_of, api, job):
        async def revoked(api, _card):
            return 200 if len(api.updates) < 100 else 401

        api.answer = revoked
        async with run_of(rows_of(500), job=job):
            pass

        async def good(_api, _card):
            return 200

        api.answer = good
        async with run_of(rows_of(500), job=job) as run:
            pass
        assert (run.report.ok, run.report.earlier, run.report.remaining) == (500, 100, 0)
        assert len(api.updates) == 500

    async def test_rows_that_would_be_repeated_are_not_sent_again(self, run_of, api, job):
        refused = asyncio.Event()

        async def answer(_api, card):
            if card == "pm_0":
                return 401
            await refused.wait()
            return 503

        def note(result):
            if result.status == 401:
                refused.set()

        api.answer = answer
        async with run_of(rows_of(20), concurrency=8, job=job, on_result=note):
            pass

        assert len(api.keys) == 8
        assert job.counts == dict.fromkeys(Verdict, 0)


class TestJournalFailure:
    async def test_nothing_more_is_sent_than_was_under_way(self, run_of, api, job, monkeypatch):
        write, failed_at = Journal.write_chunk, []

        def fails(journal, number, state):
            if state.finished >= 200:
                failed_at.append(len(api.keys))
                raise JournalError("the disk is full")
            write(journal, number, state)

        run = run_of(rows_of(5_000), concurrency=16, job=job)

        async def answer(_api, _card):
            await asyncio.sleep(0.001)
            while failed_at and run.report.stopped_by is None:  # noqa: ASYNC110 - until it knows
                await asyncio.sleep(0.001)
            return 200

        api.answer = answer
        monkeypatch.setattr(Journal, "write_chunk", fails)
        with pytest.raises(JournalError, match="the disk is full"):
            await run_to_the_end(run)

        # Each worker may have begun a row before the loop heard of the failure.
        assert len(api.keys) <= failed_at[0] + 16
        assert isinstance(run.report.stopped_by, JournalError)
        assert read_account(job.path).finished < 200

        monkeypatch.undo()
        async with run_of(rows_of(5_000), job=job) as again:
            pass
        assert again.report.ok == 5_000

    async def test_a_deleted_journal_ends_the_run(self, run_of, api, tmp_path):
        async def delete(api, _card):
            if len(api.keys) == 50:
                (tmp_path / "b.job").unlink()
            return 200

        api.answer = delete
        with (
            BulkJob(tmp_path / "b.job") as job,
            pytest.raises(JournalError, match="was deleted or replaced"),
        ):
            await asyncio.wait_for(run_to_the_end(run_of(_endless(), job=job)), 30)

    async def test_one_that_cannot_be_read_is_told_on_entering(self, run_of, job, monkeypatch):
        def fails(_journal):
            raise JournalError("damaged")

        monkeypatch.setattr(Journal, "runs", fails)
        run = run_of(rows_of(3), job=job)
        with pytest.raises(JournalError, match="damaged"):
            async with run:
                pass
        assert not run.begun


async def _endless():
    number = 0
    while True:
        number += 1
        yield (f"pm_{number}", NEW)
        await asyncio.sleep(0)


class TestJobs:
    async def test_a_job_runs_one_thing_at_a_time(self, run_of, hang, job):
        under_way, door = hang(1)
        async with run_of(rows_of(3), job=job):
            await under_way.wait()
            with pytest.raises(ConfigurationError, match="the job is running already"):
                async with run_of(rows_of(3), job=job):
                    pass
            door.set()

    async def test_a_job_keeps_to_its_host(self, run_of, job):
        job.bind("payment_methods.update", "https://other.example/", "")

        with pytest.raises(JobRefused, match=r"was begun with https://other\.example"):
            run_of([], job=job)

    async def test_and_to_its_operation(self, job):
        with pytest.raises(JobRefused, match=r"with the operation payment_methods\.update"):
            job.bind("payment_methods.delete", "https://x.example/", "")

    async def test_another_input_is_refused(self, run_of, job, api):
        async with run_of(rows_of(3), job=job):
            pass

        with pytest.raises(InputRefused, match="the input is not the one"):
            async with run_of(rows_of(4)[1:], job=job):
                pass
        assert len(api.keys) == 3

    async def test_keys_are_those_of_the_job_and_its_generation(self, run_of, api, tmp_path):
        for name in ("b", "c"):
            with BulkJob(tmp_path / f"{name}.job") as job:
                async with run_of(rows_of(1), job=job):
                    pass

        (_, one), (_, other) = api.keys
        assert one != other

    async def test_a_row_whose_id_is_no_utf8_is_recorded(self, run_of, job):
        async with run_of([("pm_\udce9", NEW), ("pm_1", NEW)], job=job) as run:
            pass

        assert (run.report.invalid, run.report.ok) == (1, 1)
        assert read_account(job.path).counts[Verdict.INVALID] == 1


class TestOnlyForward:
    async def test_what_is_there_or_later_already_is_skipped(self, tmp_path):
        async with (
            Sandbox(seed=3) as sandbox,
            PerfectPay(sandbox.api_key, base_url=sandbox.url) as client,
        ):
            same, later, earlier = sandbox.seed_cards(3)
            for card, year in ((same, YEAR), (later, YEAR + 1), (earlier, YEAR - 1)):
                await client.payment_methods.update(card, expiry=CardExpiry(12, year))
            before = len(sandbox.ledger.writes)
            sandbox.faults.add(Fault.status(503, times=1))

            rows = [(card, NEW) for card in (same, later, earlier)]
            with BulkJob(tmp_path / "a.job") as job:
                report = await client.bulk.update_expiries(
                    [*rows, ("pm_gone", NEW)], job=job, only_forward=True, rate=None, stops=None
                )

        assert (report.skipped, report.ok, report.rejected) == (2, 1, 1)
        assert [write.payment_method_id for write in sandbox.ledger.writes[before:]] == [earlier]
        assert report.attempts == 6  # four looks, one of them repeated, and one update
        assert report.retried == 1

    @pytest.mark.parametrize(
        ("fault", "verdict", "requests", "retried"),
        [
            (None, Verdict.OK, 2, 0),
            (Fault.status(422, operation=UPDATE), Verdict.REJECTED, 2, 0),
            (Fault.status(503, operation=UPDATE, times=1), Verdict.OK, 3, 1),
            (Fault.status(503, operation=UPDATE), Verdict.UNKNOWN, 3, 1),
            (Fault.status(404, operation=LOOK), Verdict.REJECTED, 1, 0),
            (Fault.status(503, operation=LOOK, times=1), Verdict.OK, 3, 1),
            (Fault.status(503, operation=LOOK), Verdict.EXHAUSTED, 2, 1),
            (Fault.status(401, operation=UPDATE), Verdict.REJECTED, 2, 0),
        ],
    )
    async def test_a_look_is_a_request_and_no_retry(self, fault, verdict, requests, retried):
        async with (
            Sandbox(seed=3) as sandbox,
            PerfectPay(sandbox.api_key, base_url=sandbox.url) as client,
        ):
            if fault is not None:
                sandbox.faults.add(fault)
            results = []
            report = await client.bulk.update_expiries(
                [(sandbox.seed_cards(1, (OLD.wire_month, OLD.wire_year))[0], NEW)],
                only_forward=True,
                rate=None,
                stops=None,
                attempts=2,
                on_result=results.append,
            )

            assert len(sandbox.ledger.requests) == requests
        (result,) = results
        assert (result.verdict, result.attempts) == (verdict, requests)
        assert (report.attempts, report.retried) == (requests, retried)

    async def test_a_look_counts_though_its_update_was_never_begun(self):
        async def halt_after_the_look(request, call_next):
            response = await call_next(request)
            run.halt(AuthenticationError("refused"))
            return response

        async with (
            Sandbox(seed=3) as sandbox,
            PerfectPay(
                sandbox.api_key,
                base_url=sandbox.url,
                middlewares=Middlewares([halt_after_the_look]),
            ) as client,
        ):
            rows = [(sandbox.seed_cards(1, (OLD.wire_month, OLD.wire_year))[0], NEW)]
            run = client.bulk.expiry_run(rows, only_forward=True, rate=None, stops=None)
            async with run:
                pass
            assert len(sandbox.ledger.requests) == 1
        assert (run.report.attempts, run.report.rows, run.report.remaining) == (1, 0, 1)
