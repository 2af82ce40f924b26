"""This library with its extra `speed`: orjson reads the JSON."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager

import orjson

from perfectpay_async import PerfectPay

from . import KEY, Opened
from .ours import calls_of


@asynccontextmanager
async def open_calls(url: str, trust: ssl.SSLContext) -> Opened:
    async with PerfectPay(KEY, base_url=url, ssl_context=trust, max_connections=2_000) as client:
        yield calls_of(client, orjson)
