"""What aiohttp does that this library is built around, each fact with a test that notices a change.

A failure here is no bug of ours. It says that a reason for some of our code is gone, or that a
private switch we rely on was renamed: look at the code the test's name points to.
"""

import asyncio
import gzip
import inspect
import json
import math
from asyncio import selector_events, sslproto

import aiohttp
import pytest

from perfectpay_async.http.aiohttp_transport import AiohttpTransport


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def second_server(raw_server):
    server = type(raw_server)()
    await server.start()
    yield server
    await server.stop()


async def test_the_api_key_survives_a_redirect_to_another_origin(
    session, raw_server, second_server, answer
):
    raw_server.answers(answer(b"", "307 Temporary Redirect", f"Location: {second_server.url}/x"))
    second_server.answers(answer())
    async with session.post(
        raw_server.url, headers={"api-key": "planted"}, data=b"card", allow_redirects=True
    ):
        pass
    (request,) = second_server.requests
    assert b"api-key: planted" in request
    assert request.endswith(b"card")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_request_is_silently_sent_again_when_a_kept_connection_drops(
    session, raw_server, answer, method
):
    raw_server.answers(answer(), b"", answer())
    for _ in range(2):
        async with session.request(method, raw_server.url) as response:
            await response.read()
    assert len(raw_server.requests) == 3


async def test_the_private_switch_against_that_has_its_name(session):
    assert session._retry_connection is True


async def test_our_own_session_has_it_switched_off():
    transport = AiohttpTransport()
    session = transport._open_session()
    assert session._retry_connection is False
    await session.close()


async def test_an_answer_that_nobody_asked_for_is_given_to_the_next_request(
    session, raw_server, answer
):
    async def handler(reader, writer):
        await raw_server.read_request(reader)
        writer.write(answer(b"first"))
        await asyncio.sleep(0.02)
        writer.write(answer(b"surplus"))
        await raw_server.read_request(reader)
        writer.write(answer(b"second"))

    raw_server.handler = handler
    bodies = []
    for _ in range(2):
        async with session.get(raw_server.url) as response:
            bodies.append(await response.read())
        await asyncio.sleep(0.05)
    assert bodies == [b"first", b"surplus"]


async def test_what_our_connector_needs_of_its_base_has_its_name(session, raw_server, answer):
    raw_server.answers(answer())
    async with session.get(raw_server.url) as response:
        await response.read()
    connector = session.connector
    (kept,) = connector._conns.values()
    (protocol, _since) = kept[0]
    assert kept.rotate
    assert protocol.should_close is False
    assert protocol.force_close
    assert connector._loop is asyncio.get_running_loop()
    assert inspect.iscoroutinefunction(type(connector)._create_connection)
    connector.__exit__(None, None, None)
    assert connector.closed


def test_the_size_of_a_read_is_an_attribute_of_asyncios_transports():
    assert selector_events._SelectorSocketTransport.max_size == 256 * 1024
    assert sslproto.SSLProtocol.max_size == 256 * 1024


async def test_a_timeout_above_five_seconds_is_rounded_up_unless_the_threshold_is_raised():
    calculate = aiohttp.helpers.calculate_timeout_when
    assert calculate(100.0, 4.25, 5) == 104.25
    assert calculate(100.0, 7.25, 5) == 108.0
    assert calculate(100.0, 7.25, math.inf) == 107.25


async def test_trust_env_adds_an_authorization_header_from_netrc(
    raw_server, answer, tmp_path, monkeypatch
):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login jane password planted\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    raw_server.answers(answer())
    async with (
        aiohttp.ClientSession(trust_env=True) as session,
        session.get(raw_server.url) as response,
    ):
        await response.read()
    assert b"authorization: basic" in raw_server.requests[0].lower()


async def test_a_bad_chunk_alone_in_its_packet_hangs_or_fails_but_never_ends_well(
    session, raw_server
):
    async def handler(reader, writer):
        await raw_server.read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(b"ZZ\r\nnot a chunk\r\n")
        await writer.drain()
        await asyncio.sleep(5)

    raw_server.handler = handler
    response = await session.get(raw_server.url)
    with pytest.raises((TimeoutError, aiohttp.ClientError)):
        async with asyncio.timeout(0.3):
            await response.read()
    response.close()


async def test_a_malformed_answer_is_reported_with_status_400(session, raw_server):
    raw_server.answers(b"NOT HTTP AT ALL\r\n\r\n")
    with pytest.raises(aiohttp.ClientResponseError) as caught:
        await session.get(raw_server.url)
    assert caught.value.status == 400


async def test_a_gzip_bomb_is_unpacked_whole(session, raw_server, answer):
    bomb = gzip.compress(bytes(20_000_000))
    raw_server.answers(answer(bomb, "200 OK", "Content-Encoding: gzip"))
    async with session.get(raw_server.url) as response:
        assert len(await response.read()) == 20_000_000


def test_json_nested_too_deeply_is_a_recursion_error():
    with pytest.raises(RecursionError):
        json.loads("[" * 100_000)


async def test_a_body_that_is_not_read_holds_its_connection(raw_server, answer):
    raw_server.answers(answer(b"x" * 1_000_000), answer())
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(connector=connector) as session:
        unread = await session.get(raw_server.url)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await session.get(raw_server.url)
        unread.close()


class TestNativeMiddlewares:
    """Why the pipeline is our own and not a list of aiohttp's client middlewares."""

    async def test_they_run_again_on_every_hop_of_a_redirect(self, raw_server, answer):
        raw_server.answers(answer(b"", "302 Found", "Location: /elsewhere"), answer())
        runs = []

        async def middleware(request, handler):
            runs.append(request.url.path)
            return await handler(request)

        async with (
            aiohttp.ClientSession(middlewares=[middleware]) as session,
            session.get(raw_server.url + "/first") as response,
        ):
            await response.read()
        assert runs == ["/first", "/elsewhere"]

    async def test_they_share_one_mutable_request(self, raw_server, answer):
        raw_server.answers(answer(b"", "503 Busy"), answer())

        async def retry(request, handler):
            response = await handler(request)
            return await handler(request) if response.status == 503 else response

        async def tag(request, handler):
            request.headers.add("X-Tag", "1")
            return await handler(request)

        async with (
            aiohttp.ClientSession(middlewares=[retry, tag]) as session,
            session.get(raw_server.url) as response,
        ):
            await response.read()
        assert [request.count(b"X-Tag: 1") for request in raw_server.requests] == [1, 2]

    async def test_they_end_before_the_body_is_read(self, raw_server, clock):
        async def handler(reader, writer):
            await raw_server.read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
            await reader.read()

        raw_server.handler = handler

        async def timed(request, handler):
            async with asyncio.timeout(5):
                return await handler(request)

        async with aiohttp.ClientSession(middlewares=[timed]) as session:
            response = await session.get(raw_server.url)
            reading = asyncio.create_task(response.read())
            clock.advance(20)
            for _ in range(10):
                await asyncio.sleep(0)
            assert not reading.done()
            reading.cancel()

    async def test_aioresponses_bypasses_them(self, mocked_api):
        runs = []

        async def middleware(request, handler):
            runs.append(request)
            return await handler(request)

        mocked_api.get("http://127.0.0.1:9/")
        async with aiohttp.ClientSession(middlewares=[middleware]) as session:
            await session.get("http://127.0.0.1:9/")
        assert runs == []
