"""Answers that a broken or hostile server sends, byte by byte, through the whole client.

What is asked of each: one of our errors, on time, in bounded memory, and the next call gets its own
answer on a connection that nothing is wrong with.
"""

import asyncio
import gzip
import json
import time
import tracemalloc
import zlib

import pytest

from perfectpay_async import (
    ApiError,
    AttemptTimeout,
    ConnectionLostError,
    GaveUp,
    Outcome,
    PerfectPayError,
    RateLimited,
    RequestOptions,
    ResponseDecodingError,
    ResponseTooLarge,
    UnexpectedRedirect,
)

pytestmark = pytest.mark.usefixtures("quiet_loop", "way")

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
GZIP = OK + b"Content-Encoding: gzip\r\n"
MIB = 1024 * 1024
PATIENCE = 20.0
"""Seconds an attempt of the client takes at most; only one that hangs takes so long."""
BODY = b'{"payment_method_id":"pm_1"}'
SIZED = b"Content-Length: 28\r\n\r\n" + BODY
BOMB = gzip.compress(bytes(50_000_000))
PACKED = gzip.compress(BODY)

DAMAGED = {
    "nothing": b"",
    "half a header": OK + b"Content-Le",
    "cut body": OK + b"Content-Length: 100\r\n\r\n{}",
    "cut chunk": CHUNKED + b"5\r\n{}",
    "no last chunk": CHUNKED + b"2\r\n{}\r\n",
    "bad chunk": CHUNKED + b"ZZ\r\n{}\r\n",
    "bad end of a chunk": CHUNKED + b"2\r\n{}XX0\r\n\r\n",
    "endless chunk": CHUNKED + b"ffffffffffffffffff\r\n",
    "junk behind the body": OK + SIZED + b"surplus",
    "length twice": OK + b"Content-Length: 28\r\n" + SIZED,
    "two lengths": OK + b"Content-Length: 2\r\n" + SIZED,
    "list of lengths": OK + b"Content-Length: 28, 28\r\n\r\n" + BODY,
    "negative length": OK + b"Content-Length: -1\r\n\r\n" + BODY,
    "length in words": OK + b"Content-Length: many\r\n\r\n" + BODY,
    "endless length": OK + b"Content-Length: 99999999999999999999999\r\n\r\n" + BODY,
    "length and chunks": OK
    + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n",
    "long line": OK + b"X: " + b"x" * 9_000 + b"\r\n" + SIZED,
    "many headers": OK + b"X: y\r\n" * 200 + SIZED,
    "zero byte in a header": OK + b"X: a\0b\r\n" + SIZED,
    "long status line": b"HTTP/1.1 200 " + b"x" * 9_000 + b"\r\n" + SIZED,
    "status of two digits": b"HTTP/1.1 99 X\r\n" + SIZED,
    "status of four digits": b"HTTP/1.1 2000 X\r\n" + SIZED,
    "status in words": b"HTTP/1.1 fine OK\r\n" + SIZED,
    "unknown version": b"HTTP/9.9 200 OK\r\n" + SIZED,
    "another protocol": b"ICY 200 OK\r\n" + SIZED,
    "TLS alert": b"\x15\x03\x01\x00\x02\x02\x50",
    "binary": bytes(range(256)),
    "204 with a body": b"HTTP/1.1 204 No Content\r\n" + SIZED,
    "cut gzip": GZIP + b"Content-Length: %d\r\n\r\n" % (len(PACKED) - 4) + PACKED[:-4],
    "corrupt gzip": GZIP + b"\r\n" + PACKED[:14] + b"xx" + PACKED[16:],
    "no gzip at all": GZIP + SIZED,
    "surplus behind gzip": GZIP + b"\r\n" + PACKED + b"surplus",
    "unknown encoding": OK + b"Content-Encoding: br\r\n" + SIZED,
    "gzip in gzip": OK + b"Content-Encoding: gzip, gzip\r\n\r\n" + gzip.compress(PACKED),
    "gzip twice": GZIP + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(PACKED),
    "raw deflate": OK + b"Content-Encoding: deflate\r\n\r\n" + zlib.compress(BODY, wbits=-15),
}
SILENT = {
    "cut body": [OK + b"Content-Length: 100\r\n\r\n{}"],
    "no end": [OK + b"\r\n" + BODY],
    "unknown transfer encoding": [OK + b"Transfer-Encoding: banana\r\n\r\n" + BODY],
    "bad chunk alone in its packet": [CHUNKED + b"2\r\n{}\r\n", b"ZZ\r\nnot a chunk\r\n"],
    "100 and no answer": [b"HTTP/1.1 100 Continue\r\n\r\n"],
    "199 as the answer": [b"HTTP/1.1 199 X\r\n" + SIZED],
}
ENDLESS = {
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n", AttemptTimeout),
    "103 with headers": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n", AttemptTimeout),
    "header line": (OK + b"X: ", b"x" * 65_536, ConnectionLostError),
    "headers": (OK, b"X: y\r\n" * 100, ConnectionLostError),
    "trailers": (CHUNKED + b"0\r\n", b"X: y\r\n" * 100, ConnectionLostError),
    "tiny chunks": (CHUNKED, b"1\r\nx\r\n" * 100, AttemptTimeout),
    "chunk extension": (CHUNKED + b"2;x=", b"x" * 65_536, AttemptTimeout),
    "body": (OK + b"\r\n", b"x" * 65_536, ResponseTooLarge),
    "body of 100 MB": (OK + b"Content-Length: 100000000\r\n\r\n", b"x" * 65_536, ResponseTooLarge),
    "chunks": (CHUNKED, b"10000\r\n" + b"x" * 65_536 + b"\r\n", ResponseTooLarge),
    "name in gzip": (
        GZIP + b"\r\n\x1f\x8b\x08\x08\0\0\0\0\0\x03",
        b"x" * 65_536,
        ResponseTooLarge,
    ),
    "empty blocks in gzip": (
        GZIP + b"\r\n\x1f\x8b\x08\0\0\0\0\0\0\x03",
        b"\0\0\0\xff\xff" * 10_000,
        ResponseTooLarge,
    ),
    "surplus behind gzip": (GZIP + b"\r\n" + PACKED, b"x" * 65_536, ConnectionLostError),
}


@pytest.fixture
def attack(raw_server, answer, right_body):
    """Makes the server misbehave on its first request and answer right from then on."""

    def set_up(first):
        async def handler(reader, writer):
            while True:
                request = await raw_server.read_request(reader)
                if len(raw_server.requests) == 1:
                    if await first(writer):
                        return
                else:
                    writer.write(answer(right_body(request)))
                    await writer.drain()

        raw_server.handler = handler

    return set_up


@pytest.fixture
def sends(attack):
    """Makes the server send these packets first, and then `end`: closes the connection if told."""

    async def nothing():
        return False

    def set_up(*packets, end=nothing):
        async def first(writer):
            for packet in packets:
                writer.write(packet)
                await writer.drain()
                await asyncio.to_thread(time.sleep, 0.01)  # by no clock that a test moves
            return await end()

        attack(first)

    return set_up


@pytest.fixture
def traced_peak():
    """Returns the most memory that was in use since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


async def failure_of(client):
    """The error of a call that is never repeated."""
    with pytest.raises(PerfectPayError) as caught:
        await client.request("POST", "/pm_1", json={})
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    assert len(error.attempts) == 1
    return error


async def check_the_next_call(client, raw_server, *, connections):
    method = await client.payment_methods.retrieve("pm_2")
    assert method.payment_method_id == "pm_2"
    assert len(raw_server.requests) == 2
    assert raw_server.connections == connections


class TestDamagedAnswers:
    @pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
    async def test_each_is_a_lost_answer_at_once(self, client, raw_server, sends, damage):
        async def close():
            return True

        sends(damage, end=close)
        error = await failure_of(client)
        assert type(error) is ConnectionLostError
        assert error.outcome is Outcome.UNKNOWN
        assert error.elapsed < PATIENCE / 2
        await check_the_next_call(client, raw_server, connections=2)

    @pytest.mark.parametrize("packets", SILENT.values(), ids=SILENT)
    async def test_silence_ends_with_the_attempt(self, client, raw_server, sends, clock, packets):
        async def be_silent():
            clock.advance(PATIENCE)

        sends(*packets, end=be_silent)
        error = await failure_of(client)
        assert type(error) is AttemptTimeout
        assert error.outcome is Outcome.UNKNOWN
        assert error.elapsed == pytest.approx(PATIENCE)
        await check_the_next_call(client, raw_server, connections=2)

    async def test_what_may_be_repeated_is_repeated(self, client, raw_server, sends):
        sends(DAMAGED["bad chunk"])
        method = await client.payment_methods.retrieve("pm_1")
        assert method.payment_method_id == "pm_1"
        assert raw_server.connections == 2

    async def test_a_create_is_not(self, client, raw_server, sends):
        sends(DAMAGED["cut gzip"])
        error = await failure_of(client)
        assert error.gave_up is GaveUp.UNSAFE
        assert len(raw_server.requests) == 1


class TestEndlessAnswers:
    @pytest.fixture(params=ENDLESS.values(), ids=list(ENDLESS))
    def flood(self, request, attack, clock):
        """The end that it comes to, by the clock before the attempt has taken 4,000 pieces."""
        head, piece, error_class = request.param

        async def first(writer):
            writer.write(head)
            while True:
                writer.write(piece)
                await writer.drain()
                clock.advance(PATIENCE / 4_000)
                await asyncio.sleep(0)

        attack(first)
        return error_class

    async def test_each_ends_on_time(self, client, raw_server, flood):
        error = await failure_of(client)
        assert type(error) is flood
        assert error.outcome is Outcome.UNKNOWN
        assert error.elapsed < PATIENCE + 1
        await check_the_next_call(client, raw_server, connections=2)

    async def test_each_takes_bounded_memory(self, client, flood, traced_peak):
        error = await failure_of(client)
        assert type(error) is flood
        assert traced_peak() < 12 * MIB

    async def test_of_100_mb_no_more_is_fetched_than_fits_into_the_buffers(
        self, client, raw_server, attack
    ):
        sent = 0

        async def first(writer):
            nonlocal sent
            writer.write(OK + b"Content-Length: 100000000\r\n\r\n")
            while sent < 100_000_000:
                writer.write(bytes(100_000))
                await writer.drain()
                sent += 100_000

        attack(first)
        error = await failure_of(client)
        assert type(error) is ResponseTooLarge
        assert sent < 50_000_000

    async def test_a_bomb_is_not_unpacked(self, client, raw_server, sends, traced_peak):
        sends(GZIP + b"Content-Length: %d\r\n\r\n" % len(BOMB) + BOMB)
        error = await failure_of(client)
        assert type(error) is ResponseTooLarge
        assert traced_peak() < 20 * MIB  # zlib puts 8 MiB together out of pieces
        await check_the_next_call(client, raw_server, connections=2)

    async def test_a_dripping_body_ends_with_the_attempt(self, client, attack, clock):
        async def first(writer):
            writer.write(OK + b"Content-Length: 100000\r\n\r\n")
            while True:
                writer.write(b"x")
                await writer.drain()
                clock.advance(0.1)
                await asyncio.sleep(0)

        attack(first)
        error = await failure_of(client)
        assert type(error) is AttemptTimeout
        assert PATIENCE - 0.1 < error.elapsed < PATIENCE + 1


class TestStrangeStatuses:
    @pytest.mark.parametrize("status", [600, 999])
    async def test_no_known_class_of_status_is_an_unknown_outcome(
        self, client, raw_server, sends, answer, status
    ):
        sends(answer(BODY, f"{status} X"))
        error = await failure_of(client)
        assert type(error) is ApiError
        assert (error.status, error.outcome) == (status, Outcome.UNKNOWN)
        await check_the_next_call(client, raw_server, connections=1)

    async def test_another_protocol_is_not_spoken(self, client, raw_server, sends):
        sends(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nwelcome")
        error = await failure_of(client)
        assert (error.status, error.outcome) == (101, Outcome.UNKNOWN)
        await check_the_next_call(client, raw_server, connections=2)

    async def test_100_before_the_answer_is_skipped(self, client, raw_server, sends):
        sends(b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + OK + SIZED)
        response = await client.request("POST", "/pm_1", json={})
        assert (response.status, response.body) == (200, BODY)
        await check_the_next_call(client, raw_server, connections=1)

    async def test_the_first_of_two_retry_after_headers_counts(self, client, sends, answer):
        sends(answer(b"", "429 Slow Down", "Retry-After: 90", "Retry-After: 1"))
        error = await failure_of(client)
        assert type(error) is RateLimited
        assert (error.retry_after, error.gave_up) == (90, GaveUp.RETRY_AFTER)

    @pytest.mark.parametrize("status", [300, 304, 399])
    async def test_a_redirect_without_a_place_to_go(self, client, sends, answer, status):
        sends(answer(b"", f"{status} X"))
        error = await failure_of(client)
        assert type(error) is UnexpectedRedirect


class TestSuccessWithoutSense:
    @pytest.mark.parametrize(
        "body",
        [
            b"<html><body>Welcome to the hotel network</body></html>",
            b"",
            b"  \r\n",
            b"null",
            b"[]",
            b"17",
            b'"pm_1"',
            b"true",
            b"NaN",
            b'{"payment_method_id":"pm_1","metadata":{"a":NaN}}',
            b'{"payment_method_id":"pm_1","metadata":{"a":-Infinity}}',
            b'{"payment_method_id":"pm_1","payment_method_id":"pm_2"}',
            b'{"payment_method_id":"pm_1"',
            b'{"payment_method_id":"pm_1"}{}',
            b'{"payment_method_id":"\xff\xfe"}',
            b"\xef\xbb\xbf" + BODY,
            BODY.decode().encode("utf-16"),
            b"[" * 50_000 + b"]" * 50_000,
            b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
            b'{"payment_method_id":"pm_1","metadata":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
            b'{"payment_method_id":' + b"1" * 10_000 + b"}",
        ],
    )
    async def test_it_is_a_decoding_error_that_is_not_repeated(
        self, client, raw_server, sends, answer, body
    ):
        sends(answer(body))
        with pytest.raises(ResponseDecodingError) as caught:
            await client.payment_methods.update("pm_1", nick_name="x")
        assert caught.value.outcome is Outcome.UNKNOWN
        assert caught.value.status == 200
        await check_the_next_call(client, raw_server, connections=1)

    async def test_error_statuses_may_have_any_body(self, client, sends, answer):
        sends(answer(b"\xff{" + b"[" * 50_000, "502 Bad Gateway"))
        error = await failure_of(client)
        assert error.status == 502
        json.dumps(error.body)


class TestAnswersNobodyAskedFor:
    """A surplus answer must never be handed to the next call: it is another card's."""

    POISON = OK + b'Content-Length: 33\r\n\r\n{"payment_method_id":"pm_poison"}'

    async def test_two_at_once(self, client, raw_server, sends):
        sends(OK + SIZED + self.POISON)
        response = await client.request("POST", "/pm_1", json={})
        assert response.body == BODY
        await check_the_next_call(client, raw_server, connections=2)

    async def test_one_behind_the_end_of_a_body(self, client, raw_server, sends):
        sends(OK + SIZED[:-5], SIZED[-5:] + self.POISON)
        assert (await client.request("POST", "/pm_1", json={})).body == BODY
        await check_the_next_call(client, raw_server, connections=2)

    @pytest.mark.parametrize(
        "surplus", [POISON, POISON[:60], POISON[:-3], b"junk", b"HTTP/1.1 100 Continue\r\n\r\n"]
    )
    async def test_one_on_an_idle_connection(self, client, raw_server, sends, surplus):
        sends(OK + SIZED, surplus)
        assert (await client.request("POST", "/pm_1", json={})).body == BODY
        await asyncio.sleep(0.05)
        await check_the_next_call(client, raw_server, connections=2)

    async def test_the_beginning_of_one(self, client, raw_server, sends):
        sends(OK + SIZED, self.POISON[:20])
        assert (await client.request("POST", "/pm_1", json={})).body == BODY
        await asyncio.sleep(0.05)
        assert (await client.payment_methods.retrieve("pm_2")).payment_method_id == "pm_2"

    async def test_one_that_waits_in_the_socket_unread(self, client, raw_server, attack):
        writers = []

        async def first(writer):
            writers.append(writer)
            writer.write(OK + SIZED)

        attack(first)
        assert (await client.request("POST", "/pm_1", json={})).body == BODY
        writers[0].write(self.POISON)  # sent at once, but the loop gets no turn to read it
        await check_the_next_call(client, raw_server, connections=2)

    @pytest.mark.parametrize("turns", range(6))
    async def test_whenever_it_comes_no_call_gets_the_answer_of_another(
        self, client, raw_server, attack, turns
    ):
        async def first(writer):
            writer.write(OK + SIZED)
            for _ in range(turns):
                await asyncio.sleep(0)
            writer.write(self.POISON)

        attack(first)
        assert (await client.request("POST", "/pm_1", json={})).body == BODY
        for name in ("pm_2", "pm_3", "pm_4"):
            try:
                method = await client.payment_methods.retrieve(name)
            except ResponseDecodingError:
                # It arrived after the request had gone out: nothing tells it from an answer, but
                # its id does.
                continue
            assert method.payment_method_id == name


class TestAnswersBeforeTheRequest:
    """The server answers while a request larger than the socket's buffers is being sent."""

    REQUEST = {"filler": "x" * 12_000_000}

    @pytest.fixture
    def hasty(self, raw_server, answer, right_body):
        def set_up(early):
            async def handler(reader, writer):
                if raw_server.connections == 1:
                    await reader.read(100)
                    writer.write(early)
                    await asyncio.sleep(30)
                while True:
                    writer.write(answer(right_body(await raw_server.read_request(reader))))

            raw_server.handler = handler

        return set_up

    async def test_a_refusal_is_believed(self, client, raw_server, hasty, answer):
        hasty(answer(b"", "413 Too Large"))
        with pytest.raises(ApiError) as caught:
            await client.request("POST", "/pm_1", json=self.REQUEST)
        assert (caught.value.status, caught.value.outcome) == (413, Outcome.REFUSED)
        assert (await client.payment_methods.retrieve("pm_2")).payment_method_id == "pm_2"
        assert raw_server.connections == 2

    @pytest.mark.parametrize("body", [None, {}])
    async def test_so_is_one_of_the_head(self, client, raw_server, hasty, answer, body):
        hasty(answer(b"", "431 Request Header Fields Too Large"))
        options = RequestOptions(headers={"X-Filler": self.REQUEST["filler"]})
        with pytest.raises(ApiError) as caught:
            await client.request("POST", "/pm_1", json=body, options=options)
        assert (caught.value.status, caught.value.outcome) == (431, Outcome.REFUSED)
        kept = client._transport._session.connector._conns.values()
        assert not any(protocol.is_connected() for queue in kept for protocol, _since in queue)
        assert (await client.payment_methods.retrieve("pm_2")).payment_method_id == "pm_2"
        assert raw_server.connections == 2

    async def test_success_is_not(self, client, raw_server, hasty, answer):
        hasty(answer(BODY))
        with pytest.raises(ConnectionLostError, match="before it had the request") as caught:
            await client.request("POST", "/pm_1", json=self.REQUEST)
        assert caught.value.outcome is Outcome.UNKNOWN
        assert (await client.payment_methods.retrieve("pm_2")).payment_method_id == "pm_2"
        assert raw_server.connections == 2
