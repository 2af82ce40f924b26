from __future__ import annotations

import asyncio
import threading

import pytest

from perfectpay_async.bulk import BadRow, InputRefused
from perfectpay_async.cli.feed import Feed, PipeFeed

ROWS = [BadRow(number, "x") for number in range(3_000)]


def refused():
    yield ROWS[0]
    raise InputRefused("no")


@pytest.mark.parametrize("kind", [Feed, PipeFeed])
class TestBoth:
    async def test_all_rows_come_in_order(self, kind):
        feed = kind(iter(ROWS))

        assert [row async for row in feed] == ROWS
        assert (feed.stopped, feed.refused) == (False, None)

    async def test_a_refusal_ends_it_and_is_kept(self, kind):
        feed = kind(refused())

        assert [row async for row in feed] == ROWS[:1]
        assert str(feed.refused) == "no"

    async def test_stop_ends_it(self, kind):
        feed = kind(iter(ROWS))
        seen = []

        async for row in feed:
            seen.append(row)
            feed.stop()

        assert seen == ROWS[:1]

    async def test_another_error_is_raised(self, kind):
        def broken():
            yield ROWS[0]
            raise OSError

        with pytest.raises(OSError):
            async for _ in kind(broken()):
                pass


class TestPipe:
    async def test_stop_wakes_who_waits_for_a_row_that_never_comes(self):
        silence = threading.Event()
        feed = PipeFeed(row for row in ROWS if silence.wait(60))
        waiting = asyncio.create_task(anext(feed, None))
        await asyncio.sleep(0.01)

        feed.stop()

        async with asyncio.timeout(5):
            assert await waiting is None
        silence.set()

    async def test_it_does_not_read_far_ahead(self):
        read = []
        feed = PipeFeed(read.append(row) or row for row in ROWS)
        await anext(feed)
        await asyncio.sleep(0.05)

        assert len(read) <= 1_002
        assert [row async for row in feed] == ROWS[1:]
