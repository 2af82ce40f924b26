"""aiohttp_retry round aiohttp, with JSON."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import asynccontextmanager
from functools import partial

import aiohttp
from aiohttp_retry import ExponentialRetry, RetryClient

from . import KEY, UPDATE, Opened, targets


@asynccontextmanager
async def open_calls(url: str, trust: ssl.SSLContext) -> Opened:
    connector = aiohttp.TCPConnector(limit=0, ssl=trust)
    async with aiohttp.ClientSession(connector=connector, headers={"api-key": KEY}) as session:
        client = RetryClient(session, retry_options=ExponentialRetry(attempts=3))

        async def call(method: str, target: Callable[[str], str], name: str) -> object:
            body = UPDATE if method == "POST" else None
            async with client.request(method, target(name), json=body) as response:
                return await response.json()

        yield {name: partial(call, *target) for name, target in targets(url).items()}
