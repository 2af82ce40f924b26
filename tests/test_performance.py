"""What a call may cost, in counts that no busy machine can change, and what it may leave behind.

The limits are a tenth above what was counted. A change that passes one of them has put work on the
path of every call: take it off again, or raise the limit in the same change and say why.
"""

import asyncio
import gc
import socket
import subprocess
import sys

import pytest

from benchmarks.counting import Instant, count_all, server
from perfectpay_async import (
    CardExpiry,
    ConnectError,
    PaymentMethod,
    PerfectPay,
    PerfectPayError,
    Response,
    RetryPolicy,
)
from perfectpay_async.wire import converter as converter_module

EXPIRY = CardExpiry(12, 2099)


@pytest.fixture(scope="module")
def counts():
    with server() as url:
        counted = asyncio.run(count_all(url))
    if not counted["raw aiohttp"].bytecodes:
        pytest.skip("this Python reports no bytecodes to a trace function")
    return counted


class TestCounts:
    def test_the_stack_above_the_transport(self, counts):
        assert counts["above the transport"].bytecodes < 1_700
        assert counts["above the transport"].functions < 118

    def test_a_whole_update(self, counts):
        assert counts["whole"].bytecodes < 5_100
        assert counts["whole"].functions < 375

    def test_a_whole_update_beside_one_by_aiohttp_alone(self, counts):
        # From Python 3.13 on aiohttp alone takes a quarter less than before.
        raw, whole = counts["raw aiohttp"], counts["whole"]
        assert whole.bytecodes < 1.15 * raw.bytecodes
        assert whole.functions < 1.3 * raw.functions

    def test_five_middlewares_more_add_less_than_a_twelfth_of_a_call_by_aiohttp_alone(self, counts):
        added = (
            counts["there, with 5 middlewares"].bytecodes - counts["above the transport"].bytecodes
        )
        assert 0 < added < 0.08 * counts["raw aiohttp"].bytecodes


def _printed_by(code):
    """The words that a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


class TestNothingMoreThanNeeded:
    async def test_one_timer_for_an_attempt_and_no_task(self, raw_server, answer, monkeypatch):
        async with PerfectPay("snd_x", base_url=raw_server.url) as client:
            raw_server.answers(*[answer(b'{"payment_method_id":"pm_1"}')] * 7)
            await client.payment_methods.retrieve("pm_1")
            loop = asyncio.get_running_loop()
            timers, tasks = [], []
            call_at, create_task = loop.call_at, loop.create_task
            monkeypatch.setattr(
                loop, "call_at", lambda *a, **k: timers.append(a) or call_at(*a, **k)
            )
            monkeypatch.setattr(
                loop, "create_task", lambda *a, **k: tasks.append(a) or create_task(*a, **k)
            )
            for _ in range(3):
                await client.payment_methods.retrieve("pm_1")
                await client.payment_methods.update("pm_1", expiry=EXPIRY)
            assert len(timers) <= 7  # aiohttp looks after its kept connections now and then
            assert not tasks

    def test_decoding_makes_hooks_for_what_is_decoded_alone(self, monkeypatch):
        made = []
        write_hook = converter_module._entity
        monkeypatch.setattr(
            converter_module,
            "_entity",
            lambda cls, on: made.append(cls.__name__) or write_hook(cls, on),
        )
        fresh = converter_module.converter.__wrapped__()
        assert not made
        fresh.get_structure_hook(PaymentMethod)
        assert made == ["PaymentMethod", "CardDetails"]

    def test_importing_the_client_imports_neither_cattrs_nor_what_bulk_runs_need(self):
        code = (
            "import sys; from perfectpay_async import PerfectPay;"
            "PerfectPay('snd_x', environment='sandbox');"
            "print(*sys.modules)"
        )
        unwanted = {"cattrs", "sqlite3", "csv", "click", "rich", "pyarrow", "uvloop"}
        loaded = _printed_by(code)
        assert not unwanted & loaded
        assert "tenacity" in loaded  # making the client imports it, so that no call has to

    def test_importing_the_client_loads_little_beside_aiohttp(self):
        code = (
            "import sys, aiohttp; before = set(sys.modules); sys.modules['orjson'] = None;"
            "from perfectpay_async import PerfectPay;"
            "print(*(set(sys.modules) - before - {'orjson'}))"
        )
        loaded = _printed_by(code)
        own = [name for name in loaded if name.startswith("perfectpay_async")]
        assert {name.partition(".")[0] for name in loaded} - {"perfectpay_async"} <= {
            "attr",
            "attrs",
            "hmac",
        }
        assert 40 < len(own) <= 70


class Refusing(Instant):
    async def send(self, request):
        return Response(503, {}, b'{"error":{"code":"HE_00"}}', 0.0, request)


class Garbled(Instant):
    async def send(self, request):
        return Response(200, {}, b'{"payment_method_id":5}', 0.0, request)


class TestNothingLeftBehind:
    @pytest.fixture(autouse=True)
    def without_collections(self):
        gc.collect()
        gc.disable()
        yield
        gc.enable()

    @pytest.mark.parametrize("transport", [Refusing, Garbled])
    async def test_a_failing_call_leaves_no_garbage_cycle(self, transport):
        policy = RetryPolicy(wait=lambda _state: 0.0)
        client = PerfectPay("snd_x", environment="sandbox", transport=transport(), retry=policy)
        for turn in range(3):
            if turn == 1:  # what is made once is made
                gc.collect()
            with pytest.raises(PerfectPayError):
                await client.payment_methods.update("pm_1", expiry=EXPIRY)
        assert gc.collect() == 0

    async def test_nor_does_one_that_fails_on_the_way(self, raw_server):
        raw_server.answers(*[b""] * 12)
        policy = RetryPolicy(wait=lambda _state: 0.0)
        async with PerfectPay("snd_x", base_url=raw_server.url, retry=policy) as client:
            for turn in range(3):
                if turn == 1:
                    gc.collect()
                with pytest.raises(PerfectPayError):
                    await client.payment_methods.retrieve("pm_1")
            assert not _own_garbage()

    async def test_nor_does_one_whose_connection_is_refused(self):
        policy = RetryPolicy(wait=lambda _state: 0.0)
        with socket.socket() as nobody_listens:
            nobody_listens.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{nobody_listens.getsockname()[1]}"
            async with PerfectPay("snd_x", base_url=url, retry=policy) as client:
                for turn in range(3):
                    if turn == 1:
                        gc.collect()
                    with pytest.raises(ConnectError):
                        await client.payment_methods.retrieve("pm_1")
                assert not _own_garbage()

    async def test_thousands_of_calls_leave_nothing(self):
        client = PerfectPay("snd_x", environment="sandbox", transport=Instant())

        async def calls(number):
            for _ in range(number):
                await client.payment_methods.update("pm_bench", expiry=EXPIRY)

        await calls(500)
        before = sys.getallocatedblocks()
        await calls(5_000)
        assert sys.getallocatedblocks() - before < 500


def _own_garbage():
    return [thing for thing in _garbage() if type(thing).__module__.startswith("perfectpay")]


def _garbage():
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        return list(gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
