import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfectpay_async.http.timer import Timer, Timers
from perfectpay_async.testing import VirtualClock


def timer(seconds, timers=None):
    loop = asyncio.get_running_loop()
    return Timer(timers or Timers(), loop, loop.time() + seconds)


def timers_of_the_loop():
    scheduled = asyncio.get_running_loop()._scheduled
    return [handle for handle in scheduled if not handle.cancelled()]


async def test_it_ends_what_takes_too_long_with_a_timeout_error():
    inside = timer(0.01)
    with pytest.raises(TimeoutError), inside:
        await asyncio.sleep(5)
    assert inside.expired
    assert asyncio.current_task().cancelling() == 0


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_a_moment_that_has_passed_ends_the_first_wait(seconds):
    with pytest.raises(TimeoutError), timer(seconds):
        await asyncio.sleep(5)


async def test_in_time_it_does_nothing_and_leaves_no_timer():
    with timer(float("inf")) as inside:
        await asyncio.sleep(0)
    assert not inside.expired
    assert not timers_of_the_loop()


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
    for cancel in (inside.expire, task.cancel) if timer_first else (task.cancel, inside.expire):
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
            Timer(Timers(), loop, 0.0)
        except RuntimeError as error:
            caught.set_result(error)

    loop.call_soon(make)
    assert "task" in str(await caught)


class TestTogether:
    async def test_they_share_one_timer_of_the_loop_set_to_the_first_moment(self):
        timers = Timers()
        loop = asyncio.get_running_loop()
        with timer(50, timers) as late, timer(20, timers) as early, timer(30, timers):
            (handle,) = timers_of_the_loop()
            assert handle.when() == early.when
            early.reschedule(loop.time() + 10)
            (handle,) = timers_of_the_loop()
            assert handle.when() == early.when
            assert timers.running > {late}
        assert not timers_of_the_loop()

    async def test_each_ends_its_own_task_alone(self):
        timers = Timers()
        ended = []

        async def call(name, seconds):
            try:
                with timer(seconds, timers):
                    await asyncio.sleep(200)
                    ended.append(f"{name} in time")
            except TimeoutError:
                ended.append(f"{name} too late")

        with VirtualClock():
            async with asyncio.TaskGroup() as group:
                group.create_task(call("a", 60_000))
                group.create_task(call("b", 50))
                group.create_task(call("c", 10))
        assert ended == ["c too late", "b too late", "a in time"]
        assert not timers_of_the_loop()

    async def test_a_later_moment_is_looked_at_again(self):
        timers = Timers()
        loop = asyncio.get_running_loop()
        with (  # noqa: PT012
            VirtualClock(),
            pytest.raises(TimeoutError),
            timer(10, timers) as inside,
        ):
            inside.reschedule(loop.time() + 50)
            await asyncio.sleep(30)
            assert not inside.expired
            await asyncio.sleep(5_000)


class Handle:
    is_cancelled = False

    def cancel(self):
        self.is_cancelled = True


class Loop:
    """An event loop whose time is moved by hand."""

    def __init__(self):
        self.now = 0.0
        self.alarms = []

    def time(self):
        return self.now

    def call_at(self, when, action, *arguments):
        handle = Handle()
        self.alarms.append((when, handle, action, arguments))
        return handle

    def advance(self, until):
        while alarms := [entry for entry in self.due() if entry[0] <= until]:
            first = min(alarms, key=lambda entry: entry[0])
            self.alarms.remove(first)
            self.now = max(self.now, first[0])
            first[2](*first[3])
        self.now = until

    def due(self):
        return [entry for entry in self.alarms if not entry[1].is_cancelled]


class Watched:
    """Stands for a timer, and notes when it was told that its moment has come."""

    def __init__(self, loop, when):
        self.loop, self.when, self.expired, self.expired_at = loop, when, False, None

    def expire(self):
        self.expired, self.expired_at = True, self.loop.now


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["start", "stop", "advance", "reschedule"]),
            st.integers(0, 9),
            st.one_of(st.integers(-3, 20), st.just(math.inf)),
        ),
        max_size=40,
    )
)
def test_each_goes_off_at_its_moment_and_nothing_is_left(steps):
    loop, timers = Loop(), Timers()
    running = []
    for step, which, seconds in steps:
        if step == "start":
            running.append(Watched(loop, loop.now + seconds))
            timers.start(running[-1])
        elif step == "advance" and 0 < seconds < math.inf:
            loop.advance(loop.now + seconds)
        elif running:
            chosen = running[which % len(running)]
            if step == "stop":
                running.remove(chosen)
                timers.stop(chosen)
            elif step == "reschedule" and not chosen.expired:
                chosen.when = loop.now + seconds
                timers.start(chosen)
        for one in running:
            if one.expired:
                assert one.expired_at >= one.when
            else:  # what has come in this very moment goes off in the next turn of the loop
                assert one.when >= loop.now or any(entry[0] <= loop.now for entry in loop.due())
        assert len(loop.due()) <= 1
    for one in running:
        timers.stop(one)
    assert not loop.due()
