import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfectpay_async.http.slots import Slots


class TestRoom:
    def test_as_many_as_there_are_and_no_more(self):
        slots = Slots(2)
        assert [slots.take() for _ in range(3)] == [True, True, False]
        slots.give_back()
        assert slots.take()


class TestQueue:
    async def test_who_came_first_is_first(self):
        slots = Slots(1)
        order = []

        async def enter(name):
            await slots.wait()
            order.append(name)
            slots.give_back()

        assert slots.take()
        async with asyncio.TaskGroup() as group:
            for name in "abc":
                group.create_task(enter(name))
            await asyncio.sleep(0)
            slots.give_back()
        assert order == ["a", "b", "c"]
        assert slots.free == 1

    async def test_nobody_overtakes_who_waits(self):
        slots = Slots(1)
        assert slots.take()
        waiter = asyncio.create_task(slots.wait())
        await asyncio.sleep(0)
        slots.give_back()
        assert not slots.take()  # it is the waiter's, though he has not run yet
        await waiter
        slots.give_back()
        assert slots.free == 1

    @pytest.mark.parametrize("moment", ["before its turn", "in the moment of its turn"])
    async def test_a_cancelled_waiter_loses_no_slot(self, moment):
        slots = Slots(1)
        assert slots.take()
        first, second = (asyncio.create_task(slots.wait()) for _ in range(2))
        await asyncio.sleep(0)
        if moment == "in the moment of its turn":
            slots.give_back()
            first.cancel()
        else:
            first.cancel()
            slots.give_back()
        await asyncio.wait([first, second])
        assert first.cancelled()
        assert second.done()
        assert not second.cancelled()
        slots.give_back()
        assert slots.free == 1


@given(
    number=st.integers(1, 4),
    stays=st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=20),
)
def test_never_too_many_and_in_the_end_all_are_free(number, stays):
    slots = Slots(number)
    inside = most = 0

    async def visit(turns):
        nonlocal inside, most
        if not slots.take():
            await slots.wait()
        inside += 1
        most = max(most, inside)
        try:
            for _ in range(turns):
                await asyncio.sleep(0)
        finally:
            inside -= 1
            slots.give_back()

    async def all_of_them():
        tasks = [asyncio.create_task(visit(turns)) for turns, _ in stays]
        for task, (turns, is_cancelled) in zip(tasks, stays, strict=True):
            for _ in range(turns):
                await asyncio.sleep(0)
            if is_cancelled:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(all_of_them())
    assert most <= number
    assert slots.free == number
