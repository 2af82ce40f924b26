"""aioresponses, for tests that mock at the level of aiohttp."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Self

import aiohttp
from aioresponses import aioresponses


class MockedApi(aioresponses):
    """`aioresponses` on every supported aiohttp.

    aioresponses 0.7.9 makes answers that aiohttp 3.14 does not take: each needs the writer of the
    request. This supplies it, also for answers that a callback makes. All else is as its
    documentation says.

    Examples:
        >>> async def main():
        ...     with MockedApi() as api:
        ...         api.get("https://sandbox.perfectpay.ai/payment_methods/pm_1", status=503)
    """

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def add(self, *args: Any, **settings: Any) -> None:
        """Mock an address. See `aioresponses.add`; `get`, `post` and the others come here."""
        settings.setdefault("response_class", _Response)
        if settings.get("callback") is not None:
            settings["callback"] = _completing(settings["callback"])
        super().add(*args, **settings)  # pyright: ignore[reportUnknownMemberType] - its own types


class _Response(aiohttp.ClientResponse):
    """An answer that has got all that its aiohttp asks for."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        if _TAKES_WRITER:
            settings.setdefault("stream_writer", SimpleNamespace(output_size=0))
        super().__init__(*args, **settings)


_TAKES_WRITER = "stream_writer" in inspect.signature(aiohttp.ClientResponse).parameters


def _completing(callback: Callable[..., Any]) -> Callable[..., Any]:
    async def completed(*args: Any, **settings: Any) -> Any:
        result = callback(*args, **settings)
        if inspect.isawaitable(result):
            result = await result
        if result is not None and result.response_class is None:
            result.response_class = _Response
        return result

    return completed
