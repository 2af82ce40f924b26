"""Misuse and the end of a client: closed, elsewhere, forked, forgotten."""

import asyncio
import gc
import inspect
import math
import os
import ssl
import sys
import textwrap
import time
import warnings

import aiohttp
import pytest
import trustme

from perfectpay_async import (
    ClientClosedError,
    Outcome,
    PerfectPay,
    RetryPolicy,
    WrongEventLoopError,
)
from perfectpay_async.http.aiohttp_transport import AiohttpTransport

pytestmark = pytest.mark.usefixtures("quiet_loop", "way")


@pytest.fixture
def transport():
    return AiohttpTransport(max_connections=2)


@pytest.fixture
def client(open_client, transport):
    return open_client(transport=transport)


@pytest.fixture
def slow(raw_server, answer, right_body):
    """The server answers each request after a while, unless the client goes before."""

    def set_up(seconds):
        async def handler(reader, writer):
            while True:
                request = await raw_server.read_request(reader)
                try:
                    async with asyncio.timeout(seconds):
                        await reader.read(1)
                except TimeoutError:
                    writer.write(answer(right_body(request)))
                else:
                    return

        raw_server.handler = handler

    return set_up


@pytest.fixture
def under_way(raw_server):
    """Starts calls, and waits until the server has got so many requests."""

    async def start(client, count=1, *, sent):
        tasks = [
            asyncio.create_task(client.payment_methods.retrieve(f"pm_{n}")) for n in range(count)
        ]
        await asyncio.sleep(0)
        while len(raw_server.requests) < sent:
            await asyncio.to_thread(time.sleep, 0.001)  # by no clock that a test moves
        return tasks

    return start


async def outcome_of(task):
    with pytest.raises(ClientClosedError) as caught:
        await task
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert not caught.value.is_retryable
    return caught.value.outcome


class TestClosing:
    async def test_use_afterwards(self, client, slow):
        slow(0)
        await client.payment_methods.retrieve("pm_1")
        await client.close()
        await client.close()
        with pytest.raises(ClientClosedError, match="the client is closed") as caught:
            await client.payment_methods.retrieve("pm_1")
        assert caught.value.outcome is Outcome.NOT_SENT
        assert str(caught.value) == (
            "payment_methods.retrieve: the client is closed; nothing was sent; open a new client"
        )

    async def test_what_is_under_way_ends_at_once(self, client, slow, under_way, raw_server):
        slow(60)
        sent = await under_way(client, 2, sent=2)
        queued = await under_way(client, 2, sent=2)
        await client.close()
        assert {await outcome_of(task) for task in sent} == {Outcome.UNKNOWN}
        assert {await outcome_of(task) for task in queued} == {Outcome.NOT_SENT}
        assert len(raw_server.requests) == 2

    async def test_a_call_that_connects_still_was_not_sent(self, open_client, under_way):
        connected = asyncio.Event()

        async def stall(reader, writer):
            connected.set()
            try:
                await reader.read()
            finally:
                writer.close()

        server = await asyncio.start_server(stall, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = open_client(base_url=f"https://127.0.0.1:{port}")
        (task,) = await under_way(client, sent=0)
        await connected.wait()
        await client.close()
        assert await outcome_of(task) is Outcome.NOT_SENT
        server.close()

    async def test_a_call_between_two_attempts_is_not_repeated(
        self, open_client, under_way, raw_server, answer, clock
    ):
        waits = asyncio.Event()

        def wait(state):
            waits.set()
            return 5

        raw_server.answers(answer(b"", "503 Busy"))
        client = open_client(retry=RetryPolicy(wait=wait))
        (task,) = await under_way(client, sent=1)
        await waits.wait()
        await client.close()
        clock.advance(5)
        assert await outcome_of(task) is Outcome.UNKNOWN  # because of the 503
        assert len(raw_server.requests) == 1

    @pytest.mark.parametrize("drain", [60.0, math.inf])
    async def test_draining_lets_them_finish(self, client, transport, slow, under_way, drain):
        slow(0.1)
        tasks = await under_way(client, 4, sent=2)  # two of them wait for a connection
        began = time.perf_counter()
        closing = asyncio.create_task(transport.close(drain=drain))
        await asyncio.sleep(0)
        with pytest.raises(ClientClosedError):
            await client.payment_methods.retrieve("pm_9")
        await closing
        assert time.perf_counter() - began < 30
        names = [task.result().payment_method_id for task in tasks]
        assert names == ["pm_0", "pm_1", "pm_2", "pm_3"]

    async def test_draining_ends_when_its_time_is_over(
        self, client, transport, slow, under_way, clock
    ):
        slow(60)
        tasks = await under_way(client, sent=1)
        closing = asyncio.create_task(transport.close(drain=5))
        for seconds in (0, 4):
            clock.advance(seconds)
            for _ in range(10):
                await asyncio.sleep(0)
            assert not closing.done()
        clock.advance(1)
        await closing
        assert await outcome_of(tasks[0]) is Outcome.UNKNOWN

    async def test_a_second_close_ends_the_wait_of_the_first(
        self, client, transport, slow, under_way
    ):
        slow(60)
        tasks = await under_way(client, sent=1)
        first = asyncio.create_task(transport.close(drain=60))
        await asyncio.sleep(0)
        await transport.close()
        assert await outcome_of(tasks[0]) is Outcome.UNKNOWN
        await first

    async def test_at_the_very_moment_an_attempt_runs_out_of_time(
        self, client, slow, under_way, clock
    ):
        slow(60)
        loop = asyncio.get_running_loop()
        (task,) = await under_way(client, sent=1)
        (timer,) = client._transport._timers.running
        due = loop.create_future()

        async def close():
            await due
            await client.close()

        closing = asyncio.create_task(close())
        # The timer has cancelled the call by then, but the call has not run yet.
        loop.call_at(timer.when - 0.0001, due.set_result, None)
        await asyncio.sleep(0)
        clock.now = timer.when  # both are due at once
        await closing
        clock.advance(10)  # the wait before another attempt
        assert await outcome_of(task) is Outcome.UNKNOWN

    async def test_a_cancelled_wait_closes_all_the_same(
        self, client, transport, slow, under_way, census
    ):
        slow(60)
        before = census()
        tasks = await under_way(client, sent=1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await transport.close(drain=60)
        assert await outcome_of(tasks[0]) is Outcome.UNKNOWN
        await census.returns_to(before)

    @pytest.mark.parametrize("drain", [0.0, 1.0])
    async def test_nothing_outlives_it(self, client, transport, slow, under_way, census, drain):
        slow(0.05)
        before = census()
        await client.payment_methods.retrieve("pm_1")
        tasks = await under_way(client, 4, sent=2)
        await transport.close(drain=drain)
        await asyncio.wait(tasks)
        await census.returns_to(before)
        for task in tasks:
            task.exception()

    async def test_our_own_side_is_gone_when_it_returns(self, client, slow, census):
        slow(0)
        await client.payment_methods.retrieve("pm_1")
        connector = client._transport._session.connector
        (transport,) = connector._open.values()
        descriptor = transport.get_extra_info("socket").fileno()
        await client.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
        assert not [t for t in asyncio.get_running_loop()._scheduled if not t.cancelled()]

    async def test_a_tls_server_that_says_no_goodbye_does_not_hold_it_up(
        self, open_client, raw_server, answer, census
    ):
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)

        is_over = asyncio.Event()

        async def handler(reader, writer):
            await raw_server.read_request(reader)
            writer.write(answer(b"{}", "200 OK", "Connection: close"))
            await writer.drain()
            writer.transport.pause_reading()
            await is_over.wait()
            writer.transport.abort()

        before = census()
        server = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=context)
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
        client = open_client(base_url=url, ssl_context=trusting)
        await client.request("GET", "/x")
        connections = list(client._transport._session.connector._open.values())
        assert len(connections) == 1  # aiohttp has let go of it, and TLS waits for a goodbye
        descriptor = connections[0].get_extra_info("socket").fileno()
        await client.close()  # it would wait for ever, were it waiting for that
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
        timers = [t for t in asyncio.get_running_loop()._scheduled if not t.cancelled()]
        assert not [timer for timer in timers if "ssl" in repr(timer).lower()]
        is_over.set()
        server.close()
        await server.wait_closed()
        await census.returns_to(before)

    async def test_a_view_and_its_client_end_together(self, client, slow):
        slow(0)
        view = client.with_options(deadline=50)
        await view.payment_methods.retrieve("pm_1")
        await client.close()
        with pytest.raises(ClientClosedError):
            await view.payment_methods.retrieve("pm_1")

    async def test_a_session_that_was_passed_in_is_left_open_and_its_calls_end(
        self, open_client, slow, under_way
    ):
        slow(60)
        async with aiohttp.ClientSession() as session:
            client = open_client(session=session)
            (task,) = await under_way(client, sent=1)
            await client.close()
            assert await outcome_of(task) is Outcome.UNKNOWN
            assert not session.closed

    async def test_a_session_that_was_passed_in_and_closed_elsewhere(self, open_client):
        async with aiohttp.ClientSession() as session:
            client = open_client(session=session)
        with pytest.raises(ClientClosedError, match="session of the client is closed") as caught:
            await client.payment_methods.retrieve("pm_1")
        assert caught.value.outcome is Outcome.NOT_SENT


class TestElsewhere:
    async def test_another_event_loop(self, client, own_answers):
        await client.payment_methods.retrieve("pm_1")

        def elsewhere():
            for use in (lambda: client.payment_methods.retrieve("pm_1"), client.close):
                with pytest.raises(WrongEventLoopError, match="another event loop") as caught:
                    asyncio.run(use())
                assert caught.value.outcome is Outcome.NOT_SENT

        await asyncio.to_thread(elsewhere)
        await client.payment_methods.retrieve("pm_1")  # at home it works on

    async def test_a_fork(self, raw_server, own_answers):
        output = await run_script(
            """
            with asyncio.Runner() as home:
                client = PerfectPay("k", base_url=URL)
                retrieve = client.payment_methods.retrieve
                home.run(retrieve("pm_1"))
                child = os.fork()
                if child == 0:
                    for run in (asyncio.run, home.run):
                        for use in (lambda: retrieve("pm_2"), client.close):
                            try:
                                run(use())
                            except WrongEventLoopError as error:
                                print("child:", error, flush=True)
                    del client, retrieve, use
                    gc.collect()
                    os._exit(0)
                os.waitpid(child, 0)
                home.run(retrieve("pm_3"))
                home.run(client.close())
            """,
            raw_server.url,
        )
        lines = output.splitlines()
        assert len(lines) == 4
        assert all("another event loop or process" in line for line in lines)
        # What the child did left the parent's connection alone.
        assert raw_server.connections == 1
        assert len(raw_server.requests) == 2


class TestForgetting:
    @pytest.fixture
    def forget(self, raw_server, own_answers):
        """Uses a client and forgets it; returns the warnings."""

        async def run(client):
            holder = [client]
            del client
            await holder[0].payment_methods.retrieve("pm_1")
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                holder.clear()
                gc.collect()
                await asyncio.sleep(0.01)
            return caught

        return run

    async def test_the_warning_names_the_line_that_made_it(self, raw_server, forget):
        line = inspect.currentframe().f_lineno + 1
        (caught,) = await forget(PerfectPay("k", base_url=raw_server.url))
        assert caught.category is ResourceWarning
        assert (caught.filename, caught.lineno) == (__file__, line)
        assert f"{__file__}:{line} was never closed" in str(caught.message)

    async def test_and_its_connections_are_closed(self, raw_server, forget, census):
        before = census()
        await forget(PerfectPay("k", base_url=raw_server.url))
        await census.returns_to(before)

    async def test_one_line_of_from_env_and_of_a_subclass(self, raw_server, forget, monkeypatch):
        class Mine(PerfectPay):
            pass

        monkeypatch.setenv("PERFECTPAY_API_KEY", "k")
        (caught,) = await forget(Mine.from_env(base_url=raw_server.url))
        assert caught.filename == __file__

    async def test_a_closed_one_and_an_unused_one_are_no_reason(self, raw_server, own_answers):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            PerfectPay("k", base_url=raw_server.url)
            async with PerfectPay("k", base_url=raw_server.url) as client:
                await client.payment_methods.retrieve("pm_1")
            del client
            gc.collect()
        assert caught == []

    async def test_nor_is_one_with_a_session_of_its_own(self, raw_server, forget):
        async with aiohttp.ClientSession() as session:
            assert await forget(PerfectPay("k", base_url=raw_server.url, session=session)) == []

    def test_one_that_could_not_be_made_is_no_noise(self):
        with pytest.raises(TypeError):
            AiohttpTransport(unknown=1)
        gc.collect()

    @pytest.mark.parametrize("place", ["in a function", "in the module"])
    async def test_it_is_said_once_when_the_program_ends(self, raw_server, own_answers, place):
        output = await run_script(
            f"""
            client = None

            async def main():
                {"global client" if place == "in the module" else ""}
                client = PerfectPay("k", base_url=URL)
                await client.payment_methods.retrieve("pm_1")

            asyncio.run(main())
            """,
            raw_server.url,
        )
        assert output.count("PerfectPay client made at <string>:") == 1
        assert "client session" not in output
        assert "nclosed connect" not in output
        assert "Traceback" not in output


async def run_script(text, url):
    """Run a program in a process of its own and return what it wrote."""
    head = f"""
import asyncio, gc, os, sys
from perfectpay_async import PerfectPay, WrongEventLoopError
URL = {url!r}
"""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "always::ResourceWarning", "-c", head + textwrap.dedent(text)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, output.decode()
    return output.decode()
