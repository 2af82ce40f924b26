import asyncio
import time

import pytest

from perfectpay_async.testing import VirtualClock


async def test_an_hour_takes_no_time():
    began = time.monotonic()
    with VirtualClock() as clock:
        await asyncio.sleep(3600)
        assert clock.elapsed >= 3600
    assert time.monotonic() - began < 60
    assert 3500 < clock.skipped <= 3600


async def test_sleepers_wake_in_their_order():
    woken = []

    async def sleep(seconds):
        await asyncio.sleep(seconds)
        woken.append(seconds)

    with VirtualClock():
        await asyncio.gather(*map(sleep, [30, 10, 20, 0, 10.5]))
    assert woken == [0, 10, 10.5, 20, 30]


async def test_a_timeout_ends_what_takes_longer_and_nothing_else():
    with VirtualClock() as clock:
        async with asyncio.timeout(11):
            await asyncio.sleep(10)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.sleep(10)
    assert 15 <= clock.elapsed < 20


async def test_work_that_is_ready_is_done_before_any_timer():
    with VirtualClock() as clock:
        async with asyncio.timeout(60):
            for _ in range(1000):
                await asyncio.sleep(0)
    assert clock.skipped == 0


async def test_the_time_never_goes_back():
    loop = asyncio.get_running_loop()
    before = loop.time()
    with VirtualClock() as clock:
        await asyncio.sleep(100)
    assert loop.time() >= before + 100
    at_the_end = clock.elapsed
    await asyncio.sleep(0.01)
    assert clock.elapsed == at_the_end
    assert clock.skipped <= 100


async def test_a_real_wait_follows_after_it():
    with VirtualClock():
        await asyncio.sleep(100)
    began = time.monotonic()
    await asyncio.sleep(0.05)
    assert time.monotonic() - began >= 0.04


async def test_a_second_clock_may_follow_but_not_nest():
    with VirtualClock() as first:
        await asyncio.sleep(10)
        with pytest.raises(RuntimeError, match="has a virtual clock already"), VirtualClock():
            pass
    with VirtualClock() as second:
        await asyncio.sleep(20)
    assert 10 <= first.elapsed < 15
    assert 20 <= second.elapsed < 25
    with pytest.raises(RuntimeError, match="used once"), second:
        pass


async def test_an_open_socket_makes_the_time_go_by_as_usual():
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        with VirtualClock() as clock:
            began = time.monotonic()
            await asyncio.sleep(0.05)
            assert time.monotonic() - began >= 0.04
    assert clock.skipped == 0


async def test_threads_can_wake_the_loop():
    with VirtualClock():
        assert await asyncio.to_thread(lambda: 7) == 7


def test_it_needs_a_running_loop_of_asyncio():
    with pytest.raises(RuntimeError, match="no running event loop"), VirtualClock():
        pass
    assert VirtualClock().elapsed == 0


def test_another_kind_of_loop_is_refused(monkeypatch):
    monkeypatch.setattr(asyncio, "get_running_loop", object)
    with pytest.raises(RuntimeError, match="not a object"), VirtualClock():
        pass
