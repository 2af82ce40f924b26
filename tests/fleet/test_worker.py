"""A worker against a real sandbox and both ledgers: what it sends, and when it must not."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from perfectpay_async import PerfectPay
from perfectpay_async.bulk import Verdict, read_csv
from perfectpay_async.bulk.keys import RowKeys
from perfectpay_async.fleet import Ending, FleetWorker, LedgerError, WorkerFacts
from perfectpay_async.fleet import worker as module
from perfectpay_async.fleet.records import Taken
from perfectpay_async.sandbox import FaultPlan

UPDATE = "payment_methods.update"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Chunks are small, and nothing is waited for for long."""
    monkeypatch.setattr(module, "SETTLE", 0.05)
    monkeypatch.setattr(module, "_PAUSE", 0.05)
    for place in ("fleet.slices", "fleet.recorder", "bulk.inspection"):
        monkeypatch.setattr(f"perfectpay_async.{place}.CHUNK_ROWS", 100)


async def messages_of(ledger, job):
    return await ledger.to_enqueue(job, window=100, stale=None)


def last_card(job):
    return Path(job.facts.path).read_text().splitlines()[-1].split(",")[0]


def change_dates(job):
    path = Path(job.facts.path)
    path.write_text(path.read_text().replace(",12,31", ",11,31"))


async def expire(ledger):
    async with ledger.database.transaction():
        await ledger.database.fetch("UPDATE fleet_worker SET until = 1")


def spoil(sandbox, faults):
    sandbox.faults = FaultPlan(FaultPlan.parse(faults), random.Random(1))


async def until(condition, patience=60.0):
    async with asyncio.timeout(patience):
        while not condition():  # noqa: ASYNC110 - the sandbox tells nobody
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(worker, message):
    """Run a chunk meanwhile."""
    task = asyncio.create_task(worker.run_chunk(message))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


class TestRunChunk:
    async def test_every_row_is_applied_and_accounted_for(self, client, sandbox, ledger, begin):
        job = await begin(120)
        messages = await messages_of(ledger, job)
        assert [(m.chunk, m.rows) for m in messages] == [(0, 100), (1, 20)]
        async with FleetWorker(client, ledger, rate=None) as worker:
            reports = [await worker.run_chunk(message) for message in messages]
            again = await worker.run_chunk(messages[0])
        assert {report.ending for report in reports} == {Ending.DONE}
        assert again.ending is Ending.DONE_BEFORE
        progress = await ledger.progress(job.facts.id)
        assert progress.counts[Verdict.OK] == progress.requests == progress.rows == 120
        assert (progress.ended, progress.done, progress.workers) == (True, 2, 0)
        assert len(sandbox.ledger.writes) == 120
        assert sandbox.ledger.max_in_flight_per_id == 1

    async def test_the_keys_are_those_of_one_machine(self, client, sandbox, ledger, begin):
        job = await begin(3)
        (message,) = await messages_of(ledger, job)
        async with FleetWorker(client, ledger, rate=None) as worker:
            await worker.run_chunk(message)
        key = RowKeys(job.facts.id, job.facts.generation)
        wanted = {key(row) for row in read_csv(job.facts.path)}
        assert {r.idempotency_key for r in sandbox.ledger.requests_of(UPDATE)} == wanted

    async def test_what_is_not_ok_is_kept_with_its_place(self, client, ledger, begin, sandbox):
        job = await begin(103)
        card = last_card(job)
        await client.payment_methods.delete(card)
        async with FleetWorker(client, ledger, rate=None) as worker:
            for message in await messages_of(ledger, job):
                assert (await worker.run_chunk(message)).ending is Ending.DONE
        ((position, result, _),) = await ledger.problems(job.facts.id, Verdict, -1)
        assert (position, result.number, result.payment_method_id) == (102, 104, card)
        assert (result.verdict, result.status) == (Verdict.REJECTED, 404)

    async def test_several_chunks_at_once(self, client, sandbox, ledger, begin):
        job = await begin(150)
        async with FleetWorker(client, ledger, rate=None, chunks=2) as worker:
            reports = await asyncio.gather(
                *(worker.run_chunk(message) for message in await messages_of(ledger, job))
            )
        assert [report.ending for report in reports] == [Ending.DONE, Ending.DONE]
        assert len(sandbox.ledger.writes) == 150


class TestLosingTheLease:
    async def test_nothing_more_is_sent_and_the_chunk_is_taken_anew(
        self, client, sandbox, ledger, open_another, begin
    ):
        spoil(sandbox, "latency=1:seconds=0.05")
        job = await begin(100)
        (message,) = await messages_of(ledger, job)
        other = await open_another()
        async with (
            FleetWorker(client, ledger, rate=None, concurrency=2) as worker,
            running(worker, message) as task,
        ):
            await until(lambda: len(sandbox.ledger.writes) > 5)
            await expire(other)
            report = await asyncio.wait_for(task, 60)
        assert report.ending is Ending.DONE
        assert len({write.payment_method_id for write in sandbox.ledger.writes}) == 100
        assert sandbox.ledger.max_in_flight_per_id == 1
        progress = await other.progress(job.facts.id)
        assert progress.counts[Verdict.OK] == 100

    async def test_a_worker_that_slept_sends_nothing_before_it_looks(
        self, client, sandbox, ledger, begin, monkeypatch
    ):
        """As after SIGSTOP: the lease ran out meanwhile, and no beat has told it yet."""
        now = [0.0]
        monkeypatch.setattr("perfectpay_async.fleet.session.lease_clock", lambda: now[0])
        spoil(sandbox, "latency=1:seconds=0.05")
        job = await begin(100)
        (message,) = await messages_of(ledger, job)
        async with (
            FleetWorker(client, ledger, rate=None, concurrency=2) as worker,
            running(worker, message),
        ):
            await until(lambda: len(sandbox.ledger.requests) > 5)
            monkeypatch.setattr(worker.session, "_renew", asyncio.Event().wait)  # it hangs
            now[0] = 25.0  # less than the margin is left of the lease
            sent = 0
            while sent < len(sandbox.ledger.requests):  # what had been sent arrives
                sent = len(sandbox.ledger.requests)
                await asyncio.sleep(0.5)
            assert sent < 100

    async def test_what_fails_in_a_worker_that_slept_says_nothing_about_the_job(
        self, client, sandbox, ledger, begin, monkeypatch
    ):
        now = [0.0]
        monkeypatch.setattr("perfectpay_async.fleet.session.lease_clock", lambda: now[0])
        monkeypatch.setattr("perfectpay_async.bulk.stops.FEWEST", 2)
        spoil(sandbox, "latency=1:seconds=0.3")
        job = await begin(100)
        (message,) = await messages_of(ledger, job)
        async with FleetWorker(client, ledger, rate=None, concurrency=8) as worker:
            async with running(worker, message):
                await until(lambda: len(sandbox.ledger.requests) >= 8)
                monkeypatch.setattr(worker.session, "_renew", asyncio.Event().wait)  # it hangs
                now[0] = 25.0
                sandbox.store.methods.clear()  # what is under way is refused
                await asyncio.sleep(1.0)
            assert (await ledger.job("1")).state == "open"
            counts = (await ledger.progress(job.facts.id)).counts
            assert sum(counts.values()) == counts[Verdict.OK]

    async def test_what_another_worker_took_is_left_to_it(
        self, client, sandbox, ledger, open_another, begin
    ):
        spoil(sandbox, "latency=1:seconds=0.05")
        (message,) = await messages_of(ledger, await begin(100))
        other = await open_another()
        two = WorkerFacts(id="two", name="two", version="1", rate=None)
        await other.join(two, 30.0, instead_of=None)
        async with (
            FleetWorker(client, ledger, rate=None, concurrency=2) as worker,
            running(worker, message) as task,
        ):
            await until(lambda: len(sandbox.ledger.writes) > 5)
            async with other.database.transaction():
                await other.database.fetch("UPDATE fleet_worker SET until = 1 WHERE id <> 'two'")
            assert isinstance(await other.take("two", message), Taken)
            report = await asyncio.wait_for(task, 60)
            sent = len(sandbox.ledger.requests)
            assert report.ending is Ending.HELD
            await asyncio.sleep(0.3)
            assert len(sandbox.ledger.requests) == sent < 100

    async def test_a_short_sleep_is_gone_on_after(
        self, client, sandbox, ledger, begin, monkeypatch
    ):
        """The lease could be renewed in the end, so the session was never lost."""
        now = [0.0]
        monkeypatch.setattr("perfectpay_async.fleet.session.lease_clock", lambda: now[0])
        spoil(sandbox, "latency=1:seconds=0.05")
        job = await begin(100)
        (message,) = await messages_of(ledger, job)
        async with (
            FleetWorker(client, ledger, rate=None, concurrency=4) as worker,
            running(worker, message) as task,
        ):
            await until(lambda: len(sandbox.ledger.requests) > 5)
            now[0] = 25.0
            assert (await worker.run_chunk(message)).ending is Ending.HELD
            report = await asyncio.wait_for(task, 60)
        assert report.ending is Ending.DONE
        assert (await ledger.progress(job.facts.id)).counts[Verdict.OK] == 100


class TestStopping:
    async def test_a_refused_key_stops_the_job(self, sandbox, ledger, begin):
        job = await begin(120)
        messages = await messages_of(ledger, job)
        async with (
            PerfectPay("snd_wrong", base_url=sandbox.url) as stranger,
            FleetWorker(stranger, ledger, rate=None) as worker,
        ):
            first = await worker.run_chunk(messages[0])
            second = await worker.run_chunk(messages[1])
        assert (first.ending, second.ending) == (Ending.STOPPED, Ending.STOPPED)
        stopped = await ledger.job("1")
        assert (stopped.state, stopped.stopped_by) == ("stopped", "AuthenticationError")
        assert sandbox.ledger.writes == []
        assert (await ledger.progress(job.facts.id)).finished == 0

    async def test_too_many_failures_stop_the_job(
        self, client, sandbox, ledger, begin, monkeypatch
    ):
        await begin(100)
        monkeypatch.setattr("perfectpay_async.bulk.stops.FEWEST", 20)
        monkeypatch.setattr("perfectpay_async.bulk.run._TICK", 0.005)
        job = await ledger.job("1")
        spoil(sandbox, "400=0.5")
        (message,) = await messages_of(ledger, job)
        async with FleetWorker(client, ledger, rate=None, concurrency=2) as worker:
            assert (await worker.run_chunk(message)).ending is Ending.STOPPED
        stopped = await ledger.job("1")
        assert (stopped.stopped_by, "rows failed" in stopped.reason) == ("SafetyStop", True)

    async def test_a_job_that_is_stopped_ends_its_chunks(self, client, sandbox, ledger, begin):
        spoil(sandbox, "latency=1:seconds=0.05")
        job = await begin(100)
        (message,) = await messages_of(ledger, job)
        async with (
            FleetWorker(client, ledger, rate=None, concurrency=2) as worker,
            running(worker, message) as task,
        ):
            await until(lambda: len(sandbox.ledger.writes) > 5)
            await ledger.stop_job(job.facts.id, "FleetError", "stopped by an operator")
            report = await asyncio.wait_for(task, 60)
        assert (report.ending, report.reason) == (Ending.STOPPED, "the job was stopped")
        assert len(sandbox.ledger.writes) < 100
        assert (await ledger.job("1")).reason == "stopped by an operator"

    async def test_an_input_that_was_changed_stops_the_job(self, client, sandbox, ledger, begin):
        job = await begin(10)
        (message,) = await messages_of(ledger, job)
        change_dates(job)
        async with FleetWorker(client, ledger, rate=None) as worker:
            await worker.run_chunk(message)
        stopped = await ledger.job("1")
        assert stopped.stopped_by == "InputRefused"
        assert sandbox.ledger.writes == []

    async def test_draining_gives_the_chunk_back(
        self, client, sandbox, ledger, open_another, begin
    ):
        spoil(sandbox, "latency=1:seconds=0.05")
        job = await begin(100)
        (message,) = await messages_of(ledger, job)
        async with (
            FleetWorker(client, ledger, rate=None, concurrency=2) as worker,
            running(worker, message) as task,
        ):
            await until(lambda: len(sandbox.ledger.writes) > 5)
            worker.drain(10.0)
            report = await asyncio.wait_for(task, 60)
            assert (await worker.run_chunk(message)).ending is Ending.RELEASED
        assert report.ending is Ending.RELEASED
        written = len(sandbox.ledger.writes)
        progress = await ledger.progress(job.facts.id)
        assert progress.counts[Verdict.OK] == written  # nothing is repeated by the next one
        assert progress.running == 0
        spoil(sandbox, "")
        async with FleetWorker(client, await open_another(), rate=None) as another:
            assert (await another.run_chunk(message)).ending is Ending.DONE
        assert len(sandbox.ledger.writes) == 100

    async def test_a_job_for_another_host_is_not_run(self, sandbox, ledger, begin):
        job = await begin(3)
        (message,) = await messages_of(ledger, job)
        async with (
            PerfectPay("snd_x", base_url="http://127.0.0.1:9") as elsewhere,
            FleetWorker(elsewhere, ledger, rate=None) as worker,
        ):
            with pytest.raises(Exception, match="and this worker for"):
                await worker.run_chunk(message)
        assert (await ledger.progress(job.facts.id)).running == 0
        assert sandbox.ledger.writes == []

    async def test_a_ledger_that_cannot_be_used_ends_the_worker(self, client, ledger, begin):
        (message,) = await messages_of(ledger, await begin(3))
        async with ledger.database.transaction():
            await ledger.database.fetch("DROP TABLE fleet_worker")
        async with FleetWorker(client, ledger, rate=None) as worker:
            with pytest.raises(LedgerError, match="the ledger"):
                await worker.run_chunk(message)
            assert worker.session.failure is not None


async def test_no_secret_and_no_date_is_in_the_ledger(client, ledger, begin, sandbox, address):
    job = await begin(3)
    async with FleetWorker(client, ledger, rate=None) as worker:
        for message in await messages_of(ledger, job):
            await worker.run_chunk(message)
    for table in ("fleet_job", "fleet_chunk", "fleet_problem", "fleet_worker"):
        async with ledger.database.transaction():
            said = str(
                [tuple(row) for row in await ledger.database.fetch(f"SELECT * FROM {table}")]
            )
        for secret in (sandbox.api_key, "2031", "12/31"):
            assert secret not in said
