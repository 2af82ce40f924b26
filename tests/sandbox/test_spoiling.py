"""What faults do to answers and connections, and that nothing of them stays behind."""

import asyncio
import json
import zlib
from contextlib import suppress

import aiohttp
import attrs
import pytest

from perfectpay_async.sandbox import Fault, Sandbox
from perfectpay_async.sandbox.answers import success
from perfectpay_async.sandbox.spoiling import spoiled_answer

BROKEN = [
    *(Fault.reset_before(), Fault.reset_after(), Fault.truncate(), Fault.stall(), Fault.drip()),
    Fault.raw(b"x"),
]


@pytest.fixture
async def connect(sandbox):
    """Sends a GET on a bare socket, of whose body `missing` bytes never come."""
    writers = []

    async def connect(path, missing=0):
        reader, writer = await asyncio.open_connection(*sandbox.url[7:].split(":"))
        writers.append(writer)
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: x\r\napi-key: {sandbox.api_key}\r\n"
            f"Content-Length: {missing}\r\n\r\n".encode()
        )
        return reader, writer

    yield connect
    for writer in writers:
        writer.transport.abort()


async def eventually(condition):
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.002)


class TestAnswersInsteadOfTheRightOne:
    @pytest.mark.parametrize("fault", BROKEN, ids=lambda fault: fault.name)
    def test_what_breaks_the_connection_has_none(self, fault):
        assert spoiled_answer(fault, success({})) is None

    def test_latency_leaves_the_answer_alone(self):
        answer = success({"a": 1})
        assert spoiled_answer(Fault.latency(1), answer) is answer

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_a_server_error_has_the_apis_envelope(self, status):
        answer = spoiled_answer(Fault.status(status), success({}))
        assert (answer.status, answer.content_type) == (status, "application/json")
        assert json.loads(answer.body)["error"] == {
            "type": "api",
            "message": "Something went wrong",
            "code": "HE_00",
        }

    @pytest.mark.parametrize(
        ("body", "sent", "content_type"),
        [
            (None, b"", "text/plain; charset=utf-8"),
            ("", b"", "text/plain; charset=utf-8"),
            (b"\xff\x00", b"\xff\x00", "text/plain; charset=utf-8"),
            ('{"error":"é"}', '{"error":"é"}'.encode(), "application/json"),
        ],
    )
    def test_a_body_is_sent_byte_by_byte(self, body, sent, content_type):
        answer = spoiled_answer(Fault.status(429, body=body), success({}))
        assert (answer.body, answer.content_type) == (sent, content_type)

    @pytest.mark.parametrize("size", [0, 1, 1_000_000, 2_500_001])
    def test_a_bomb_unpacks_to_its_size(self, size):
        answer = spoiled_answer(Fault.gzip_bomb(size), success({}))
        assert len(zlib.decompress(answer.body, wbits=31)) == size
        assert len(answer.body) < 10_000


class TestBrokenConnections:
    async def test_truncate_sends_half_of_what_it_promises(self, sandbox, connect, call):
        (method_id,) = sandbox.seed_cards(1)
        whole = (await call.retrieve(method_id)).body
        sandbox.faults.add(Fault.truncate())
        reader, _ = await connect(f"/payment_methods/{method_id}")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert f"Content-Length: {len(whole)}".encode() in head.split(b"\r\n")
        assert body == whole[: len(whole) // 2]

    async def test_drip_sends_everything_a_byte_at_a_time(self, sandbox, connect, call):
        whole = (await call("GET", "/payment_methods/bad.id")).body
        sandbox.faults.add(Fault.drip(0.001))
        reader, _ = await connect("/payment_methods/bad.id")
        await reader.readuntil(b"\r\n\r\n")
        pieces = [piece async for piece in pieces_of(reader)]
        assert pieces == [whole[place : place + 1] for place in range(len(whole))]

    async def test_drip_is_over_with_its_last_byte(self, sandbox, connect, call):
        whole = (await call("GET", "/payment_methods/bad.id")).body
        sandbox.faults.script("bad.id", [Fault.drip(0.01)])
        reader, _ = await connect("/payment_methods/bad.id")
        await reader.readuntil(whole)
        await call("GET", "/payment_methods/bad.id")
        assert sandbox.ledger.max_in_flight_per_id == 1

    async def test_every_way_to_end_is_an_end(self, sandbox, call):
        steps = [Fault.status(503), Fault.reset_before(), Fault.reset_after(), Fault.truncate()]
        sandbox.faults.script("pm_1", [*steps, Fault.raw(b""), Fault.stall(0.01), None])
        for _ in range(7):
            with suppress(aiohttp.ClientError):
                await call.update("pm_1", nick_name="x")
        assert sandbox.ledger.max_in_flight_per_id == 1
        assert sandbox.ledger.statuses() == {503: 1, None: 5, 404: 1}

    @pytest.mark.parametrize(
        "fault",
        [Fault.stall(), Fault.stall(applied=False), Fault.latency(9), Fault.drip(9), None],
        ids=lambda fault: fault.name if fault else "half a request",
    )
    async def test_a_client_that_goes_ends_its_request(self, sandbox, connect, fault):
        if fault is not None:
            sandbox.faults.add(fault)
        _, writer = await connect("/payment_methods/pm_1", missing=0 if fault else 1)
        await eventually(lambda: sandbox.ledger.requests)
        assert sandbox.ledger.statuses() == {}
        writer.close()
        await eventually(lambda: sandbox.ledger.statuses() == {None: 1})

    @pytest.mark.parametrize("missing", [0, 1])
    async def test_stop_ends_whatever_is_under_way(self, sandbox, connect, missing):
        before = asyncio.all_tasks()
        sandbox.faults.add(Fault.stall())
        for _ in range(20):
            await connect("/customers/cus_1", missing)
        await eventually(lambda: len(sandbox.ledger.requests) == 20)
        started = asyncio.get_running_loop().time()
        await sandbox.stop()
        assert asyncio.get_running_loop().time() - started < 20
        assert asyncio.all_tasks() <= before
        assert sandbox.ledger.statuses() == {None: 20}

    @pytest.mark.parametrize(
        "fault", [Fault.reset_after(), Fault.truncate(), Fault.raw(b"x")], ids=lambda f: f.name
    )
    async def test_a_broken_connection_is_no_failure_of_the_server(self, fault, caplog):
        async with Sandbox(faults=[fault]) as sandbox, aiohttp.ClientSession() as session:
            for _ in range(3):
                with pytest.raises(aiohttp.ClientError):
                    async with session.post(f"{sandbox.url}/customers") as reply:
                        await reply.read()
        assert caplog.records == []


async def pieces_of(reader):
    while piece := await reader.read(1000):
        yield piece


async def test_the_dice_are_thrown_alike_for_one_seed(start):
    async def statuses(seed):
        call = await start(seed=seed, faults=[Fault.status(503, probability=0.5)])
        return [(await call("GET", "/customers/cus_1")).status for _ in range(40)]

    first = await statuses(1)
    assert first == await statuses(1) != await statuses(2)
    assert set(first) == {200, 503}


async def test_no_attribute_of_anything_kept_holds_a_number_or_a_cvc(call, sandbox):
    number, cvc = "4539578763621486", "83713"
    for changes in ({}, {"card_exp_year": "20"}, {"card_number": "4539578763621487"}):
        await call.create(**{"card_number": number, "card_cvc": cvc, "nick_name": "kept"} | changes)
    assert [entry.status for entry in sandbox.ledger.requests] == [200, 400, 400]
    kept = repr([everything(vars(sandbox.ledger)), everything(vars(sandbox.store))])
    assert "'kept'" in kept
    for secret in (number, number[:12], cvc):
        assert secret not in kept


def everything(value):
    """The values of all attributes, also of those that a repr leaves out."""
    if attrs.has(type(value)):
        return [everything(getattr(value, each.name)) for each in attrs.fields(type(value))]
    if isinstance(value, dict):
        return [everything([key, each]) for key, each in value.items()]
    return [everything(each) for each in value] if isinstance(value, list | tuple) else value
