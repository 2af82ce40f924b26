"""This library with everything that it does by default."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager

from perfectpay_async import CardExpiry, PerfectPay

from . import KEY, Calls, Opened


def calls_of(client: PerfectPay) -> Calls:
    methods = client.payment_methods
    expiry = CardExpiry(12, 2031)
    return {
        "update": lambda name: methods.update(f"pm_{name}", expiry=expiry),
        "retrieve": lambda name: methods.retrieve(f"pm_{name}"),
        "list 3": lambda name: methods.list(f"cus_3_{name}"),
        "list 100": lambda name: methods.list(f"cus_100_{name}"),
    }


@asynccontextmanager
async def open_calls(url: str, trust: ssl.SSLContext) -> Opened:
    async with PerfectPay(KEY, base_url=url, ssl_context=trust, max_connections=2_000) as client:
        yield calls_of(client)
