"""What the server does around the operations: faults, rate limit, ledger, start and stop."""

import asyncio
import gzip
import re
import socket

import aiohttp
import pytest

from perfectpay_async.sandbox import Fault, Sandbox

UPDATE = "payment_methods.update"
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.fixture
def method_id(sandbox):
    (method_id,) = sandbox.seed_cards(1, expiry=("10", "2030"))
    return method_id


@pytest.fixture
def update(call, method_id):
    async def update(year="2031"):
        return await call.update(method_id, card_exp_year=year)

    return update


@pytest.fixture
async def connect(sandbox, method_id):
    """Sends an update on a bare socket and returns what can be read from it."""
    writers = []

    async def connect():
        reader, writer = await asyncio.open_connection(*sandbox.url[7:].split(":"))
        writers.append(writer)
        body = b'{"payment_method_data":{"card":{"card_exp_year":"2031"}}}'
        writer.write(
            f"POST /payment_methods/{method_id}/update HTTP/1.1\r\nHost: x\r\n"
            f"api-key: {sandbox.api_key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        return reader, writer

    yield connect
    for writer in writers:
        writer.transport.abort()


async def eventually(condition):
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.002)


class TestAnswers:
    async def test_each_has_an_id_of_its_own_that_the_ledger_knows(self, call, update, sandbox):
        sent = [(await update()).headers for _ in range(3)]
        ids = [headers["x-request-id"] for headers in sent]
        assert all(UUID7.fullmatch(request_id) for request_id in ids)
        assert [entry.request_id for entry in sandbox.ledger.requests] == ids
        assert len(set(ids)) == 3
        assert {headers["Content-Type"] for headers in sent} == {"application/json"}

    async def test_an_id_that_comes_in_is_not_used(self, call, method_id):
        reply = await call("GET", f"/payment_methods/{method_id}", headers={"x-request-id": "mine"})
        assert reply.headers["x-request-id"] != "mine"


class TestTheLedger:
    async def test_holds_what_was_asked_and_what_came_of_it(self, call, sandbox, method_id):
        await call(
            "POST",
            f"/payment_methods/{method_id}/update",
            json={"payment_method_data": {"card": {"card_exp_year": "31"}}},
            headers={"Idempotency-Key": "row-17"},
        )
        await call.retrieve("pm_none")
        first, second = sandbox.ledger.requests
        assert (first.number, first.method, first.operation) == (1, "POST", UPDATE)
        assert first.route == "/payment_methods/{payment_method_id}/update"
        assert (first.payment_method_id, first.idempotency_key) == (method_id, "row-17")
        assert (first.status, first.fault, first.applied, first.in_flight) == (200, None, True, 1)
        assert first.received <= first.finished <= second.received
        assert (second.status, second.applied) == (404, False)
        (write,) = sandbox.ledger.writes
        assert (write.request, write.operation, write.changed) == (1, UPDATE, True)
        assert write.values == {"exp_month": "10", "exp_year": "31"}
        assert sandbox.ledger.expiry_of(method_id) == ("10", "31")

    async def test_knows_the_customer_of_a_create_and_never_the_card(self, call, sandbox, card):
        await call.create()
        (entry,), (write,) = sandbox.ledger.requests, sandbox.ledger.writes
        assert (entry.customer_id, write.customer_id) == ("cus_1", "cus_1")
        assert write.values == {"exp_month": "3", "exp_year": "2031", "last4": "4444"}
        number = card["card_number"].replace(" ", "")
        seen = repr((entry, write, write.values, sandbox.store.methods, vars(sandbox.store)))
        for secret in (number, "'946'", "Ida Brook"):
            assert secret not in seen

    async def test_counts_what_is_under_way_for_one_id(self, sandbox, connect):
        sandbox.faults.add(Fault.stall())
        for _ in range(3):
            await connect()
        await eventually(lambda: len(sandbox.ledger.requests) == 3)
        assert sandbox.ledger.max_in_flight_per_id == 3
        assert sorted(entry.in_flight for entry in sandbox.ledger.requests) == [1, 2, 3]

    async def test_a_client_that_has_gone_is_not_under_way(self, sandbox, update, connect):
        sandbox.faults.add(Fault.stall(times=20))
        for _ in range(20):
            reader, writer = await connect()
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            writer.close()
        assert (await update()).status == 200
        assert sandbox.ledger.max_in_flight_per_id == 1
        assert sandbox.ledger.statuses() == {None: 20, 200: 1}


class TestFaults:
    @pytest.mark.parametrize("applied", [False, True])
    async def test_status(self, sandbox, update, method_id, applied):
        sandbox.faults.script(UPDATE, [Fault.status(503, retry_after=1.5, applied=applied)])
        reply = await update()
        assert (reply.error, reply.headers["Retry-After"]) == ((503, "type", "HE_00"), "1.5")
        assert reply.json["error"]["type"] == "api"
        assert bool(sandbox.ledger.writes_of(method_id)) is applied
        assert (sandbox.ledger.requests[0].fault, sandbox.ledger.requests[0].applied) == (
            "503",
            applied,
        )
        assert (await update()).status == 200

    @pytest.mark.parametrize(
        ("fault", "body", "kind"),
        [
            (Fault.status(429, retry_after=2), b"", "text/plain"),
            (Fault.status(429, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"), b"", "text/plain"),
            (Fault.status(502, body=b"\xff<html>"), b"\xff<html>", "text/plain"),
            (Fault.status(200, body='{"error": 1}'), b'{"error": 1}', "application/json"),
        ],
    )
    async def test_what_a_status_says(self, sandbox, update, fault, body, kind):
        sandbox.faults.add(fault)
        reply = await update()
        assert (reply.status, reply.body) == (fault.status_code, body)
        assert reply.headers["Content-Type"].startswith(kind)
        assert reply.headers.get("Retry-After") == fault.retry_after

    @pytest.mark.parametrize(
        ("fault", "applied"), [(Fault.reset_before(), False), (Fault.reset_after(), True)]
    )
    async def test_a_reset_is_a_real_one(self, sandbox, connect, method_id, fault, applied):
        sandbox.faults.add(fault)
        reader, _ = await connect()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert bool(sandbox.ledger.writes_of(method_id)) is applied
        (entry,) = sandbox.ledger.requests
        assert (entry.status, entry.fault, entry.applied) == (None, fault.kind, applied)
        assert entry.finished is not None

    async def test_a_reset_reaches_an_http_client_as_a_lost_connection(self, sandbox, update):
        sandbox.faults.add(Fault.reset_after())
        with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
            await update()

    async def test_truncate(self, sandbox, update, method_id):
        sandbox.faults.script(UPDATE, [Fault.truncate()])
        with pytest.raises(aiohttp.ClientPayloadError):
            await update()
        assert sandbox.ledger.writes_of(method_id)
        assert (await update()).status == 200

    async def test_bad_json(self, sandbox, update, method_id):
        sandbox.faults.add(Fault.bad_json())
        reply = await update()
        with pytest.raises(ValueError, match="Unterminated"):
            _ = reply.json
        assert (reply.status, len(sandbox.ledger.writes_of(method_id))) == (200, 1)

    @pytest.mark.parametrize(
        ("fault", "headers", "applied"),
        [
            (Fault.stall(), True, True),
            (Fault.stall(silent=True), False, True),
            (Fault.stall(applied=False), False, False),
        ],
    )
    async def test_stall(self, sandbox, connect, fault, headers, applied):
        sandbox.faults.add(fault)
        reader, _ = await connect()
        await eventually(lambda: len(sandbox.ledger.writes) == applied)
        if headers:
            assert b"x-request-id" in await reader.readuntil(b"\r\n\r\n")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.03):
                await reader.read(1)
        assert bool(sandbox.ledger.writes) is applied

    async def test_a_stall_may_have_an_end(self, sandbox, connect):
        sandbox.faults.add(Fault.stall(0.02))
        reader, _ = await connect()
        assert (await reader.read()).endswith(b"\r\n\r\n")

    async def test_drip(self, sandbox, connect, update):
        sandbox.faults.add(Fault.drip(0.0002, times=1))
        reader, _ = await connect()
        head = await reader.readuntil(b"\r\n\r\n")
        pieces = 0
        while await reader.read(100_000):
            pieces += 1
        assert pieces > 10
        assert b"Connection: close" in head
        (entry,) = sandbox.ledger.requests
        assert (entry.fault, entry.status) == ("drip", None)
        assert (await update()).status == 200

    async def test_gzip_bomb(self, sandbox, method_id):
        sandbox.faults.add(Fault.gzip_bomb(3_000_001))
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.get(
                f"{sandbox.url}/payment_methods/{method_id}", headers={"api-key": sandbox.api_key}
            ) as response,
        ):
            packed = await response.read()
        assert (response.status, response.headers["Content-Encoding"]) == (200, "gzip")
        assert len(packed) < 5_000
        assert len(gzip.decompress(packed)) == 3_000_001

    @pytest.mark.parametrize("status", [302, 307])
    async def test_redirect(self, sandbox, update, status):
        sandbox.faults.add(Fault.redirect("http://127.0.0.1:1/elsewhere", status))
        reply = await update()
        assert (reply.status, reply.headers["Location"]) == (status, "http://127.0.0.1:1/elsewhere")
        assert not sandbox.ledger.writes

    @pytest.mark.parametrize("applied", [False, True])
    async def test_raw(self, sandbox, connect, applied):
        sandbox.faults.add(Fault.raw(b"HTTP/1.1 2OO\r\n\x00", applied=applied))
        reader, _ = await connect()
        assert await reader.read() == b"HTTP/1.1 2OO\r\n\x00"
        assert bool(sandbox.ledger.writes) is applied

    async def test_latency_comes_before_the_write(self, sandbox, connect, method_id):
        sandbox.faults.add(Fault.latency(99, times=1), Fault.latency(0.05))
        _, writer = await connect()
        await eventually(lambda: sandbox.ledger.requests)
        writer.close()
        await eventually(lambda: sandbox.ledger.requests[0].finished)
        assert not sandbox.ledger.writes
        reader, _ = await connect()
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        first, second = sandbox.ledger.requests
        assert (first.status, second.status) == (None, 200)
        assert second.finished - second.received >= 0.05

    async def test_a_script_for_an_id_and_faults_from_the_start(self, start):
        call = await start(faults=[Fault.status(500, operation="payment_methods.list")])
        ids = call.sandbox.seed_cards(2)
        call.sandbox.faults.script(ids[0], [None, Fault.status(502)])
        statuses = [(await call.retrieve(ids[0])).status for _ in range(3)]
        assert statuses == [200, 502, 200]
        assert (await call.retrieve(ids[1])).status == 200
        assert (await call.list()).status == 500
        call.sandbox.faults.clear()
        assert (await call.list()).status == 200


class TestTheRateLimit:
    async def test_refuses_what_is_too_much_in_the_gateways_words(self, call, sandbox, method_id):
        sandbox.rate_limit = 3
        replies = [await call.retrieve(method_id) for _ in range(5)]
        assert [reply.status for reply in replies] == [200, 200, 200, 429, 429]
        assert replies[4].headers["Content-Type"].startswith("text/plain")
        assert "Retry-After" not in replies[4].headers
        assert [entry.fault for entry in sandbox.ledger.requests] == [None] * 5
        sandbox.rate_limit = None
        assert (await call.retrieve(method_id)).status == 200

    async def test_may_say_when_to_come_back(self, start):
        call = await start(rate_limit=0, rate_limit_retry_after=0.25)
        reply = await call.list()
        assert (reply.status, reply.headers["Retry-After"]) == (429, "0.25")


class TestSeeding:
    async def test_follows_the_seed(self):
        first, same, other = (Sandbox(seed=seed).seed_cards(5) for seed in (1, 1, 2))
        assert first == same != other

    async def test_makes_a_customer_for_every_card_and_no_number_twice(self, call, sandbox):
        ids = sandbox.seed_cards(3, expiry=("1", "20")) + sandbox.seed_cards(2)
        methods = [sandbox.store.methods[method_id] for method_id in ids]
        assert len({method.customer_id for method in methods}) == 5
        assert len({method.card.fingerprint for method in methods}) == 5
        card = (await call.retrieve(ids[0])).json["card"]
        assert (card["expiry_month"], card["expiry_year"]) == ("1", "20")
        assert not sandbox.ledger.writes

    async def test_a_customer_twice_is_one(self, sandbox):
        sandbox.seed_customer("cus_1")
        assert list(sandbox.store.customers) == ["cus_1"]


class TestLifecycle:
    async def test_stop_waits_for_nobody_and_leaves_no_task(self, call, sandbox, connect):
        slow = (Fault.drip(99, times=1), Fault.latency(99, times=1))
        sandbox.faults.add(Fault.stall(times=2), *slow)
        for _ in range(4):
            await connect()
        await eventually(lambda: len(sandbox.ledger.requests) == 4)
        loop = asyncio.get_running_loop()
        started = loop.time()
        await sandbox.stop()
        assert loop.time() - started < 20
        await asyncio.sleep(0)
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
        assert all(entry.finished for entry in sandbox.ledger.requests)
        # What still waited was not carried out: two stalls and the drip were.
        assert len(sandbox.ledger.writes) == 3
        await sandbox.stop()

    async def test_it_can_be_started_again_with_its_port_and_state(self, call, sandbox, method_id):
        url = sandbox.url
        await sandbox.stop()
        with pytest.raises(aiohttp.ClientConnectorError):
            await call.retrieve(method_id)
        await sandbox.start()
        assert sandbox.url == url
        assert (await call.retrieve(method_id)).status == 200

    async def test_a_port_that_is_taken(self):
        with (
            socket.create_server(("127.0.0.1", 0)) as taken,
            pytest.raises(OSError, match="address already in use"),
        ):
            await Sandbox(port=taken.getsockname()[1]).start()

    async def test_a_sandbox_can_be_made_outside_a_loop(self):
        sandbox = await asyncio.to_thread(Sandbox)
        async with sandbox:
            assert sandbox.url.startswith("http://127.0.0.1:")
        assert sandbox.api_key == "snd_sandbox_key"
