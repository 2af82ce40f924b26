"""This library with everything that it does by default; the standard library reads the JSON."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

from perfectpay_async import CardExpiry, PerfectPay, jsontext

from . import KEY, Call, Calls, Opened


def calls_of(client: PerfectPay, orjson: Any = None) -> Calls:
    """Return the calls of a client; what reads JSON is the same for all clients of a process."""
    methods = client.payment_methods
    expiry = CardExpiry(12, 2031)
    settings = vars(jsontext)

    def reading(call: Callable[[str], Any]) -> Call:
        def chosen(name: str) -> Any:
            settings["orjson"] = orjson
            return call(name)

        return chosen

    return {
        "update": reading(lambda name: methods.update(f"pm_{name}", expiry=expiry)),
        "retrieve": reading(lambda name: methods.retrieve(f"pm_{name}")),
        "list 3": reading(lambda name: methods.list(f"cus_3_{name}")),
        "list 100": reading(lambda name: methods.list(f"cus_100_{name}")),
    }


@asynccontextmanager
async def open_calls(url: str, trust: ssl.SSLContext) -> Opened:
    async with PerfectPay(KEY, base_url=url, ssl_context=trust, max_connections=2_000) as client:
        yield calls_of(client)
