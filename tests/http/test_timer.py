import asyncio

import pytest

from perfectpay_async.http.timer import Timer


def timer(seconds):
    loop = asyncio.get_running_loop()
    return Timer(loop, loop.time() + seconds)


async def test_it_ends_what_takes_too_long_with_a_timeout_error():
    inside = timer(0.01)
    with pytest.raises(TimeoutError), inside:
        await asyncio.sleep(5)
    assert inside.expired()
    assert asyncio.current_task().cancelling() == 0


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_a_moment_that_has_passed_ends_the_first_wait(seconds):
    with pytest.raises(TimeoutError), timer(seconds):
        await asyncio.sleep(5)


async def test_in_time_it_does_nothing_and_leaves_no_timer():
    with timer(float("inf")) as inside:
        await asyncio.sleep(0)
    assert not inside.expired()
    scheduled = asyncio.get_running_loop()._scheduled
    assert not [handle for handle in scheduled if not handle.cancelled()]


async def test_another_moment():
    with pytest.raises(TimeoutError), timer(5) as inside:  # noqa: PT012
        inside.reschedule(asyncio.get_running_loop().time())
        await asyncio.sleep(5)
    inside.reschedule(0.0)  # too late: nothing happens


async def test_a_cancel_from_elsewhere_goes_through():
    async def call():
        with timer(5):
            await asyncio.sleep(5)

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("timer_first", [True, False])
async def test_it_wins_also_when_both_come_at_once(timer_first):
    loop = asyncio.get_running_loop()
    inside = None

    async def call():
        nonlocal inside
        with timer(5) as inside:
            await asyncio.sleep(5)

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    for cancel in (inside._expire, task.cancel) if timer_first else (task.cancel, inside._expire):
        cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert loop.is_running()


async def test_an_error_of_its_own_is_not_hidden_by_the_moment():
    with pytest.raises(LookupError), timer(0.0):  # noqa: PT012
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            raise LookupError from None
    assert asyncio.current_task().cancelling() == 0


async def test_outside_of_a_task_there_is_nothing_to_cancel():
    loop = asyncio.get_running_loop()
    caught = loop.create_future()

    def make():
        try:
            Timer(loop, 0.0)
        except RuntimeError as error:
            caught.set_result(error)

    loop.call_soon(make)
    assert "task" in str(await caught)
