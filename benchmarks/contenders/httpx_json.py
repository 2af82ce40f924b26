"""httpx with JSON, and nothing else."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import asynccontextmanager
from functools import partial

import httpx

from . import KEY, UPDATE, Opened, targets


@asynccontextmanager
async def open_calls(url: str, trust: ssl.SSLContext) -> Opened:
    limits = httpx.Limits(max_connections=2_000, max_keepalive_connections=2_000)
    async with httpx.AsyncClient(
        verify=trust, limits=limits, timeout=60, headers={"api-key": KEY}
    ) as client:

        async def call(method: str, target: Callable[[str], str], name: str) -> object:
            body = UPDATE if method == "POST" else None
            return (await client.request(method, target(name), json=body)).json()

        yield {name: partial(call, *target) for name, target in targets(url).items()}
