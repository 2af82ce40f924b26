"""How a request of our own session leaves: in one write, or by aiohttp where that does not fit."""

from asyncio import selector_events

import aiohttp
import pytest

from perfectpay_async import Middlewares
from perfectpay_async.http import aiohttp_transport
from perfectpay_async.http.request import FITS, OneWriteRequest
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


@pytest.fixture(params=["in one write", "by aiohttp alone"])
def way(request, monkeypatch):
    if request.param == "by aiohttp alone":
        monkeypatch.setattr(aiohttp_transport, "FITS", False)
    return request.param


def test_the_installed_aiohttp_is_one_it_was_written_for():
    assert FITS


async def test_headers_and_body_are_one_write(client, raw_server, answer, writes):
    raw_server.answers(answer(ANSWER), answer(ANSWER))
    for _ in range(2):
        await client.payment_methods.update("pm_1", nick_name="Jane")
    assert len(writes) == 2
    assert all(data.endswith(b'{"nick_name":"Jane"}}}') for data in writes)
    assert raw_server.requests == writes


async def test_a_request_without_a_body_is_too(client, raw_server, answer, writes):
    raw_server.answers(answer(ANSWER))
    await client.payment_methods.retrieve("pm_1")
    assert raw_server.requests == writes
    assert len(writes) == 1


@pytest.mark.parametrize("size", [10, 100_000, 3_000_000])
async def test_a_body_of_any_size_arrives_whole(way, client, raw_server, answer, size):
    raw_server.answers(answer(), answer())
    for _ in range(2):
        await client.request("POST", "/x", json="x" * size)
    for request in raw_server.requests:
        assert request.endswith(b'\r\n\r\n"' + b"x" * size + b'"')
        assert b"\r\nContent-Length: %d\r\n" % (size + 2) in request
    assert raw_server.connections == 1


async def test_both_ways_send_the_same(open_client, raw_server, answer, monkeypatch):
    def key():
        return "the-same"

    raw_server.answers(*[answer(ANSWER)] * 4)
    for fits in (True, False):
        monkeypatch.setattr(aiohttp_transport, "FITS", fits)
        client = open_client(middlewares=Middlewares(idempotency=IdempotencyKey(key)))
        await client.payment_methods.update("pm_1", nick_name="Jane")
        await client.payment_methods.retrieve("pm_1")
    ours, theirs = raw_server.requests[:2], raw_server.requests[2:]
    for mine, other in zip(ours, theirs, strict=True):
        assert _parts(mine) == _parts(other)


async def test_a_traced_request_is_left_to_aiohttp(raw_server, answer):
    chunks = []

    async def on_chunk(_session, _context, params):
        chunks.append(params.chunk)

    trace = aiohttp.TraceConfig()
    trace.on_request_chunk_sent.append(on_chunk)
    raw_server.answers(answer())
    async with (
        aiohttp.ClientSession(request_class=OneWriteRequest, trace_configs=[trace]) as session,
        session.post(raw_server.url, data=b"body") as response,
    ):
        assert await response.read() == b"{}"
    assert chunks == [b"body"]


def _parts(request):
    head, _, body = request.partition(b"\r\n\r\n")
    line, *headers = head.split(b"\r\n")
    return line, headers[0], sorted(headers), body
