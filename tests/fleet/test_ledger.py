"""Both ledgers, through the same tests."""

from __future__ import annotations

import asyncio
import functools
import time

import asyncpg
import attrs
import pytest
from yarl import URL

from perfectpay_async.bulk import JobRefused, RowResult, Verdict
from perfectpay_async.fleet import (
    Ending,
    FleetSettings,
    LedgerAway,
    LedgerError,
    SessionLost,
    WorkerFacts,
    enter_job,
    open_ledger,
    plan_job,
)
from perfectpay_async.fleet.databases.postgres import PostgresDatabase
from perfectpay_async.fleet.recorder import copy_of
from perfectpay_async.fleet.records import Taken
from perfectpay_async.fleet.sql import ledger as sql
from perfectpay_async.fleet.sql.worker_ledger import MAX_FUTILE


def facts(name, rate=40.0):
    return WorkerFacts(id=name, name=f"host:{name}", version="1", rate=rate)


async def join(ledger, name, lease=30.0, rate=40.0, instead_of=None):
    await ledger.join(facts(name, rate), lease, instead_of=instead_of)
    return name


async def expire(ledger, name):
    """Let time pass until the lease of a worker has run out."""
    async with ledger.database.transaction():
        await ledger.database.fetch("UPDATE fleet_worker SET until = 1 WHERE id = $1", name)


@pytest.fixture
def begin_in(write_input):
    """Makes a job on a file of so many cards in a ledger; no server knows them."""

    async def make(ledger, cards, *, supersede=False):
        path = write_input([f"pm_{number}" for number in range(cards)])
        plan = plan_job(FleetSettings(location=path, format="csv"))
        return await enter_job(ledger, plan, URL("http://127.0.0.1:9"), supersede=supersede)

    return make


@pytest.fixture
def begin(ledger, begin_in):
    return functools.partial(begin_in, ledger)


@pytest.fixture
async def job(begin):
    return await begin(2_500)


@pytest.fixture
async def messages(ledger, job):
    return await ledger.to_enqueue(job, window=10, stale=None)


@pytest.fixture
async def worker(ledger):
    return await join(ledger, "one")


def done(taken):
    state = copy_of(taken.state)
    for offset in range(taken.slice.rows):
        state.mark(offset, Verdict.OK)
    return state


async def finish(ledger, taken):
    await ledger.save(taken, done(taken), [], requests=taken.slice.rows, retried=0)


class TestTaking:
    async def test_a_chunk_is_one_workers_at_a_time(self, ledger, open_another, messages, worker):
        taken = await ledger.take(worker, messages[0])
        assert isinstance(taken, Taken)
        assert taken.fence == 1
        assert not taken.from_dead
        other = await open_another()
        assert await other.take(await join(other, "two"), messages[0]) is Ending.HELD
        again = await ledger.take(worker, messages[0])  # it has given up what it had
        assert isinstance(again, Taken)
        assert (again.fence, again.from_dead) == (2, False)

    async def test_a_chunk_that_was_given_back_can_be_taken_with_what_was_done(
        self, ledger, open_another, messages, worker
    ):
        taken = await ledger.take(worker, messages[0])
        taken.state.mark(7, Verdict.OK)
        taken.state.mark(8, Verdict.SKIPPED)
        await ledger.save(taken, taken.state, [], requests=3, retried=1)
        await ledger.release(taken, "")
        other = await open_another()
        again = await other.take(await join(other, "two"), messages[0])
        assert isinstance(again, Taken)
        assert (again.fence, again.requests, again.retried) == (2, 3, 1)
        assert 7 in again.state.bitmap
        assert 6 not in again.state.bitmap
        assert 8 in again.state.skips
        assert again.state.counts[Verdict.OK] == again.state.counts[Verdict.SKIPPED] == 1

    async def test_a_lease_that_has_run_out_frees_the_chunk(self, ledger, open_another, messages):
        await ledger.take(await join(ledger, "frozen"), messages[0])
        other = await open_another()
        await join(other, "two")
        assert await other.take("two", messages[0]) is Ending.HELD
        await expire(ledger, "frozen")
        taken = await other.take("two", messages[0])
        assert isinstance(taken, Taken)
        assert taken.from_dead

    async def test_the_end_of_a_connection_frees_the_chunk_at_once(
        self, ledger, open_another, messages
    ):
        other = await open_another()
        await other.take(await join(other, "dying"), messages[0])
        assert await ledger.take(await join(ledger, "two"), messages[0]) is Ending.HELD
        await other.close()  # as the end of a process does
        taken = await ledger.take("two", messages[0])
        assert isinstance(taken, Taken)
        assert taken.from_dead

    async def test_without_a_lease_nothing_is_taken(self, ledger, messages):
        await join(ledger, "late")
        await expire(ledger, "late")
        with pytest.raises(SessionLost):
            await ledger.take("late", messages[0])

    async def test_what_is_done_or_unknown_is_not_taken(self, ledger, job, messages, worker):
        await finish(ledger, await ledger.take(worker, messages[0]))
        assert await ledger.take(worker, messages[0]) is Ending.DONE_BEFORE
        message = messages[1]
        for change in ({"job": "x"}, {"generation": 9}, {"chunk": 77}, {"sha256": "1" * 64}):
            assert await ledger.take(worker, attrs.evolve(message, **change)) is Ending.UNKNOWN

    async def test_a_stopped_job_is_not_gone_on_with(self, ledger, job, messages, worker):
        await ledger.take(worker, messages[0])
        await ledger.stop_job(job.facts.id, "SafetyStop", "too much failed")
        assert await ledger.take(worker, messages[0]) is Ending.STOPPED
        assert (await ledger.progress(job.facts.id)).running == 0
        stopped = await ledger.job("1")
        assert (stopped.stopped_by, stopped.reason) == ("SafetyStop", "too much failed")
        await ledger.reopen_job(job.facts.id)
        assert isinstance(await ledger.take(worker, messages[0]), Taken)

    async def test_a_job_that_has_ended_is_not_stopped(self, ledger, job, messages, worker):
        for message in messages:
            await finish(ledger, await ledger.take(worker, message))
        await ledger.stop_job(job.facts.id, "FleetError", "too late")
        assert (await ledger.job("1")).state == "open"

    async def test_a_chunk_that_always_ends_its_worker_is_given_up(
        self, ledger, job, messages, worker
    ):
        for begun in range(MAX_FUTILE):
            taken = await ledger.take(worker, messages[0])
            assert isinstance(taken, Taken)
            assert taken.suspect == (begun >= 2)
            await ledger.start(taken)
            await ledger.release(taken, "killed")
        assert await ledger.take(worker, messages[0]) is Ending.DEAD
        assert await ledger.take(worker, messages[0]) is Ending.DEAD
        ((number, note),) = await ledger.dead_chunks(job.facts.id)
        assert (number, note) == (0, "begun 5 times, and no row of it ended")
        assert isinstance(await ledger.take(worker, messages[1]), Taken)  # the rest goes on
        await ledger.reopen_job(job.facts.id)
        assert isinstance(await ledger.take(worker, messages[0]), Taken)

    async def test_who_only_waited_for_its_turn_is_not_blamed(self, ledger, messages, worker):
        for _ in range(2 * MAX_FUTILE):
            taken = await ledger.take(worker, messages[0])
            assert isinstance(taken, Taken)
            await ledger.release(taken, "killed")

    async def test_a_chunk_of_which_rows_end_is_not_given_up(self, ledger, messages, worker):
        for place in range(3 * MAX_FUTILE):
            taken = await ledger.take(worker, messages[0])
            assert isinstance(taken, Taken)
            await ledger.start(taken)
            taken.state.mark(place, Verdict.OK)
            await ledger.save(taken, taken.state, [], requests=1, retried=0)
            await ledger.release(taken, "killed")


class TestFencing:
    async def test_who_lost_a_chunk_cannot_save(self, ledger, open_another, messages):
        old = await ledger.take(await join(ledger, "old"), messages[0])
        await expire(ledger, "old")
        other = await open_another()
        new = await other.take(await join(other, "new"), messages[0])
        old.state.mark(0, Verdict.OK)
        with pytest.raises(SessionLost, match="another worker"):
            await ledger.save(old, old.state, [], requests=1, retried=0)
        with pytest.raises(SessionLost, match="another worker"):
            await ledger.start(old)
        await ledger.release(old, "")  # nor give away what is not its own
        new.state.mark(1, Verdict.OK)
        await other.save(new, new.state, [], requests=1, retried=0)
        progress = await other.progress(new.job.facts.id)
        assert (progress.counts[Verdict.OK], progress.running) == (1, 1)

    async def test_who_was_slow_but_lost_nothing_can_save(self, ledger, messages):
        taken = await ledger.take(await join(ledger, "slow"), messages[0])
        await expire(ledger, "slow")
        await finish(ledger, taken)
        assert (await ledger.progress(taken.job.facts.id)).done == 1

    async def test_a_lost_lease_cannot_be_renewed(self, ledger):
        await join(ledger, "slow")
        await expire(ledger, "slow")
        with pytest.raises(SessionLost):
            await ledger.renew("slow", 30.0)

    async def test_renewing_tells_what_is_held(self, ledger, job, messages, worker):
        taken = await ledger.take(worker, messages[1])
        key = (job.facts.id, 1, taken.fence)
        assert (await ledger.renew(worker, 30.0)).held == {key: True}
        await ledger.stop_job(job.facts.id, "FleetError", "stopped")
        assert (await ledger.renew(worker, 30.0)).held == {key: False}
        await ledger.release(taken, "")
        assert (await ledger.renew(worker, 30.0)).held == {}

    async def test_a_new_session_frees_the_chunks_of_the_former(self, ledger, messages, worker):
        await ledger.take(worker, messages[0])
        await join(ledger, "again", instead_of=worker)
        taken = await ledger.take("again", messages[0])
        assert isinstance(taken, Taken)
        assert not taken.from_dead


class TestAccount:
    async def test_problems_are_kept_once(self, ledger, job, messages, worker):
        taken = await ledger.take(worker, messages[1])
        taken.state.mark(5, Verdict.REJECTED)
        result = RowResult(
            1007, "pm_x", Verdict.REJECTED, attempts=2, elapsed=0.5, status=404, code="HE_02",
            request_id="r-1", message="no such card",
        )  # fmt: skip
        for _ in range(2):  # a save whose answer was lost is said again
            await ledger.save(taken, taken.state, [(1005, result, 7.0)], requests=2, retried=1)
        assert await ledger.problems(job.facts.id, Verdict, -1) == [(1005, result, 7.0)]
        assert await ledger.problems(job.facts.id, [Verdict.UNKNOWN], -1) == []
        assert await ledger.problems(job.facts.id, Verdict, 1005) == []
        progress = await ledger.progress(job.facts.id)
        assert (progress.counts[Verdict.REJECTED], progress.requests, progress.retried) == (1, 2, 1)

    async def test_progress_counts_chunks(self, ledger, job, messages, worker):
        for message in messages[:2]:
            await ledger.note_sent(job.facts.id, message.chunk)
        await finish(ledger, await ledger.take(worker, messages[0]))
        progress = await ledger.progress(job.facts.id)
        assert (progress.chunks, progress.done, progress.running, progress.queued) == (3, 1, 0, 1)
        assert (progress.rows, progress.finished, progress.workers) == (2_500, 1_000, 1)
        assert not progress.ended

    async def test_the_time_without_a_worker_is_none_of_work(self, ledger, messages, worker):
        async def seconds_after(hours):
            async with ledger.database.transaction():
                await ledger.database.fetch("UPDATE fleet_job SET seen = seen - $1", hours)
            return (await ledger.progress(messages[0].job)).seconds

        assert await seconds_after(0) == 0
        await finish(ledger, await ledger.take(worker, messages[0]))
        first = await seconds_after(3_600)
        assert 0 < first < 3_600
        taken = await ledger.take(worker, messages[1])
        assert await seconds_after(2) == first  # as if a worker had had it for two seconds
        await ledger.renew(worker, 30.0)
        assert first + 2 <= await seconds_after(2)
        await ledger.release(taken, "")
        assert first + 4 <= await seconds_after(0) < 3_600
        await ledger.renew(worker, 30.0)  # it has none any more
        assert await seconds_after(3_600) == await seconds_after(0)

    async def test_a_clock_that_is_put_back_takes_no_time_away(self, ledger, messages, worker):
        await ledger.take(worker, messages[0])
        async with ledger.database.transaction():
            await ledger.database.fetch("UPDATE fleet_job SET seen = seen + 3600")
        await ledger.renew(worker, 30.0)
        before = (await ledger.progress(messages[0].job)).seconds
        async with ledger.database.transaction():
            await ledger.database.fetch("UPDATE fleet_job SET seen = seen - 2")
        await ledger.renew(worker, 30.0)
        assert before + 2 <= (await ledger.progress(messages[0].job)).seconds < 60

    async def test_requests_are_a_lower_bound_once_a_worker_was_lost(
        self, ledger, open_another, messages
    ):
        async def at_least():
            return (await ledger.progress(messages[0].job)).requests_at_least

        other = await open_another()
        taken = await other.take(await join(other, "dying"), messages[0])
        await other.start(taken)
        assert not await at_least()  # what it has not saved yet, it will
        await expire(ledger, "dying")
        assert await at_least()
        taken = await ledger.take(await join(ledger, "one"), messages[0])
        await ledger.start(taken)
        for _ in range(2):  # a save whose answer was lost is said again
            await ledger.save(taken, done(taken), [], requests=1_000, retried=0)
        assert (await ledger.progress(messages[0].job)).done == 1
        assert await at_least()

    async def test_and_are_exact_when_every_chunk_was_given_back(self, ledger, messages, worker):
        for message in messages:
            await ledger.start(taken := await ledger.take(worker, message))
            await ledger.release(taken, "it drains")
            await ledger.start(taken := await ledger.take(worker, message))
            for _ in range(2):
                await ledger.save(taken, done(taken), [], requests=taken.slice.rows, retried=0)
        progress = await ledger.progress(messages[0].job)
        assert (progress.done, progress.requests_at_least) == (3, False)


class TestEnqueueing:
    async def test_the_window_bounds_what_waits(self, ledger, job, worker):
        first = await ledger.to_enqueue(job, window=2, stale=None)
        assert [message.chunk for message in first] == [0, 1]
        for message in first:
            await ledger.note_sent(job.facts.id, message.chunk)
        assert await ledger.to_enqueue(job, window=2, stale=None) == []
        await ledger.take(worker, first[0])
        (more,) = await ledger.to_enqueue(job, window=2, stale=None)
        assert more.chunk == 2

    async def test_chunks_of_the_dead_are_enqueued_again(self, ledger, job, messages):
        for message in messages:
            await ledger.note_sent(job.facts.id, message.chunk)
        await ledger.take(await join(ledger, "frozen"), messages[0])
        await expire(ledger, "frozen")
        (again,) = await ledger.to_enqueue(job, window=10, stale=None)
        assert again == messages[0]

    async def test_lost_messages_are_sent_again(self, ledger, job, messages):
        for message in messages:
            await ledger.note_sent(job.facts.id, message.chunk)
        assert await ledger.to_enqueue(job, window=10, stale=600.0) == []
        await asyncio.sleep(0.05)
        assert await ledger.to_enqueue(job, window=10, stale=0.01) == messages

    async def test_buried_chunks_are_not(self, ledger, job, messages):
        await ledger.bury(job.facts.id, 0, "given up")
        left = await ledger.to_enqueue(job, window=10, stale=None)
        assert [message.chunk for message in left] == [1, 2]
        assert await ledger.dead_chunks(job.facts.id) == [(0, "given up")]


class TestJobs:
    async def test_an_older_open_job_on_the_same_input_is_refused(self, ledger, begin):
        await begin(3)
        with pytest.raises(JobRefused, match="fleet reconcile 1"):
            await begin(3)

    async def test_or_given_up(self, ledger, begin, worker):
        old = await begin(3)
        (message,) = await ledger.to_enqueue(old, window=1, stale=None)
        new = await begin(3, supersede=True)
        assert new.facts.generation == old.facts.generation + 1
        assert await ledger.take(worker, message) is Ending.STOPPED
        await ledger.reopen_job(old.facts.id)  # not even so
        assert await ledger.take(worker, message) is Ending.STOPPED

    async def test_a_job_that_has_ended_makes_room(self, ledger, begin, worker):
        old = await begin(3)
        (message,) = await ledger.to_enqueue(old, window=1, stale=None)
        await finish(ledger, await ledger.take(worker, message))
        assert (await begin(3)).facts.generation == 2

    async def test_they_are_found_by_number_and_id(self, ledger, job):
        assert await ledger.job("1") == await ledger.job(job.facts.id) == job
        assert await ledger.jobs() == [job]
        with pytest.raises(JobRefused, match="there is no job 7"):
            await ledger.job("7")


class TestWorkers:
    async def test_shares_add_up_to_the_limit_at_all_times(self, open_another):
        one, two = await open_another(), await open_another()
        await join(one, "one")
        assert (await one.renew("one", 30.0)).share == 40.0
        await join(two, "two")
        assert (await two.renew("two", 30.0)).share == 0.0
        assert (await one.renew("one", 30.0)).share == 20.0
        assert (await two.renew("two", 30.0)).share == 20.0
        await two.leave("two")
        assert (await one.renew("one", 30.0)).share == 40.0

    async def test_a_dead_workers_share_is_free_at_once(self, open_another):
        one, two = await open_another(), await open_another()
        await join(one, "one")
        await join(two, "two")
        await two.renew("two", 30.0)
        assert (await one.renew("one", 30.0)).share == 20.0
        await two.close()
        assert (await one.renew("one", 30.0)).share == 40.0
        assert [entry.facts.name for entry in await one.workers()] == ["host:one"]

    async def test_without_rate_control_there_is_no_share(self, ledger):
        await join(ledger, "free", rate=None)
        assert (await ledger.renew("free", 30.0)).share is None


class TestVersions:
    async def test_it_can_be_prepared_again(self, ledger, job):
        await ledger.prepare()
        assert await ledger.jobs() == [job]

    async def test_an_older_one_is_brought_up_to_date(self, open_another, begin_in, monkeypatch):
        monkeypatch.setattr(sql, "MIGRATIONS", sql.MIGRATIONS[:1])
        older = await open_another()
        job = await begin_in(older, 3)
        monkeypatch.undo()
        newer = await open_another()
        assert await newer.jobs() == [job]
        progress = await newer.progress(job.facts.id)
        assert (progress.seconds, progress.requests_at_least) == (0, False)

    async def test_a_newer_ledger_is_refused(self, ledger):
        async with ledger.database.transaction():
            await ledger.database.fetch("UPDATE fleet_version SET version = 99")
        with pytest.raises(LedgerError, match="newer version"):
            await ledger.prepare()

    async def test_a_refused_login_is_said_without_the_password(self, postgres):
        # As for a wrong password: the server of the tests asks for none.
        stranger = open_ledger(postgres.url.replace("fleet@", "nobody:s3cret@"))
        with pytest.raises(LedgerError, match="does not let us in") as caught:
            await stranger.prepare()
        assert not isinstance(caught.value, LedgerAway)  # which would be waited for
        assert "s3cret" not in str(caught.value)

    @pytest.mark.parametrize(
        "error",
        [
            asyncpg.CrashShutdownError("terminating connection"),
            asyncpg.InternalClientError('protocol is in the "failed" state'),
            asyncpg.ConnectionDoesNotExistError("closed in the middle of operation"),
            asyncpg.InterfaceError("the underlying connection is closed"),
        ],
        ids=lambda error: type(error).__name__,
    )
    async def test_all_that_a_broken_connection_raises_is_an_absence(self, postgres, error):
        database = PostgresDatabase(postgres.url)
        with pytest.raises(LedgerAway, match=type(error).__name__):
            async with database.transaction():
                raise error
        async with database.transaction():  # it connects anew
            assert len(await database.fetch("SELECT 1")) == 1
        await database.close()

    async def test_its_clock_is_that_of_the_machine(self, ledger):
        async with ledger.database.transaction():
            ((now,),) = await ledger.database.fetch(f"SELECT {ledger.database.now}")
        assert abs(now - time.time()) < 60
