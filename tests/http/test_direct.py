"""How a request of our own session leaves: directly, or by the session where that does not fit."""

import functools
import importlib.util
from asyncio import selector_events
from unittest.mock import patch

import aiohttp
import pytest

from perfectpay_async import ConnectionLostError, Middlewares, Outcome, TransportError
from perfectpay_async.http import direct
from perfectpay_async.http.session import SessionWay
from perfectpay_async.middleware import IdempotencyKey

ANSWER = b'{"payment_method_id":"pm_1"}'


@pytest.fixture
def writes(monkeypatch):
    """What the client's sockets are given, write by write."""
    seen = []
    write = selector_events._SelectorSocketTransport.write

    def watched(transport, data):
        if not data.startswith(b"HTTP/"):  # the server lives in this process too
            seen.append(bytes(data))
        return write(transport, data)

    monkeypatch.setattr(selector_events._SelectorSocketTransport, "write", watched)
    return seen


@pytest.fixture
def by_session(monkeypatch):
    """The method of each request that went by a session of aiohttp."""
    seen = []
    send = SessionWay.send

    async def watched(way, request, exchange):
        seen.append(request.operation.method)
        return await send(way, request, exchange)

    monkeypatch.setattr(SessionWay, "send", watched)
    return seen


def _alike(original):
    """Wrap as `wrapt` does: the wrapper equals what it wraps, and shows its attributes."""

    class Wrapper:
        __eq__ = original.__eq__
        __hash__ = original.__hash__

        def __init__(self, function):
            self.function = function

        def __getattr__(self, name):
            return getattr(original, name)

        def __get__(self, instance, owner):
            return self if instance is None else functools.partial(self.function, instance)

        def __call__(self, *args, **settings):
            return self.function(*args, **settings)

    return Wrapper


def test_the_installed_aiohttp_is_one_it_was_written_for():
    assert direct.FITS


@pytest.mark.parametrize("wrap", [functools.wraps, _alike])
def test_it_is_not_taken_where_aiohttp_had_been_changed_before_the_import(wrap):
    replaced = wrap(aiohttp.ClientSession._request)(lambda *_: None)
    spec = importlib.util.spec_from_file_location(f"{direct.__name__}_again", direct.__file__)
    assert spec is not None
    assert spec.loader is not None
    again = importlib.util.module_from_spec(spec)
    with patch.object(aiohttp.ClientSession, "_request", replaced):
        spec.loader.exec_module(again)
    assert not again.FITS


class TestOnTheWire:
    async def test_head_and_body_are_one_write(self, client, raw_server, answer, writes):
        raw_server.answers(answer(ANSWER), answer(ANSWER))
        for _ in range(2):
            await client.payment_methods.update("pm_1", nick_name="Jane")
        assert len(writes) == 2
        assert all(data.endswith(b'{"nick_name":"Jane"}}}') for data in writes)
        assert raw_server.requests == writes

    async def test_a_request_without_a_body_is_too(self, client, raw_server, answer, writes):
        raw_server.answers(answer(ANSWER))
        await client.payment_methods.retrieve("pm_1")
        assert raw_server.requests == writes
        assert len(writes) == 1

    @pytest.mark.parametrize("size", [10, 100_000, 3_000_000])
    async def test_a_body_of_any_size_arrives_whole(self, way, client, raw_server, answer, size):
        raw_server.answers(answer(), answer())
        for _ in range(2):
            await client.request("POST", "/x", json="x" * size)
        for request in raw_server.requests:
            assert request.endswith(b'\r\n\r\n"' + b"x" * size + b'"')
            assert b"\r\nContent-Length: %d\r\n" % (size + 2) in request
        assert raw_server.connections == 1

    async def test_both_ways_send_the_same(self, open_client, raw_server, answer, monkeypatch):
        def key():
            return "the-same"

        async def ask(client):
            await client.payment_methods.update("pm_1", nick_name="Jane")
            await client.payment_methods.retrieve("pm_1")
            await client.payment_methods.list("cus_1", limit=3)
            await client.payment_methods.delete("pm_1")
            await client.request("GET", "/straße/ü", query={"a b": "c&d"})
            await client.request("PUT", "/x", json={"ü": 1})

        answers = [answer(ANSWER), answer(ANSWER), answer(b'{"customer_payment_methods":[]}')]
        raw_server.answers(*[*answers, answer(ANSWER), answer(), answer()] * 2)
        for fits in (True, False):
            monkeypatch.setattr(direct, "FITS", fits)
            await ask(open_client(middlewares=Middlewares(idempotency=IdempotencyKey(key))))
        half = len(raw_server.requests) // 2
        ours, theirs = raw_server.requests[:half], raw_server.requests[half:]
        for mine, other in zip(ours, theirs, strict=True):
            assert _parts(mine) == _parts(other)

    async def test_a_post_without_a_body_has_a_length_and_no_type(self, client, raw_server, answer):
        raw_server.answers(answer())
        await client.request("POST", "/x")
        (request,) = raw_server.requests
        assert b"\r\nContent-Length: 0\r\n" in request
        assert b"Content-Type" not in request  # aiohttp's session would add one

    async def test_a_host_that_a_middleware_sets_is_the_only_one(
        self, way, open_client, raw_server, answer
    ):
        async def elsewhere(request, call_next):
            return await call_next(request.with_header("host", "pay.example.com"))

        raw_server.answers(answer())
        await open_client(middlewares=Middlewares(attempt=[elsewhere])).request("GET", "/x")
        (request,) = raw_server.requests
        assert request.lower().count(b"\r\nhost: ") == 1
        assert b"\r\nhost: pay.example.com\r\n" in request.lower()

    async def test_informational_answers_are_passed_over(self, way, client, raw_server, answer):
        raw_server.answers(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3 + answer(ANSWER))
        assert (await client.payment_methods.retrieve("pm_1")).payment_method_id == "pm_1"

    async def test_a_connection_that_was_switched_to_another_protocol_is_not_used_again(
        self, way, client, raw_server, answer
    ):
        switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
        raw_server.answers(switch, answer(ANSWER))
        with pytest.raises(Exception, match="101"):
            await client.payment_methods.retrieve("pm_2")
        assert (await client.payment_methods.retrieve("pm_1")).payment_method_id == "pm_1"
        assert raw_server.connections == 2


class TestWhatGoesByTheSession:
    async def test_nothing_else_does(self, client, raw_server, answer, by_session):
        raw_server.answers(answer(ANSWER))
        await client.payment_methods.update("pm_1", nick_name="Jane")
        assert by_session == []

    async def test_a_session_that_was_passed_in(self, open_client, raw_server, answer, by_session):
        raw_server.answers(answer(ANSWER))
        async with aiohttp.ClientSession() as session:
            await open_client(session=session).payment_methods.retrieve("pm_1")
        assert by_session == ["GET"]

    async def test_what_instrumentation_traces(
        self, open_client, raw_server, answer, by_session, monkeypatch
    ):
        """It adds a trace to each session that is opened."""
        started = []

        async def on_start(_session, _context, params):
            started.append(params.method)

        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(on_start)
        traced = functools.partialmethod(aiohttp.ClientSession.__init__, trace_configs=[trace])
        monkeypatch.setattr(aiohttp.ClientSession, "__init__", traced)
        raw_server.answers(answer(ANSWER))
        await open_client().payment_methods.retrieve("pm_1")
        assert by_session == started == ["GET"]

    async def test_what_is_added_to_each_session_that_is_opened(
        self, open_client, raw_server, answer, monkeypatch
    ):
        added = functools.partialmethod(aiohttp.ClientSession.__init__, headers={"X-Added": "1"})
        monkeypatch.setattr(aiohttp.ClientSession, "__init__", added)
        raw_server.answers(answer(ANSWER))
        await open_client().payment_methods.retrieve("pm_1")
        assert b"\r\nX-Added: 1\r\n" in raw_server.requests[0]

    async def test_a_session_of_another_class(self, open_client, raw_server, answer):
        with pytest.deprecated_call():  # as aiohttp calls it

            class Session(aiohttp.ClientSession):
                async def _request(self, method, url, **settings):
                    settings["headers"] = {**settings["headers"], "X-Added": "1"}
                    return await super()._request(method, url, **settings)

        raw_server.answers(*[answer(ANSWER)] * 2)
        client = open_client()
        with patch("aiohttp.ClientSession", Session):
            await client.payment_methods.retrieve("pm_1")
        await client.payment_methods.retrieve("pm_1")
        assert [b"\r\nX-Added: 1\r\n" in request for request in raw_server.requests] == [True] * 2

    @pytest.mark.parametrize(
        ("kind", "name"),
        [
            (aiohttp.ClientSession, "request"),
            (aiohttp.ClientSession, "_request"),
            (aiohttp.ClientRequest, "__init__"),
            (aiohttp.ClientRequest, "send"),
            (aiohttp.ClientResponse, "start"),
        ],
    )
    @pytest.mark.parametrize("wrap", [functools.wraps, _alike])
    async def test_calls_while_a_function_of_aiohttp_is_replaced(
        self, client, raw_server, answer, kind, name, wrap
    ):
        seen = []
        original = getattr(kind, name)

        @wrap(original)
        def replaced(*args, **settings):
            seen.append(name)
            return original(*args, **settings)

        raw_server.answers(*[answer(ANSWER)] * 3)
        await client.payment_methods.retrieve("pm_1")
        with patch.object(kind, name, replaced):
            await client.payment_methods.retrieve("pm_1")
        assert seen == [name]
        await client.payment_methods.retrieve("pm_1")
        assert seen == [name]
        assert raw_server.connections == 1

    async def test_calls_that_are_mocked(self, client, raw_server, answer, mocked_api):
        raw_server.answers(answer(ANSWER))
        mocked_api.get(
            f"{raw_server.url}/payment_methods/pm_2", payload={"payment_method_id": "pm_2"}
        )
        assert (await client.payment_methods.retrieve("pm_2")).payment_method_id == "pm_2"
        assert raw_server.requests == []


async def test_a_header_that_cannot_be_sent_means_nothing_was_sent(open_client, raw_server, writes):
    async def broken(request, call_next):
        return await call_next(request.with_header("X-Note", "line\r\nX-Other: 1"))

    with pytest.raises(TransportError) as caught:
        await open_client(middlewares=Middlewares(attempt=[broken])).request("POST", "/x", json=1)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert writes == []


async def test_a_connection_that_was_lost_before_the_write_means_nothing_was_sent(
    client, raw_server, answer, monkeypatch
):
    connect = direct.Connector.connect

    async def lost(*args):
        connection = await connect(*args)
        connection.transport.abort()
        return connection

    raw_server.answers(answer(ANSWER))
    await client.payment_methods.retrieve("pm_1")
    monkeypatch.setattr(direct.Connector, "connect", lost)
    with pytest.raises(ConnectionLostError) as caught:
        await client.payment_methods.retrieve("pm_1")
    assert caught.value.outcome is Outcome.NOT_SENT


def _parts(request):
    head, _, body = request.partition(b"\r\n\r\n")
    line, *headers = head.split(b"\r\n")
    return line, headers[0], sorted(headers), body
