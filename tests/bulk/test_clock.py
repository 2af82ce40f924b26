from __future__ import annotations

import asyncio
import time

from perfectpay_async.bulk.clock import running_clock


async def clock():
    return running_clock()


def test_that_of_a_plain_loop_is_read_without_the_loop():
    assert asyncio.run(clock()) is time.monotonic


def test_a_loop_with_a_clock_of_its_own_keeps_it():
    class Loop(asyncio.SelectorEventLoop):
        def time(self):
            return super().time() + 1_000_000

    with asyncio.Runner(loop_factory=Loop) as runner:
        now = runner.run(clock())
        assert now() > time.monotonic() + 999_999


async def test_so_does_one_whose_clock_was_replaced(monkeypatch):
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: 7.0)

    assert running_clock()() == 7.0
