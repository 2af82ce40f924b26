"""The taskiq adapter: without a server what the task does, with RabbitMQ what the queue does."""

from __future__ import annotations

import asyncio
import json
import uuid

import aio_pika
import attrs
import pytest
from aiormq.exceptions import ChannelAccessRefused
from taskiq import InMemoryBroker
from taskiq.exceptions import SendTaskError
from yarl import URL

from perfectpay_async.bulk import Verdict, stops
from perfectpay_async.errors import ConfigurationError
from perfectpay_async.fleet import (
    AccessRefused,
    ChunkMessage,
    ChunkReport,
    Ending,
    FleetError,
    FleetWorker,
    LedgerError,
    SendingQueue,
    WorkerFacts,
)
from perfectpay_async.fleet.coordinator import Coordinator
from perfectpay_async.fleet.taskiq import FleetBroker, RabbitQueue, serve, serving
from perfectpay_async.fleet.taskiq.broker import TASK, queue_name
from perfectpay_async.fleet.taskiq.failures import failure_of
from tests.fleet.conftest import new_ledger

MESSAGE = ChunkMessage(
    job="a" * 32, generation=1, chunk=0, source=("/x.csv", 0, 9), rows=1, sha256="0" * 64
)


class Session:
    failure = None


class Worker:
    """Ends every chunk in a way that is told, or raises it."""

    def __init__(self, end):
        self.end = end
        self.session = Session()
        self.seen = []

    async def run_chunk(self, message):
        self.seen.append(message)
        if isinstance(self.end, Exception):
            raise self.end
        return ChunkReport(message=message, ending=self.end)


class Noted:
    def __init__(self):
        self.endings = []

    def note_ending(self, task_id, ending):
        self.endings.append((task_id, ending))


class TestTheTask:
    """On taskiq's broker in memory."""

    @pytest.fixture(autouse=True)
    def _quick(self, monkeypatch):
        monkeypatch.setattr(serving, "_PAUSE", 0.0)

    async def run(self, worker, value):
        broker, noted = InMemoryBroker(), Noted()
        task = serving._Task(noted, worker, lambda: None)

        async def run(message: dict) -> str:
            return str(await task.run(message, "id"))

        chunk = broker.register_task(run, TASK)
        await broker.startup()
        sent = await chunk.kiq(value)
        result = await sent.wait_result(timeout=60)
        await broker.shutdown()
        return result, noted.endings

    @pytest.mark.parametrize("ending", Ending)
    async def test_it_tells_how_the_chunk_ended(self, ending):
        result, endings = await self.run(Worker(ending), MESSAGE.to_json())
        assert (result.return_value, endings) == (ending.value, [("id", ending)])

    @pytest.mark.parametrize(
        "error", [LedgerError("no"), RuntimeError("s3cret"), KeyError("x")], ids=repr
    )
    async def test_it_never_raises_but_gives_the_chunk_back(self, error, caplog):
        result, endings = await self.run(Worker(error), MESSAGE.to_json())
        assert not result.is_err
        assert endings == [("id", Ending.RELEASED)]
        assert "s3cret" not in caplog.text

    def test_only_what_is_not_done_comes_back(self):
        assert [ending for ending in Ending if ending.requeue] == [Ending.RELEASED]
        assert [e for e in Ending if e.dead_letter] == [Ending.DEAD, Ending.UNKNOWN]


@pytest.fixture
def address():
    """Root of an API of its own for each test, so that each has its own queue."""
    return URL(f"http://{uuid.uuid4().hex}.test")


class Served:
    """A worker of the broker in this process."""

    def __init__(self, url, address, worker):
        self._stopping = asyncio.Event()
        self._task = asyncio.create_task(serve(FleetBroker(url, address), worker, self._stopping))

    async def stop(self):
        self._stopping.set()
        await asyncio.wait_for(self._task, 60)


async def publish(url, address, body, queue=None):
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        await channel.default_exchange.publish(
            aio_pika.Message(body), routing_key=queue or queue_name(address)
        )


async def until(condition, patience=60.0):
    async with asyncio.timeout(patience):
        while not await condition():  # noqa: ASYNC110 - the broker tells nobody
            await asyncio.sleep(0.05)


class TestRabbitMq:
    async def test_a_message_is_acknowledged_when_its_chunk_is_done(self, rabbitmq, address):
        worker = Worker(Ending.DONE)
        async with RabbitQueue(rabbitmq.url, address) as queue:
            served = Served(rabbitmq.url, address, worker)
            await queue.send(MESSAGE)

            async def seen():
                return worker.seen == [MESSAGE]

            await until(seen)
            assert await queue.workers() == 1
            await served.stop()
            assert (await queue.waiting(), await queue.dead_letters()) == (0, 0)
            assert await queue.workers() == 0

    async def test_a_chunk_that_was_given_back_is_delivered_again(self, rabbitmq, address):
        worker = Worker(Ending.RELEASED)
        async with RabbitQueue(rabbitmq.url, address) as queue:
            served = Served(rabbitmq.url, address, worker)
            await queue.send(MESSAGE)

            async def again():
                return len(worker.seen) >= 2

            await until(again)
            worker.end = Ending.DONE
            await served.stop()

    async def test_a_dead_chunk_goes_to_the_dead_letters(self, rabbitmq, address):
        other = attrs.evolve(MESSAGE, job="b" * 32)
        async with RabbitQueue(rabbitmq.url, address) as queue:
            served = Served(rabbitmq.url, address, Worker(Ending.DEAD))
            await queue.send(MESSAGE)
            await queue.send(other)

            async def dead():
                return await queue.dead_letters() == 2

            await until(dead)
            await served.stop()
            assert await queue.take_dead_letters(MESSAGE.job) == [MESSAGE]
            assert await queue.take_dead_letters(MESSAGE.job) == []

            async def left():
                return await queue.dead_letters() == 1

            await until(left)  # that of the other job

    @pytest.mark.parametrize(
        "body",
        [
            b"no JSON",
            b"[]",
            json.dumps(
                {"task_id": "1", "task_name": "mail.send", "labels": {}, "args": [], "kwargs": {}}
            ).encode(),
            json.dumps(
                {
                    "task_id": "1",
                    "task_name": TASK,
                    "labels": {},
                    "args": [{**MESSAGE.to_json(), "form": 2}],
                    "kwargs": {},
                }
            ).encode(),
        ],
        ids=["no JSON", "no task", "another task", "another version"],
    )
    async def test_what_is_not_understood_is_never_dropped(self, rabbitmq, address, body, caplog):
        worker = Worker(Ending.DONE)
        async with RabbitQueue(rabbitmq.url, address) as queue:
            served = Served(rabbitmq.url, address, worker)
            await publish(rabbitmq.url, address, body)
            await queue.send(MESSAGE)  # what comes after it is not held up

            async def told_apart():
                return await queue.dead_letters() == 1 and worker.seen == [MESSAGE]

            await until(told_apart)
            await served.stop()
            assert await queue.take_dead_letters(MESSAGE.job) == []
            await until(told_apart)  # it is there still, a moment later
        assert f"a message goes to {queue_name(address)}.dead" in caplog.text

    async def test_versions_and_hosts_have_queues_of_their_own(self, address):
        assert queue_name(address) == f"perfectpay.fleet.1.{address.host}"
        assert queue_name(URL("https://api.test")) != queue_name(URL("https://api.test:8443"))

    async def test_a_broker_that_is_away_is_said_without_its_password(self, address):
        with pytest.raises(FleetError, match="the broker cannot be reached") as caught:
            async with RabbitQueue("amqp://guest:s3cret@127.0.0.1:9/", address):
                pass
        assert "s3cret" not in str(caught.value)

    @pytest.mark.parametrize(
        ("before", "after", "said"),
        [
            ("guest:guest@", "guest:s3cret@", "the broker refuses the login"),
            ("guest:guest@", "s3cret@", "the broker refuses the login"),
            ("/", "/s3cret", "the broker does not open the virtual host"),
        ],
    )
    async def test_a_refusal_is_not_waited_for(self, rabbitmq, address, before, after, said):
        start, place, end = rabbitmq.url.rpartition(before)
        assert place
        url = start + after + end
        with pytest.raises(AccessRefused, match=said) as caught:
            async with RabbitQueue(url, address):
                pass
        assert "s3cret" not in str(caught.value)
        serving = serve(FleetBroker(url, address), Worker(Ending.DONE), asyncio.Event())
        with pytest.raises(AccessRefused, match=said):
            await asyncio.wait_for(serving, 30)  # half of what a broker that is away gets

    def test_what_a_user_may_not_do_is_a_refusal(self):
        error = SendTaskError()
        error.__cause__ = ChannelAccessRefused("access to queue 'x' refused for user 's3cret'")
        failure = failure_of(error)
        assert isinstance(failure, AccessRefused)
        assert "allow it to configure, write and read" in failure.message
        assert "s3cret" not in failure.message

    @pytest.mark.parametrize("url", ["", "redis://x", "http://["])
    def test_an_address_that_is_none(self, url, address):
        with pytest.raises(ConfigurationError, match="the broker is amqp://"):
            FleetBroker(url, address)


class TestCoordinator:
    """A whole job in one process, on real servers."""

    async def test_a_refusal_ends_it(self, ledger, begin):
        class Refusing:
            async def take_dead_letters(self, job):
                raise AccessRefused("no")

        with pytest.raises(AccessRefused):
            await asyncio.wait_for(Coordinator(ledger, Refusing(), await begin(3)).run(), 30)

    @pytest.fixture
    async def address(self, postgres):
        return await new_ledger(postgres)

    async def test_too_many_failures_of_the_whole_job_stop_it(self, ledger, begin, monkeypatch):
        """None of the chunks has enough of them to be stopped for."""
        for place in ("fleet.slices", "fleet.recorder", "bulk.inspection"):
            monkeypatch.setattr(f"perfectpay_async.{place}.CHUNK_ROWS", 20)
        monkeypatch.setattr(stops, "FEWEST", 30)
        job = await begin(80)
        await ledger.join(
            WorkerFacts(id="w", name="w", version="1", rate=None), 60, instead_of=None
        )

        async def fail(message):
            taken = await ledger.take("w", message)
            for offset in range(20):
                taken.state.mark(offset, Verdict.REJECTED)
            await ledger.save(taken, taken.state, [], requests=20, retried=0)

        first, *_ = await ledger.to_enqueue(job, window=3, stale=None)
        await fail(first)  # before it was opened again, so to say
        steps = []

        async def run_it_some_time(message):
            if len(steps) > message.chunk:
                await fail(message)

        queue = SendingQueue(run_it_some_time)
        coordinator = Coordinator(ledger, queue, job, lambda *step: steps.append(step), stale=0.1)
        progress = await asyncio.wait_for(coordinator.run(), 60)
        assert (coordinator.job.state, coordinator.job.stopped_by) == ("stopped", "SafetyStop")
        assert coordinator.job.reason.startswith("40 of the last 40 rows failed")
        assert progress.finished == 60

    async def test_a_job_is_seen_through(
        self, rabbitmq, client, sandbox, ledger, open_another, begin, monkeypatch
    ):
        for place in ("fleet.slices", "fleet.recorder", "bulk.inspection"):
            monkeypatch.setattr(f"perfectpay_async.{place}.CHUNK_ROWS", 20)
        job = await begin(110)
        root = URL(sandbox.url)
        async with (
            FleetWorker(client, await open_another(), rate=None) as worker,
            RabbitQueue(rabbitmq.url, root) as queue,
        ):
            served = Served(rabbitmq.url, root, worker)
            seen = []
            coordinator = Coordinator(ledger, queue, job, lambda progress, _: seen.append(progress))
            progress = await asyncio.wait_for(coordinator.run(), 60)
            await served.stop()
        assert (progress.done, progress.finished, progress.ended) == (6, 110, True)
        assert len(sandbox.ledger.writes) == 110
        assert seen[-1] == progress
