"""This library with five middlewares of a user's, which do nothing but send the request on."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager

from perfectpay_async import Middlewares, Next, PerfectPay, Request, Response

from . import KEY, Opened
from .ours import calls_of


async def nothing(request: Request, call_next: Next) -> Response:
    return await call_next(request)


@asynccontextmanager
async def open_calls(url: str, trust: ssl.SSLContext) -> Opened:
    async with PerfectPay(
        KEY,
        base_url=url,
        ssl_context=trust,
        max_connections=2_000,
        middlewares=Middlewares(call=[nothing] * 3, attempt=[nothing] * 2),
    ) as client:
        yield calls_of(client)
