"""The pooled rate, on a real Redis."""

from __future__ import annotations

import asyncio
import uuid

import pytest
import redis.asyncio
from yarl import URL

from perfectpay_async.errors import ConfigurationError, DeadlineExceeded
from perfectpay_async.fleet import AccessRefused
from perfectpay_async.fleet import redis_rate as module
from perfectpay_async.fleet.redis_rate import MEMBERSHIP, RedisRate
from tests.fleet.servers import Redis


@pytest.fixture
def address():
    return URL(f"http://{uuid.uuid4().hex}.test")


def pool(url, address, share):
    made = RedisRate(url, address)
    made.share = share
    return made


class Sender:
    """Takes permits as fast as it gets them, and notes when."""

    def __init__(self, rate, workers=4):
        self.rate = rate
        self.times = []
        self._tasks = [asyncio.create_task(self._send()) for _ in range(workers)]

    async def _send(self):
        now = asyncio.get_running_loop().time
        while True:
            await self.rate.grant(now() + 60)
            self.times.append(now())

    async def stop(self):
        for task in self._tasks:
            task.cancel()
        _, left = await asyncio.wait(self._tasks, timeout=60)
        assert not left


TOLERANCE = 1.2
"""A machine that stands still notes some permits later than they were used; faults add a half."""


def most_in(times, seconds=1.0):
    times = sorted(times)
    return max(sum(at <= each < at + seconds for each in times) for at in times)


async def until(condition, patience=60.0):
    async with asyncio.timeout(patience):
        while not condition():  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.01)


async def test_one_worker_may_use_what_the_others_leave(redis_server, address):
    """Two shares of 50 are 100 for the one that has something to send, and never more."""
    async with (
        pool(redis_server.url, address, 50.0) as busy,
        pool(redis_server.url, address, 50.0) as idle,
    ):
        await until(lambda: busy.pooled and idle.pooled)
        await asyncio.sleep(0.6)  # each has seen that the other is there
        sender = Sender(busy)
        await asyncio.sleep(2.0)
        await until(lambda: most_in(sender.times) > 60)  # more than its own share
        await sender.stop()
    assert most_in(sender.times) <= 100 * TOLERANCE


async def test_together_they_keep_the_sum(redis_server, address):
    async with (
        pool(redis_server.url, address, 40.0) as one,
        pool(redis_server.url, address, 40.0) as two,
    ):
        await until(lambda: one.pooled and two.pooled)
        senders = [Sender(one), Sender(two)]
        await asyncio.sleep(2.0)
        for sender in senders:
            await sender.stop()
    assert most_in(senders[0].times + senders[1].times) <= 80 * TOLERANCE


async def test_without_redis_the_share_alone_counts_and_never_more(address):
    if reason := Redis.missing():
        pytest.skip(reason)
    with Redis() as server:
        async with (
            pool(server.url, address, 30.0) as one,
            pool(server.url, address, 30.0) as two,
        ):
            await until(lambda: one.pooled and two.pooled)
            senders = [Sender(one), Sender(two)]
            await asyncio.sleep(0.5)
            server.kill()
            await until(lambda: not (one.pooled or two.pooled))
            alone = len(senders[0].times)
            await until(lambda: len(senders[0].times) > alone + 20, MEMBERSHIP + 60)
            server.start()
            await until(lambda: one.pooled and two.pooled)
            await asyncio.sleep(1.0)
            for sender in senders:
                await sender.stop()
    assert most_in(senders[0].times + senders[1].times) <= 60 * TOLERANCE


async def test_a_deadline_ends_the_wait_before_anything_is_sent(redis_server, address):
    async with pool(redis_server.url, address, 0.01) as slow:
        await until(lambda: slow.pooled)
        now = asyncio.get_running_loop().time
        await slow.grant(now() + 30)
        with pytest.raises(DeadlineExceeded, match="the fleet's rate held") as caught:
            await slow.grant(now() + 0.1)
    assert caught.value.outcome == "not_sent"


async def test_a_refused_login_is_said_at_once(address, monkeypatch, caplog):
    monkeypatch.setattr(module, "_TIMEOUT", 20.0)
    if reason := Redis.missing():
        pytest.skip(reason)
    with Redis() as server:
        client = redis.asyncio.Redis.from_url(server.url)
        await client.config_set("requirepass", "right")
        await client.aclose()
        wrong = server.url.replace("//", "//:s3cret@")
        with pytest.raises(AccessRefused, match="Redis refuses the login") as caught:
            async with pool(wrong, address, 1.0):
                pass
        assert "s3cret" not in str(caught.value) + caplog.text
        async with pool(server.url.replace("//", "//:right@"), address, 1.0) as good:
            await until(lambda: good.pooled)


async def test_a_redis_that_is_away_from_the_start_is_said_once(address, caplog):
    async with pool("redis://:s3cret@127.0.0.1:9/", address, 50.0) as alone:
        await alone.grant(asyncio.get_running_loop().time() + 60)
        await asyncio.sleep(1.2)  # some beats
    said = [record.getMessage() for record in caplog.records if "Redis" in record.getMessage()]
    assert said == ["Redis cannot be used (ConnectionError): from now on the share alone counts"]


def test_an_address_that_is_none(address):
    with pytest.raises(ConfigurationError, match="redis://user:password@host"):
        RedisRate("http://x", address)
