from __future__ import annotations

import asyncio

import pytest

from perfectpay_async import CardExpiry
from perfectpay_async.bulk.driver import Driver
from perfectpay_async.bulk.rows import Places, Rows

NEW = CardExpiry(12, 2031)


class Source(Places):
    def __init__(self, *cards: str) -> None:
        super().__init__(Rows([(card, NEW) for card in cards]))

    async def wait(self):
        return await anext(self, None)

    def driver(self, process) -> Driver:
        return Driver(self.ready, self.wait, process)


async def test_nothing_is_kept_of_cards_that_are_done():
    async def process(_row):
        await asyncio.sleep(0)

    source = Source(*map(str, range(100)), *map(str, range(100)))
    driver = source.driver(process)
    await driver.run(16)

    assert source.taken == 200
    assert source.ended
    assert driver._under_way == {}
    assert driver._waiting == set()


async def test_stopping_before_the_start_takes_nothing():
    async def process(_row):
        pytest.fail("a row was processed")

    source = Source("a")
    driver = source.driver(process)
    driver.stop()
    await driver.run(4)

    assert (source.taken, source.ended) == (0, False)


async def test_the_first_error_wins_and_is_raised_as_it_is():
    async def process(place):
        await asyncio.sleep(0)
        raise KeyError(place.row.payment_method_id)

    source = Source("a", "b", "c", "d")
    driver = source.driver(process)

    with pytest.raises(KeyError) as caught:
        await driver.run(2)

    assert caught.value.args == ("a",)
    assert source.taken == 2


async def test_a_failing_row_lets_the_next_one_of_its_card_go():
    done = []

    async def process(place):
        await asyncio.sleep(0)
        done.append(place.row.number)
        if place.row.number == 1:
            raise KeyError

    driver = Source("a", "a").driver(process)

    with pytest.raises(KeyError):
        async with asyncio.timeout(60):
            await driver.run(2)

    assert done == [1]


async def test_a_source_is_asked_by_one_worker_at_a_time():
    """While one awaits it, no other may take a row from it, even one that is there."""
    asked, arrived = [], asyncio.Event()
    source = Source("a", "b", "c")

    def ready():
        asked.append("ready")
        return source.ready() if arrived.is_set() else None

    async def wait():
        asked.append("wait")
        await arrived.wait()
        return await source.wait()

    async def process(_place):
        await asyncio.sleep(0)

    driver = Driver(ready, wait, process)
    driving = asyncio.create_task(driver.run(8))
    for _ in range(10):
        await asyncio.sleep(0)
    assert asked == ["ready", "wait"]

    arrived.set()
    await driving
    assert source.taken == 3


async def test_a_row_whose_source_stops_the_run_is_not_begun():
    source = Source("a", "b")

    def ready():
        driver.stop()
        return source.ready()

    async def process(_place):
        pytest.fail("a row was processed")

    driver = Driver(ready, source.wait, process)
    await driver.run(4)

    assert source.taken == 1


async def test_rows_of_one_card_line_up():
    under_way, order = set(), []

    async def process(place):
        assert place.row.payment_method_id not in under_way
        under_way.add(place.row.payment_method_id)
        await asyncio.sleep(0.001 if place.position == 0 else 0)
        under_way.remove(place.row.payment_method_id)
        order.append(place.position)

    driver = Source("a", "a", "b", "a", "a").driver(process)
    await driver.run(5)

    assert [position for position in order if position != 2] == [0, 1, 3, 4]
    assert driver._under_way == {}


async def test_nothing_is_kept_of_rows_that_were_abandoned_in_line():
    async def process(_place):
        await asyncio.Event().wait()

    driver = Source("a", "a", "a", "b").driver(process)
    await driver.run(4, asyncio.timeout(0.01))

    assert driver._under_way == {}
