"""Calls that end early, at any point: cancelled, or out of time.

Whatever ends a call, afterwards nothing is left of it: no connection, descriptor, task or timer, no
place in the pool.
"""

import asyncio
import contextlib
import socket
import types

import pytest

from perfectpay_async import (
    AttemptTimeout,
    DeadlineExceeded,
    Outcome,
    PerfectPayError,
    PoolTimeout,
    RetryPolicy,
)

pytestmark = pytest.mark.usefixtures("quiet_loop", "way")

HASTY = RetryPolicy(wait=lambda state: 0.002)
LARGE = {"filler": "x" * 12_000_000}
MEDIUM = {"filler": "x" * 2_000_000}


class CancelAt:
    """Awaits a coroutine and cancels the task when it suspends for the n-th time.

    Args:
        coroutine: What to await.
        step: Which suspension.
        late: Cancel only when what is waited for is there, but the task has not run yet.
    """

    def __init__(self, coroutine, step, *, late):
        self._coroutine = coroutine
        self._step = step
        self._late = late
        self.was_reached = False

    async def run(self):
        return await self._drive()

    @types.coroutine
    def _drive(self):
        steps, failure = 0, None
        while True:
            try:
                waited_for = (
                    self._coroutine.throw(failure) if failure else self._coroutine.send(None)
                )
            except StopIteration as end:
                return end.value
            steps += 1
            if steps == self._step:
                self.was_reached = True
                self._cancel(asyncio.current_task(), waited_for)
            failure = None
            try:
                yield waited_for
            except BaseException as error:  # noqa: BLE001 - handed on to the coroutine
                failure = error

    def _cancel(self, task, waited_for):
        if self._late and waited_for is not None:
            waited_for.add_done_callback(lambda _future: task.cancel())
        else:
            task.cancel()


def check_that_nothing_is_held(client, permits=100):
    transport = client._transport
    assert transport._slots.free == permits
    assert not transport._timers.running
    assert transport._timers._alarm is None
    if transport._session is not None:
        assert not transport._session.connector._acquired


async def plain(client):
    await client.payment_methods.retrieve("pm_1")


async def large(client):
    await client.request("POST", "/pm_1", json=MEDIUM)


async def on_a_kept_connection(client):
    await client.payment_methods.retrieve("pm_1")
    await client.payment_methods.update("pm_2", nick_name="x")


async def in_a_queue(client):
    await asyncio.gather(*(client.payment_methods.retrieve(f"pm_{n}") for n in range(3)))


class TestEverySuspension:
    @pytest.fixture
    def in_pieces(self, raw_server, right_body):
        """The server answers in pieces, its first answer being a 503 if wanted."""

        def set_up(first_status=b"200 OK"):
            async def handler(reader, writer):
                while True:
                    request = await raw_server.read_request(reader)
                    status = first_status if len(raw_server.requests) == 1 else b"200 OK"
                    body = right_body(request)
                    head = b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
                    for piece in (head[:20], head[20:], body[:5], body[5:]):
                        writer.write(piece)
                        await writer.drain()
                        await asyncio.sleep(0.001)

            raw_server.handler = handler

        return set_up

    @pytest.fixture
    def silent(self, raw_server):
        def set_up():
            async def handler(reader, writer):
                await reader.read()

            raw_server.handler = handler

        return set_up

    @pytest.fixture
    def each_step(self, open_client, raw_server, census):
        """Cancels the call at its first suspension, then at its second, and so on to its end."""

        async def run(call, *, late, settings=None, ends_with=()):
            before = census()
            for step in range(1, 200):
                raw_server.requests.clear()
                client = open_client(**{"retry": HASTY, **(settings or {})})
                cancelling = CancelAt(call(client), step, late=late)
                task = asyncio.create_task(cancelling.run())
                with contextlib.suppress(*ends_with):
                    await asyncio.wait([task])
                    if not cancelling.was_reached:
                        task.result()
                if cancelling.was_reached:
                    assert task.cancelled()
                    assert task.cancelling() == 1
                del task
                permits = client._transport._max_connections
                check_that_nothing_is_held(client, permits)
                await client.close()
                await census.returns_to(before)
                if not cancelling.was_reached:
                    return step - 1
            pytest.fail("the call has no end")

        return run

    @pytest.mark.parametrize("late", [False, True])
    @pytest.mark.parametrize("call", [plain, large, on_a_kept_connection])
    async def test_of_a_call(self, in_pieces, each_step, call, late):
        in_pieces()
        assert await each_step(call, late=late) >= 3

    @pytest.mark.parametrize("late", [False, True])
    async def test_of_a_call_with_a_retry(self, in_pieces, each_step, late):
        in_pieces(b"503 Busy")
        assert await each_step(plain, late=late) >= 6

    @pytest.mark.parametrize("late", [False, True])
    async def test_of_calls_in_a_queue(self, in_pieces, each_step, late):
        in_pieces()
        await each_step(in_a_queue, late=late, settings={"max_connections": 1})

    @pytest.mark.parametrize("late", [False, True])
    async def test_of_a_call_that_waits_in_the_queue(self, in_pieces, open_client, each_step, late):
        in_pieces()

        async def behind_another(client):
            other = asyncio.create_task(client.payment_methods.retrieve("pm_1"))
            try:
                await asyncio.sleep(0)
                await client.payment_methods.retrieve("pm_2")
            finally:
                other.cancel()
                await asyncio.wait([other])

        assert await each_step(behind_another, late=late, settings={"max_connections": 1}) >= 3

    @pytest.mark.parametrize("late", [False, True])
    async def test_of_a_call_whose_attempts_run_out_of_time(self, silent, each_step, late):
        silent()
        settings = {"attempt_timeout": 0.01}
        await each_step(plain, late=late, settings=settings, ends_with=[AttemptTimeout])

    @pytest.mark.parametrize("late", [False, True])
    async def test_of_a_call_whose_deadline_passes(self, silent, each_step, late):
        silent()
        settings = {"deadline": 0.01}
        await each_step(large, late=late, settings=settings, ends_with=[DeadlineExceeded])

    @pytest.mark.parametrize("late", [False, True])
    async def test_of_a_call_that_finds_nobody(self, each_step, late):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            url = f"http://localhost:{probe.getsockname()[1]}"
            # What the resolver of the system keeps open from its first use on is no concern here.
            await asyncio.get_running_loop().getaddrinfo("localhost", 80)
            settings = {"base_url": url}
            await each_step(plain, late=late, settings=settings, ends_with=[PerfectPayError])


class TestGroups:
    @pytest.mark.parametrize("turns", [*range(12), 30, 100])
    async def test_a_failing_sibling_cancels_the_calls_of_its_group(
        self, open_client, own_answers, census, turns
    ):
        before = census()
        client = open_client(max_connections=2)

        async def fail():
            for _ in range(turns):
                await asyncio.sleep(0)
            raise LookupError

        async def call(name):
            while True:
                await client.payment_methods.retrieve(name)

        async def run_group():
            async with asyncio.TaskGroup() as group:
                for number in range(4):
                    group.create_task(call(f"pm_{number}"))
                group.create_task(fail())

        with pytest.raises(ExceptionGroup) as caught:
            await run_group()
        assert [type(error) for error in caught.value.exceptions] == [LookupError]
        await client.payment_methods.retrieve("pm_1")
        check_that_nothing_is_held(client, 2)
        await client.close()
        await census.returns_to(before)


class TestTimeoutsOfTheCaller:
    @pytest.fixture(autouse=True)
    def silent(self, raw_server):
        async def handler(reader, writer):
            await reader.read()

        raw_server.handler = handler

    @pytest.mark.parametrize("seconds", [0.0, 0.001, 0.05])
    async def test_it_is_theirs(self, client, seconds):
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(seconds):
                await client.payment_methods.retrieve("pm_1")
        assert not isinstance(caught.value, PerfectPayError)
        assert asyncio.current_task().cancelling() == 0

    async def test_it_is_theirs_with_wait_for_too(self, client):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.payment_methods.retrieve("pm_1"), 0.05)

    async def test_at_the_same_moment_as_ours_either_comes_out_whole(self, open_client):
        loop = asyncio.get_running_loop()
        for _ in range(10):
            client = open_client(attempt_timeout=0.01, retry=RetryPolicy(stop=lambda state: True))
            with pytest.raises((TimeoutError, AttemptTimeout)):
                async with asyncio.timeout_at(loop.time() + 0.01):
                    await client.payment_methods.retrieve("pm_1")
            assert asyncio.current_task().cancelling() == 0
            check_that_nothing_is_held(client)


class TestDeadlines:
    """Wherever the time goes, the call is over within a tenth of a second of its deadline."""

    DEADLINE = 5

    @pytest.fixture
    def patient(self, open_client, clock):
        return open_client(deadline=self.DEADLINE, attempt_timeout=30)

    async def failure_of(self, coroutine):
        with pytest.raises(PerfectPayError) as caught:
            await coroutine
        assert self.DEADLINE - 0.01 < caught.value.elapsed < self.DEADLINE + 0.1
        return caught.value

    async def test_headers_that_never_come(self, patient, raw_server, clock):
        async def handler(reader, writer):
            await raw_server.read_request(reader)
            clock.advance(self.DEADLINE)
            await reader.read()

        raw_server.handler = handler
        error = await self.failure_of(patient.request("POST", "/x", json={}))
        assert type(error) is DeadlineExceeded
        assert error.outcome is Outcome.UNKNOWN

    async def test_headers_that_drip(self, patient, raw_server, clock):
        async def handler(reader, writer):
            await raw_server.read_request(reader)
            for byte in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100:
                writer.write(bytes([byte]))
                await drip(clock)

        raw_server.handler = handler
        error = await self.failure_of(patient.request("POST", "/x", json={}))
        assert type(error) is DeadlineExceeded

    async def test_a_body_that_drips(self, patient, raw_server, clock):
        async def handler(reader, writer):
            await raw_server.read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while True:
                writer.write(b"x")
                await drip(clock)

        raw_server.handler = handler
        error = await self.failure_of(patient.request("POST", "/x", json={}))
        assert type(error) is DeadlineExceeded
        assert error.outcome is Outcome.UNKNOWN

    async def test_a_server_that_does_not_read(self, patient, raw_server, census, clock):
        received = asyncio.get_running_loop().create_future()
        is_over = asyncio.Event()

        async def handler(reader, writer):
            writer.transport.pause_reading()
            clock.advance(self.DEADLINE)
            await is_over.wait()
            writer.transport.resume_reading()
            received.set_result(len(await reader.read()))

        raw_server.handler = handler
        before = census()
        error = await self.failure_of(patient.request("POST", "/x", json=LARGE))
        assert type(error) is DeadlineExceeded
        assert error.outcome is Outcome.UNKNOWN
        # Now it reads, and gets what the kernel had taken; the rest is not sent any more.
        is_over.set()
        assert await received < 12_000_000
        await patient.close()
        await census.returns_to(before)

    async def test_a_connection_that_is_never_accepted(self, open_client, clock):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            address = listener.getsockname()
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(address)
            client = open_client(
                base_url=f"http://127.0.0.1:{address[1]}",
                deadline=self.DEADLINE,
                attempt_timeout=30,
                connect_timeout=30,
            )
            call = asyncio.create_task(client.request("POST", "/x", json={}))
            await asyncio.sleep(0)
            clock.advance(self.DEADLINE)
            error = await self.failure_of(call)
            for filler in fillers:
                filler.close()
        assert type(error) is DeadlineExceeded
        assert error.outcome is Outcome.NOT_SENT

    async def test_a_full_pool(self, open_client, raw_server, holding, clock):
        one_place = open_client(max_connections=1)
        async with asyncio.TaskGroup() as group:
            holder = group.create_task(one_place.request("GET", "/x"))
            await holding.wait()
            queued = one_place.with_options(deadline=self.DEADLINE)
            call = group.create_task(self.failure_of(queued.request("POST", "/x", json={})))
            await asyncio.sleep(0)
            clock.advance(self.DEADLINE)
            error = await call
            holder.cancel()
        assert type(error) is PoolTimeout
        assert error.outcome is Outcome.NOT_SENT
        assert error.status is None
        assert raw_server.connections == 1

    async def test_waiting_for_a_place_is_not_the_time_of_the_server(
        self, open_client, raw_server, clock
    ):
        async def handler(reader, writer):
            while True:
                await raw_server.read_request(reader)
                await drip(clock, 3)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        raw_server.handler = handler
        client = open_client(max_connections=1, attempt_timeout=5)
        # The second waits 3 s and takes 3 s: more than an attempt may take, but not of it.
        answers = await asyncio.gather(*(client.request("POST", "/x", json={}) for _ in range(2)))
        assert [answer.elapsed for answer in answers] == pytest.approx([3, 3])


async def drip(clock, seconds=0.01):
    """Let time go by on a server, and timers go off."""
    clock.advance(seconds)
    for _ in range(3):
        await asyncio.sleep(0)
