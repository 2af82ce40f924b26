"""Which connection a request goes out on, and where it never goes."""

import asyncio
import gc
import random
import socket
import weakref

import pytest
from tenacity import stop_after_attempt

from perfectpay_async import (
    AttemptTimeout,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    Middlewares,
    Outcome,
    PerfectPayError,
    RetryBudget,
    RetryPolicy,
    UnexpectedRedirect,
)
from perfectpay_async.http.exchange import Exchange
from perfectpay_async.http.session import Body

pytestmark = pytest.mark.usefixtures("quiet_loop", "way")

CALLS = 1_000
UPDATE = {"card_exp_month": "12", "card_exp_year": "2031"}


class TestStaleConnections:
    @pytest.fixture
    def closing_after(self, raw_server, answer, right_body):
        """The server hangs up after so many answers, or after so many idle seconds, unannounced."""

        def set_up(answers=1_000_000, idle=60.0):
            async def handler(reader, writer):
                for number in range(answers):
                    try:
                        # As servers do, it waits longer for the first request: a slow machine
                        # may take its time between the connection and that.
                        async with asyncio.timeout(idle if number else 60.0):
                            request = await raw_server.read_request(reader)
                    except TimeoutError:
                        if not reader._buffer:
                            return
                        request = await raw_server.read_request(reader)  # it came just in time
                    writer.write(answer(right_body(request)))
                    await writer.drain()

            raw_server.handler = handler

        return set_up

    @pytest.mark.parametrize("workers", [1, 8])
    @pytest.mark.parametrize("answers", [1, 3])
    async def test_hanging_up_after_some_answers_goes_unnoticed(
        self, open_client, raw_server, closing_after, workers, answers
    ):
        closing_after(answers=answers)
        client = open_client()

        async def work():
            for _ in range(CALLS // workers):
                method = await client.payment_methods.retrieve("pm_1")
                assert method.payment_method_id == "pm_1"

        await asyncio.gather(*(work() for _ in range(workers)))
        assert len(raw_server.requests) == CALLS
        # The server's farewell came before the next request, so nothing had to be repeated.
        assert client.retry_budget.retries < CALLS / 100

    async def test_hanging_up_on_idle_connections_goes_unnoticed(
        self, open_client, raw_server, closing_after
    ):
        closing_after(idle=0.02)
        # Now and then the server hangs up while a request is on its way to it, on a slow machine
        # to several requests at once, and to the next attempt of one too.
        free = RetryBudget(retry_cost=0)
        patient = RetryPolicy(stop=stop_after_attempt(6))
        client = open_client(retry=patient, retry_budget=free)
        chance = random.Random(3)

        async def work():
            for _ in range(CALLS // 20):
                await client.payment_methods.retrieve("pm_1")
                await asyncio.sleep(chance.uniform(0.0, 0.04))

        await asyncio.gather(*(work() for _ in range(20)))
        assert raw_server.connections > 20  # some were closed, and not only at the end
        assert client.retry_budget.retries < CALLS / 4

    async def test_a_call_loses_only_one_attempt_to_kept_connections(
        self, client, raw_server, answer
    ):
        async def handler(reader, writer):
            await raw_server.read_request(reader)
            await asyncio.sleep(0.02)
            writer.write(answer())
            if raw_server.connections <= 5:
                await raw_server.read_request(reader)  # and close without an answer
            else:
                await asyncio.sleep(5)

        raw_server.handler = handler
        await asyncio.gather(*(client.request("GET", "/x") for _ in range(5)))
        assert raw_server.connections == 5
        await client.request("GET", "/x")
        assert raw_server.connections == 6
        assert client.retry_budget.retries == 1

    async def test_of_several_kept_connections_the_one_used_last_is_taken(
        self, open_client, raw_server, answer
    ):
        used = []
        turns = [asyncio.Event() for _ in range(3)]

        async def handler(reader, writer):
            number = raw_server.connections
            while True:
                await raw_server.read_request(reader)
                used.append(number)
                await turns[number - 1].wait()
                writer.write(answer())

        raw_server.handler = handler
        client = open_client()
        waiting = [asyncio.create_task(client.request("GET", "/x")) for _ in range(3)]
        for turn in turns:
            turn.set()
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for _ in range(3):
            await client.request("GET", "/x")
        assert sorted(used[:3]) == [1, 2, 3]
        assert used[3:] == [3, 3, 3]

    async def test_a_farewell_that_waits_in_the_socket_unread_is_seen(
        self, client, raw_server, answer
    ):
        writers = []

        async def handler(reader, writer):
            writers.append(writer)
            while True:
                await raw_server.read_request(reader)
                writer.write(answer())

        raw_server.handler = handler
        await client.request("POST", "/create", json=UPDATE)
        # Sent at once, but the loop gets no turn to read it.
        writers[0].get_extra_info("socket").shutdown(socket.SHUT_WR)
        await client.request("POST", "/create", json=UPDATE)
        assert raw_server.connections == 2
        assert client.retry_budget.retries == 0

    async def test_a_reset_while_the_request_is_under_way_stays_unknown(
        self, client, raw_server, answer
    ):
        async def handler(reader, writer):
            await raw_server.read_request(reader)
            if len(raw_server.requests) == 1:
                writer.write(answer())
                await reader.readexactly(1)
            writer.transport.abort()

        raw_server.handler = handler
        await client.request("POST", "/create", json=UPDATE)
        with pytest.raises(ConnectionLostError) as caught:
            await client.request("POST", "/create", json=UPDATE)
        assert caught.value.outcome is Outcome.UNKNOWN

    async def test_a_server_that_hangs_up_at_once(self, client, raw_server):
        async def handler(reader, writer):
            writer.transport.abort()

        raw_server.handler = handler
        with pytest.raises((ConnectionLostError, ConnectError)):
            await client.request("POST", "/create", json=UPDATE)

    @pytest.mark.parametrize("open_still", [True, False])
    async def test_a_body_is_sent_only_when_the_connection_is_still_there(self, open_still):
        class Writer:
            class transport:  # noqa: N801 - stands for an attribute
                is_closing = staticmethod(lambda: not open_still)

            async def write(self, body):
                if not open_still:
                    raise ConnectionResetError

        exchange = Exchange()
        body = Body(b"{}", exchange)
        if open_still:
            await body.write(Writer())
        else:
            with pytest.raises(ConnectionResetError):
                await body.write(Writer())
        assert exchange.unsent is not open_still
        assert (body.size, body.decode()) == (2, "{}")


class TestEndOfAConnection:
    @pytest.mark.parametrize(
        "head",
        [
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
            b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n",
            b"HTTP/1.0 200 OK\r\n\r\n",
        ],
    )
    async def test_one_that_is_announced(self, client, raw_server, head):
        async def handler(reader, writer):
            await raw_server.read_request(reader)
            writer.write(head + b"{}")

        raw_server.handler = handler
        for _ in range(5):
            assert (await client.request("POST", "/x", json=UPDATE)).body == b"{}"
        assert (raw_server.connections, client.retry_budget.retries) == (5, 0)

    async def test_no_request_stays_in_memory_with_the_connection_it_opened(
        self, open_client, raw_server, own_answers
    ):
        requests = []

        async def keep(request, call_next):
            requests.append(weakref.ref(request))
            return await call_next(request)

        client = open_client(middlewares=Middlewares(attempt=[keep]))
        await client.payment_methods.update("pm_1", nick_name="x")
        await asyncio.sleep(0)
        gc.collect()
        assert raw_server.connections == 1
        assert [reference() for reference in requests] == [None]


async def test_a_read_is_too_small_for_the_kernel_to_be_asked_for_memory(client, own_answers):
    await client.payment_methods.retrieve("pm_1")
    (connection,) = client._transport._session.connector._open.values()
    assert connection.max_size == 64 * 1024


class TestWhatIsNeverSent:
    @pytest.fixture
    def netrc(self, tmp_path, monkeypatch):
        path = tmp_path / "netrc"
        path.write_text("machine 127.0.0.1 login jane password planted\n")
        path.chmod(0o600)
        monkeypatch.setenv("NETRC", str(path))

    async def test_no_netrc_and_no_cookie(self, netrc, client, raw_server, answer):
        raw_server.answers(
            answer(b"{}", "200 OK", "Set-Cookie: a=b", "Set-Cookie: c=d; Path=/"), answer()
        )
        for _ in range(2):
            await client.request("POST", "/x", json=UPDATE)
        for request in raw_server.requests:
            assert b"authorization" not in request.lower()
            assert b"cookie" not in request.lower()

    @pytest.fixture
    async def elsewhere(self, raw_server):
        server = type(raw_server)()
        await server.start()
        yield server
        await server.stop()

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_nothing_arrives_where_a_redirect_points(
        self, client, raw_server, elsewhere, answer, status
    ):
        redirect = answer(b"", f"{status} Elsewhere", f"Location: {elsewhere.url}/x")
        raw_server.answers(*[redirect] * 3)
        for method in ("GET", "POST", "DELETE"):
            with pytest.raises(UnexpectedRedirect) as caught:
                await client.request(method, "/x", json=UPDATE)
            assert caught.value.status == status
        assert len(raw_server.requests) == 3
        assert elsewhere.connections == 0

    @pytest.mark.parametrize("place", ["/other", "//127.0.0.1:1/", "", "ftp://x", "\x7f:%%"])
    async def test_wherever_it_points(self, client, raw_server, answer, place):
        raw_server.answers(answer(b"", "302 Found", f"Location: {place}"))
        with pytest.raises(UnexpectedRedirect):
            await client.request("POST", "/x", json=UPDATE)
        assert len(raw_server.requests) == 1


class TestProxy:
    """A proxy that never opens the tunnel: nothing of the request has left this machine."""

    ONCE = RetryPolicy(stop=lambda state: True)

    @pytest.fixture
    def through_the_proxy(self, open_client, raw_server):
        return open_client(
            base_url="https://pay.example.com", proxy=raw_server.url, retry=self.ONCE
        )

    @pytest.mark.parametrize(
        ("reply", "error_class"),
        [
            (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", ConnectError),
            (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno", ConnectError),
            (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", ConnectError),
            (b"not http\r\n\r\n", ConnectionLostError),
            (b"", ConnectionLostError),
        ],
    )
    async def test_a_refusal(self, through_the_proxy, raw_server, reply, error_class):
        async def handler(reader, writer):
            await raw_server.read_request(reader)
            writer.write(reply)

        raw_server.handler = handler
        await self.check(through_the_proxy, raw_server, error_class)

    async def test_silence(self, through_the_proxy, raw_server, clock):
        async def handler(reader, writer):
            await raw_server.read_request(reader)
            clock.advance(20)
            await reader.read()

        raw_server.handler = handler
        await self.check(through_the_proxy, raw_server, AttemptTimeout)

    async def check(self, client, raw_server, error_class):
        with pytest.raises(PerfectPayError) as caught:
            await client.request("POST", "/create", json=UPDATE)
        assert type(caught.value) is error_class
        assert caught.value.outcome is Outcome.NOT_SENT
        assert caught.value.__context__ is None
        (seen,) = raw_server.requests
        assert seen.startswith(b"CONNECT pay.example.com:443 HTTP/1.1\r\n")
        assert b"snd_planted" not in seen

    async def test_the_environment_names_it(self, open_client, raw_server, monkeypatch):
        monkeypatch.setenv("https_proxy", raw_server.url)
        client = open_client(base_url="https://pay.example.com", retry=self.ONCE)
        for _ in range(2):
            await self.fail(client, ConnectionLostError)
            monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")  # read once
        assert raw_server.connections == 2

    @pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "127.0.0.1:3128", ""])
    async def test_one_that_is_not_http_is_refused(self, open_client, proxy):
        client = open_client(base_url="https://pay.example.com", proxy=proxy)
        error = await self.fail(client, ConfigurationError)
        assert error.outcome is Outcome.NOT_SENT
        assert error.attempts == ()

    async def fail(self, client, error_class):
        with pytest.raises(error_class) as caught:
            await client.request("POST", "/create", json=UPDATE)
        return caught.value
