"""A list that comes in pages, as an async iterator."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, Generic, Self, TypeVar

from perfectpay_async.errors import ResponseDecodingError

T = TypeVar("T")

# As many items as a page has may have been put into the list meanwhile, if the pages are small.
_MOST_REPEATS: Final = 2


class Pages(AsyncIterator[T], Generic[T]):
    """Iterates over a list by limit and offset, and holds one page at a time.

    A page is fetched when its first item is asked for. When that fails, the error is raised, and
    the next step fetches the same page again: nothing is skipped. The end is an empty page, or one
    that is shorter than one before it; a first page that is merely shorter than asked for could
    come from a server with a smaller maximum, so it is not the end.

    Args:
        fetch: Returns the page of at most so many items (first argument) from an offset (second).
        identify: Returns an item's id.
        limit: At most so many items; None for all.
        offset: How many items to pass over first.
        page_size: How many items to ask for at once.
    """

    def __init__(
        self,
        fetch: Callable[[int, int], Awaitable[Sequence[T]]],
        identify: Callable[[T], str],
        *,
        limit: int | None,
        offset: int,
        page_size: int,
    ) -> None:
        self._fetch = fetch
        self._identify = identify
        self._left = limit
        self._offset = offset
        self._page_size = page_size
        self._page: deque[T] = deque()
        self._ids: frozenset[str] = frozenset()
        self._longest = 0
        self._repeats = 0
        self._ended = limit == 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._page and not self._ended:
            await self._turn()
        if not self._page:
            raise StopAsyncIteration
        item = self._page.popleft()
        if self._left is not None:
            self._left -= 1
            if not self._left:
                self._ended = True
                self._page.clear()
        return item

    async def _turn(self) -> None:
        """Fetch the next page."""
        wanted = self._page_size if self._left is None else min(self._left, self._page_size)
        items = await self._fetch(wanted, self._offset)
        ids = frozenset(map(self._identify, items))
        self._repeats = self._repeats + 1 if items and ids == self._ids else 0
        if self._repeats > _MOST_REPEATS:
            raise ResponseDecodingError(
                "the server answers with the same page again and again: it does not honour offset, "
                "and the rest of the list cannot be reached"
            )
        self._ended = not items or len(items) < min(wanted, self._longest)
        self._longest = max(self._longest, len(items))
        self._offset += len(items)
        # When something was put into the list meanwhile, the end of the last page comes again.
        self._page.extend(item for item in items if self._identify(item) not in self._ids)
        self._ids = ids
