"""aiohttp alone: bytes in, bytes out, nothing parsed. The measure of all others."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import asynccontextmanager
from functools import partial

import aiohttp

from . import HEADERS, UPDATE_BODY, Opened, targets


@asynccontextmanager
async def open_calls(url: str, trust: ssl.SSLContext) -> Opened:
    connector = aiohttp.TCPConnector(limit=0, ssl=trust)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def call(method: str, target: Callable[[str], str], name: str) -> bytes:
            body = UPDATE_BODY if method == "POST" else None
            async with session.request(
                method, target(name), data=body, headers=HEADERS
            ) as response:
                return await response.read()

        yield {name: partial(call, *target) for name, target in targets(url).items()}
