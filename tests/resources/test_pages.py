"""The end of a list in pages, and what happens when the list changes meanwhile."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfectpay_async.errors import RateLimited, ResponseDecodingError
from perfectpay_async.resources.pages import Pages


class Listed:
    """A list on a server, with the calls that were made."""

    def __init__(self, size, *, cap=1_000):
        self.items = [f"cus_{number}" for number in range(size)]
        self.cap = cap
        self.calls = []
        self.before_call = lambda: None

    async def fetch(self, limit, offset):
        self.calls.append((limit, offset))
        self.before_call()
        return self.items[offset : offset + min(limit, self.cap)]

    def pages(self, *, limit=None, offset=0, page_size=10):
        return Pages(self.fetch, str, limit=limit, offset=offset, page_size=page_size)


async def read(pages, found=None):
    """Return all items; into `found`, where those before a failure stay."""
    found = [] if found is None else found
    async for item in pages:
        found.append(item)
    return found


@settings(max_examples=200)
@given(
    st.integers(0, 60),
    st.integers(1, 12),
    st.integers(1, 12),
    st.none() | st.integers(0, 70),
    st.integers(0, 70),
)
async def test_everything_comes_once_in_order_whatever_the_sizes_are(
    size, page_size, cap, limit, offset
):
    listed = Listed(size, cap=cap)
    wanted = listed.items[offset:] if limit is None else listed.items[offset : offset + limit]
    assert await read(listed.pages(limit=limit, offset=offset, page_size=page_size)) == wanted
    assert len(listed.calls) <= len(wanted) // min(page_size, cap) + 2


async def test_a_page_shorter_than_the_one_before_is_the_last():
    listed = Listed(25)
    await read(listed.pages())
    assert listed.calls == [(10, 0), (10, 10), (10, 20)]


async def test_a_short_first_page_could_be_the_servers_maximum():
    listed = Listed(25, cap=7)
    assert len(await read(listed.pages())) == 25
    few = Listed(3)
    assert len(await read(few.pages())) == 3
    assert few.calls == [(10, 0), (10, 3)]


async def test_no_more_is_asked_for_than_is_wanted():
    listed = Listed(100)
    assert len(await read(listed.pages(limit=13))) == 13
    assert listed.calls == [(10, 0), (3, 10)]
    assert await read(listed.pages(limit=0)) == []
    assert len(listed.calls) == 2


async def test_nothing_is_fetched_before_it_is_asked_for():
    listed = Listed(30)
    pages = listed.pages()
    assert listed.calls == []
    for _ in range(10):
        await anext(pages)
    assert len(listed.calls) == 1


async def test_what_is_put_in_meanwhile_brings_nothing_twice():
    listed = Listed(25)

    def put_in():
        if len(listed.calls) == 2:
            listed.items[:0] = ["cus_new_1", "cus_new_2"]

    listed.before_call = put_in
    found = await read(listed.pages())
    assert found == [f"cus_{number}" for number in range(25)]


async def test_with_a_limit_too_what_came_twice_is_made_up_for():
    listed = Listed(25)
    listed.before_call = lambda: listed.items.insert(0, "new") if len(listed.calls) == 2 else None
    assert await read(listed.pages(limit=13)) == [f"cus_{number}" for number in range(13)]


async def test_after_a_failure_the_next_step_asks_for_the_same_page():
    listed = Listed(25)
    failures = [RateLimited("slow down")]

    def fail_once():
        if len(listed.calls) == 2 and failures:
            raise failures.pop()

    listed.before_call = fail_once
    pages = listed.pages()
    found = []
    with pytest.raises(RateLimited):
        await read(pages, found)
    found += await read(pages)
    assert found == listed.items
    assert listed.calls == [(10, 0), (10, 10), (10, 10), (10, 20)]


async def test_a_server_that_ignores_the_offset_does_not_hold_us_for_ever():
    async def same(limit, offset):
        return ["cus_1", "cus_2"]

    pages = Pages(same, str, limit=None, offset=0, page_size=2)
    found = []
    with pytest.raises(ResponseDecodingError, match="does not honour offset"):
        await read(pages, found)
    assert found == ["cus_1", "cus_2"]


async def test_one_repeat_of_a_small_page_is_no_reason_to_stop():
    listed = Listed(3)
    listed.before_call = lambda: listed.items.insert(0, "new") if len(listed.calls) == 2 else None
    assert await read(listed.pages(page_size=1)) == ["cus_0", "cus_1", "cus_2"]


async def test_at_its_end_it_stays_there():
    pages = Listed(3).pages()
    await read(pages)
    assert await read(pages) == []
