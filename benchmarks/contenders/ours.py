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
        "update": lambda: methods.update("pm_bench", expiry=expiry),
        "retrieve": lambda: methods.retrieve("pm_bench"),
        "list 3": lambda: methods.list("cus_3"),
        "list 100": lambda: methods.list("cus_100"),
    }


@asynccontextmanager
async def open_calls(url: str, trust: ssl.SSLContext) -> Opened:
    async with PerfectPay(KEY, base_url=url, ssl_context=trust, max_connections=2_000) as client:
        yield calls_of(client)
