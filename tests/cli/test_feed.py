from __future__ import annotations

import pytest

from perfectpay_async.bulk import BadRow, InputRefused
from perfectpay_async.cli.feed import Feed

ROWS = [BadRow(number, "x") for number in range(3_000)]


def ended_by(error):
    yield ROWS[0]
    raise error


async def test_all_rows_come_in_order():
    feed = Feed(iter(ROWS))

    assert [row async for row in feed] == ROWS
    assert (feed.stopped, feed.refused) == (False, None)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (InputRefused("no"), "no"),
        (
            OSError(5, "Input/output error"),
            "the rest of the input cannot be read: Input/output error",
        ),
    ],
)
async def test_a_refusal_ends_it_and_is_kept(error, sentence):
    feed = Feed(ended_by(error))

    assert [row async for row in feed] == ROWS[:1]
    assert str(feed.refused) == sentence


async def test_stop_ends_it():
    feed = Feed(iter(ROWS))
    seen = []

    async for row in feed:
        seen.append(row)
        feed.stop()

    assert seen == ROWS[:1]


async def test_another_error_is_raised():
    with pytest.raises(ZeroDivisionError):
        async for _ in Feed(ended_by(ZeroDivisionError())):
            pass
