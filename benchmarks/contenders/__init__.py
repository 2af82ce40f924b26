"""One small module for each contender.

A contender is made by `open(url, trust)`, an async context manager that gives its calls by the name
of the operation. A call is given a name that is part of the id of the card or customer, another one
each time. A module whose library is missing fails to import, and its name is listed as skipped.
"""

from __future__ import annotations

import importlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final, NamedTuple, TypeAlias

Call: TypeAlias = Callable[[str], Awaitable[object]]
Calls: TypeAlias = Mapping[str, Call]
Opened: TypeAlias = AsyncIterator[Calls]

KEY: Final = "snd_bench"
HEADERS: Final = {"api-key": KEY, "Content-Type": "application/json"}
UPDATE: Final = {"payment_method_data": {"card": {"card_exp_month": "12", "card_exp_year": "31"}}}
UPDATE_BODY: Final = (
    b'{"payment_method_data":{"card":{"card_exp_month":"12","card_exp_year":"31"}}}'
)
OPERATIONS: Final = ("update", "retrieve", "list 3", "list 100")


def targets(url: str) -> dict[str, tuple[str, Callable[[str], str]]]:
    """Method of each operation, and what makes its URL out of a name."""
    return {
        "update": ("POST", lambda name: f"{url}/payment_methods/pm_{name}/update"),
        "retrieve": ("GET", lambda name: f"{url}/payment_methods/pm_{name}"),
        "list 3": ("GET", lambda name: f"{url}/customers/cus_3_{name}/payment_methods"),
        "list 100": ("GET", lambda name: f"{url}/customers/cus_100_{name}/payment_methods"),
    }


class Contender(NamedTuple):
    """A way to call the API."""

    label: str
    open: Callable[[str, ssl.SSLContext], AbstractAsyncContextManager[Calls]]


# The first one is what all others are divided by.
_MODULES: Final = {
    "raw aiohttp": "raw_aiohttp",
    "raw aiohttp + json": "raw_aiohttp_json",
    "perfectpay_async": "ours",
    "perfectpay_async[speed]": "ours_with_speed",
    "perfectpay_async, 5 middlewares more": "ours_with_middlewares",
    "aiohttp + tenacity + cattrs": "handwritten",
    "aiohttp_retry": "aiohttp_retry_json",
    "httpx": "httpx_json",
    "stripe-python on aiohttp": "stripe_on_aiohttp",
    "stripe-python on httpx": "stripe_on_httpx",
    "openapi-python-client": "generated",
}
BASELINE: Final = next(iter(_MODULES))


def load() -> tuple[list[Contender], dict[str, str]]:
    """Return the contenders that are installed, and what the others lack."""
    found: list[Contender] = []
    skipped: dict[str, str] = {}
    for label, module in _MODULES.items():
        try:
            found.append(
                Contender(label, importlib.import_module(f"{__name__}.{module}").open_calls)
            )
        except ImportError as error:
            skipped[label] = str(error)
    return found, skipped
