from __future__ import annotations

import asyncio

import pytest

from perfectpay_async import CardExpiry
from perfectpay_async.bulk.driver import Driver
from perfectpay_async.bulk.rows import Rows

NEW = CardExpiry(12, 2031)


def rows_of(*cards: str) -> Rows:
    return Rows([(card, NEW) for card in cards])


async def test_nothing_is_kept_of_cards_that_are_done():
    async def process(_row):
        await asyncio.sleep(0)

    driver = Driver(rows_of(*map(str, range(100)), *map(str, range(100))), process)
    await driver.run(16)

    assert driver.taken == 200
    assert driver.exhausted
    assert driver._ends == {}
    assert driver._waiting == set()


async def test_stopping_before_the_start_takes_nothing():
    async def process(_row):
        pytest.fail("a row was processed")

    driver = Driver(rows_of("a"), process)
    driver.stop()
    await driver.run(4)

    assert (driver.taken, driver.exhausted) == (0, False)


async def test_the_first_error_wins_and_is_raised_as_it_is():
    async def process(row):
        await asyncio.sleep(0)
        raise KeyError(row.payment_method_id)

    driver = Driver(rows_of("a", "b", "c", "d"), process)

    with pytest.raises(KeyError) as caught:
        await driver.run(2)

    assert caught.value.args == ("a",)
    assert driver.taken == 2


async def test_a_failing_row_lets_the_next_one_of_its_card_go():
    done = []

    async def process(row):
        await asyncio.sleep(0)
        done.append(row.number)
        if row.number == 1:
            raise KeyError

    driver = Driver(rows_of("a", "a"), process)

    with pytest.raises(KeyError):
        async with asyncio.timeout(5):
            await driver.run(2)

    assert done == [1]
