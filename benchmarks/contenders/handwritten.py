"""aiohttp, tenacity and cattrs, put together as people do in an afternoon."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import asynccontextmanager
from functools import partial

import aiohttp
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from . import KEY, UPDATE, Opened, targets
from .models import CONVERTER, Method, Methods


@asynccontextmanager
async def open_calls(url: str, trust: ssl.SSLContext) -> Opened:
    connector = aiohttp.TCPConnector(limit=0, ssl=trust)
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, headers={"api-key": KEY}
    ) as session:

        @retry(
            stop=stop_after_attempt(3),
            wait=wait_random_exponential(multiplier=0.1, max=8),
            retry=retry_if_exception_type((aiohttp.ClientError, TimeoutError)),
        )
        async def call(
            method: str,
            target: Callable[[str], str],
            answer: type[Method | Methods],
            name: str,
        ) -> object:
            body = UPDATE if method == "POST" else None
            async with session.request(method, target(name), json=body) as response:
                response.raise_for_status()
                return CONVERTER.structure(await response.json(), answer)

        yield {
            name: partial(call, *target, Methods if name.startswith("list") else Method)
            for name, target in targets(url).items()
        }
