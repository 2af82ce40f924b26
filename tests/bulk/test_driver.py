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
        async with asyncio.timeout(5):
            await driver.run(2)

    assert done == [1]
