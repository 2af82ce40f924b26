import asyncio
import gzip
import socket
import traceback

import aiohttp
import pytest
from yarl import URL

from perfectpay_async.errors import (
    AttemptTimeout,
    ClientClosedError,
    ConnectError,
    ConnectionLostError,
    DeadlineExceeded,
    PerfectPayError,
    PoolTimeout,
    ResponseTooLarge,
    TlsError,
    TransportError,
    WrongEventLoopError,
)
from perfectpay_async.http.aiohttp_transport import AiohttpTransport
from perfectpay_async.messages import Operation, Request
from perfectpay_async.outcome import Outcome
from perfectpay_async.secrets import MaskedStr

PLANTED_PAN = "4539578763621486"
PLANTED_KEY = "snd_planted_83613"


@pytest.fixture
async def transport():
    transport = AiohttpTransport()
    yield transport
    await transport.close()


@pytest.fixture
def request_to(raw_server, make_request):
    def make(**fields):
        return make_request(url=f"{raw_server.url}/payment_methods/pm_1", **fields)

    return make


async def test_what_it_sends_and_what_it_returns(transport, raw_server, request_to, answer):
    raw_server.answers(answer(b'{"a":1}', "200 OK", "X-Request-Id: req_9"))
    request = request_to(method="POST", body=b'{"card":1}').with_header("api-key", "k")
    response = await transport.send(request)
    assert (response.status, response.body, response.request_id) == (200, b'{"a":1}', "req_9")
    assert response.request is request
    (sent,) = raw_server.requests
    head, body = sent.split(b"\r\n\r\n")
    assert head.startswith(b"POST /payment_methods/pm_1 HTTP/1.1\r\n")
    assert b"api-key: k" in head
    assert b"Authorization" not in head
    assert body == b'{"card":1}'


async def test_error_statuses_and_redirects_are_answers_too(
    transport, raw_server, request_to, answer
):
    raw_server.answers(
        answer(b"busy", "503 Busy"), answer(b"", "307 Elsewhere", "Location: http://127.0.0.1:9/")
    )
    assert (await transport.send(request_to())).status == 503
    assert (await transport.send(request_to())).status == 307
    assert len(raw_server.requests) == 2


async def test_connections_are_kept(transport, raw_server, request_to, answer):
    raw_server.answers(answer(), answer(), answer())
    for _ in range(3):
        await transport.send(request_to())
    assert raw_server.connections == 1


async def test_no_cookie_is_ever_sent_back(transport, raw_server, request_to, answer):
    raw_server.answers(answer(b"{}", "200 OK", "Set-Cookie: a=b"), answer())
    await transport.send(request_to())
    await transport.send(request_to())
    assert b"cookie" not in raw_server.requests[1].lower()


async def test_a_dropped_kept_connection_is_not_silently_sent_again(
    transport, raw_server, request_to, answer
):
    raw_server.answers(answer(), b"", answer())
    await transport.send(request_to())
    with pytest.raises(ConnectionLostError) as caught:
        await transport.send(request_to())
    assert caught.value.outcome is Outcome.UNKNOWN
    assert len(raw_server.requests) == 2


async def test_a_compressed_answer_is_read(transport, raw_server, request_to, answer):
    raw_server.answers(answer(gzip.compress(b"text"), "200 OK", "Content-Encoding: gzip"))
    assert (await transport.send(request_to())).body == b"text"


async def test_a_bomb_is_refused_and_the_next_answer_is_right(
    transport, raw_server, request_to, answer
):
    bomb = gzip.compress(bytes(30_000_000))
    raw_server.answers(answer(bomb, "200 OK", "Content-Encoding: gzip"), answer(b"next"))
    with pytest.raises(ResponseTooLarge):
        await transport.send(request_to())
    assert (await transport.send(request_to())).body == b"next"


async def test_a_body_that_was_not_read_to_its_end_costs_the_connection(
    transport, raw_server, request_to, answer
):
    raw_server.answers(answer(bytes(20_000_000)), answer(b"next"))
    with pytest.raises(ResponseTooLarge):
        await transport.send(request_to())
    assert (await transport.send(request_to())).body == b"next"
    assert raw_server.connections == 2


class TestTimers:
    @pytest.fixture(params=["silent", "dripping"])
    def slow(self, request, raw_server, clock):
        """A server whose answer takes 100 s and more."""

        async def silent(reader, writer):
            await raw_server.read_request(reader)
            clock.advance(5)
            await reader.read()

        async def dripping(reader, writer):
            await raw_server.read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(1000):
                writer.write(b"x")
                clock.advance(0.1)
                for _ in range(3):
                    await asyncio.sleep(0)

        raw_server.handler = locals()[request.param]

    async def test_an_attempt_ends_on_time(self, transport, request_to, slow, clock):
        began = clock.now
        with pytest.raises(AttemptTimeout, match="longer than 5 s") as caught:
            await transport.send(request_to(attempt_timeout=5.0))
        assert clock.now - began < 6
        assert caught.value.outcome is Outcome.UNKNOWN

    async def test_the_deadline_ends_it_earlier(self, transport, request_to, slow, clock):
        began = clock.now
        with pytest.raises(DeadlineExceeded) as caught:
            await transport.send(request_to(deadline=5.0))
        assert clock.now - began < 6
        assert caught.value.outcome is Outcome.UNKNOWN

    async def test_nothing_is_sent_after_the_deadline(self, transport, raw_server, request_to):
        with pytest.raises(DeadlineExceeded) as caught:
            await transport.send(request_to(deadline=0.0))
        assert caught.value.outcome is Outcome.NOT_SENT
        assert raw_server.connections == 0

    async def test_a_timeout_while_connecting_is_known_to_have_sent_nothing(
        self, transport, make_request, clock
    ):
        # A listener whose backlog is full takes no further connection: they hang half open.
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            address = listener.getsockname()
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(address)
            request = make_request(url=f"http://127.0.0.1:{address[1]}/", attempt_timeout=5.0)
            attempt = asyncio.create_task(transport.send(request))
            await asyncio.sleep(0)
            clock.advance(5)
            with pytest.raises(AttemptTimeout, match="connecting") as caught:
                await attempt
            for filler in fillers:
                filler.close()
        assert caught.value.outcome is Outcome.NOT_SENT

    async def test_waiting_for_a_connection_is_a_pool_timeout(
        self, holding, raw_server, request_to, clock
    ):
        transport = AiohttpTransport(max_connections=1)
        first = asyncio.create_task(transport.send(request_to()))
        await holding.wait()
        second = asyncio.create_task(transport.send(request_to(attempt_timeout=5.0)))
        await asyncio.sleep(0)
        clock.advance(5)
        with pytest.raises(PoolTimeout, match="no connection became free") as caught:
            await second
        assert caught.value.outcome is Outcome.NOT_SENT
        assert len(raw_server.requests) == 1
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await transport.close()

    async def test_a_cancelled_wait_gives_its_place_back(self, raw_server, request_to, answer):
        transport = AiohttpTransport(max_connections=1)
        has_one, release = asyncio.Event(), asyncio.Event()

        async def handler(reader, writer):
            while True:
                await raw_server.read_request(reader)
                has_one.set()
                await release.wait()
                writer.write(answer())

        raw_server.handler = handler
        tasks = [asyncio.create_task(transport.send(request_to())) for _ in range(3)]
        await has_one.wait()
        tasks[1].cancel()
        release.set()
        first, second, third = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(second, asyncio.CancelledError)
        assert (first.status, third.status) == (200, 200)
        await transport.close()


class TestBrokenExchanges:
    async def test_nobody_listens(self, transport, make_request, unused_port):
        with pytest.raises(ConnectError, match="could not connect") as caught:
            await transport.send(make_request(url=f"http://127.0.0.1:{unused_port}/"))
        assert caught.value.outcome is Outcome.NOT_SENT
        assert caught.value.is_retryable

    async def test_an_error_that_is_its_own_cause(self, transport, make_request, mocked_api):
        error = aiohttp.ClientError()
        error.__cause__ = error
        request = make_request()
        mocked_api.get(str(request.url), exception=error)
        with pytest.raises(ConnectionLostError):
            await transport.send(request)

    async def test_no_tls_where_tls_is_expected(self, transport, raw_server, make_request):
        async def handler(reader, writer):
            await reader.read(100)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        raw_server.handler = handler
        url = raw_server.url.replace("http", "https", 1)
        with pytest.raises(TlsError) as caught:
            await transport.send(make_request(url=url))
        assert caught.value.outcome is Outcome.NOT_SENT
        assert not caught.value.is_retryable

    @pytest.mark.parametrize(
        "sent",
        [
            b"",
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            b"NOT HTTP AT ALL\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        ],
    )
    async def test_no_complete_answer_leaves_the_outcome_unknown(
        self, transport, raw_server, request_to, sent
    ):
        async def handler(reader, writer):
            await raw_server.read_request(reader)
            writer.write(sent)

        raw_server.handler = handler
        with pytest.raises(ConnectionLostError) as caught:
            await transport.send(request_to())
        assert caught.value.outcome is Outcome.UNKNOWN

    async def test_nothing_of_aiohttp_and_no_secret_is_in_the_error(
        self, transport, raw_server, request_to
    ):
        request = request_to(method="POST", body=PLANTED_PAN.encode())
        request = request.with_header("api-key", MaskedStr(PLANTED_KEY))
        with pytest.raises(PerfectPayError) as caught:
            await transport.send(request)
        error = caught.value
        assert error.__context__ is None
        assert error.__cause__ is None
        text = "".join(
            traceback.TracebackException.from_exception(error, capture_locals=True).format()
        )
        assert PLANTED_PAN not in text
        assert PLANTED_KEY not in text

    async def test_a_cancelled_exchange_shows_no_secret_either(
        self, transport, holding, request_to
    ):
        request = request_to(method="POST", body=PLANTED_PAN.encode())
        request = request.with_header("api-key", MaskedStr(PLANTED_KEY))
        task = asyncio.create_task(transport.send(request))
        await holding.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        text = "".join(
            traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
        )
        assert "_exchange" in text
        assert PLANTED_PAN not in text
        assert PLANTED_KEY not in text


class TestProxy:
    def test_loopback_is_never_sent_through_a_proxy(self, monkeypatch):
        monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
        transport = AiohttpTransport()
        assert transport._find_proxy("http", "127.0.0.1") is None
        assert transport._find_proxy("http", "localhost") is None

    async def test_the_environment_is_read_once(self, monkeypatch, make_request, unused_port):
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused_port}")
        monkeypatch.setenv("no_proxy", "inside.invalid")
        transport = AiohttpTransport()
        for _ in range(2):
            with pytest.raises(ConnectError, match="ClientProxyConnectionError"):
                await transport.send(make_request(url="http://api.invalid/"))
            with pytest.raises(ConnectError, match="ClientConnectorDNSError"):
                await transport.send(make_request(url="http://inside.invalid/"))
            monkeypatch.delenv("http_proxy", raising=False)
        await transport.close()

    def test_none_means_none_and_an_address_is_used(self, monkeypatch):
        monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")
        server = "https", "api.example.com"
        assert AiohttpTransport(proxy=None)._find_proxy(*server) is None
        assert AiohttpTransport(proxy="http://mine:1")._find_proxy(*server) == "http://mine:1"

    async def test_a_proxy_that_is_down_means_nothing_was_sent(self, make_request, unused_port):
        transport = AiohttpTransport(proxy=f"http://127.0.0.1:{unused_port}")
        with pytest.raises(ConnectError) as caught:
            await transport.send(make_request(url="http://api.invalid/"))
        assert caught.value.outcome is Outcome.NOT_SENT
        await transport.close()


class TestOwnership:
    async def test_a_passed_session_is_used_and_left_open(self, raw_server, request_to, answer):
        raw_server.answers(answer(), answer(b"", "302 Found", "Location: /x"))
        async with aiohttp.ClientSession(headers={"X-Mine": "1"}) as session:
            transport = AiohttpTransport(session=session)
            await transport.send(request_to())
            assert (await transport.send(request_to())).status == 302
            await transport.close()
            assert not session.closed
        assert b"X-Mine: 1" in raw_server.requests[0]

    async def test_a_session_that_raises_for_status_does_not_get_in_the_way(
        self, raw_server, request_to, answer
    ):
        raw_server.answers(answer(b"busy", "503 Busy"))
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            assert (await AiohttpTransport(session=session).send(request_to())).status == 503

    async def test_its_connections_are_not_known_so_the_worst_is_assumed(
        self, raw_server, request_to
    ):
        async with aiohttp.ClientSession() as session:
            with pytest.raises(TransportError) as caught:
                await AiohttpTransport(session=session).send(request_to())
        assert caught.value.outcome is Outcome.UNKNOWN

    async def test_use_after_close(self, transport, request_to):
        await transport.close()
        await transport.close()
        with pytest.raises(ClientClosedError, match="the client is closed; open a new client"):
            await transport.send(request_to())

    def test_use_in_another_event_loop(self, unused_port):
        transport = AiohttpTransport()
        request = Request(
            operation=Operation("x", "GET", "/x", repeatable=True, idempotent_key=False),
            url=URL(f"http://127.0.0.1:{unused_port}/"),
            headers={},
            body=None,
            started=0.0,
            deadline=float("inf"),
            attempt_timeout=5.0,
        )
        with asyncio.Runner() as home:
            with pytest.raises(ConnectError):
                home.run(transport.send(request))
            with asyncio.Runner() as other, pytest.raises(WrongEventLoopError) as caught:
                other.run(transport.send(request))
            home.run(transport.close())
        assert "open one client in each event loop" in str(caught.value)


@pytest.fixture
def unused_port():
    with socket.socket() as taken:  # so that nobody listens there meanwhile
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]
