"""stripe-python's async client on its httpx transport."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from typing import Any

import httpx  # noqa: F401 - without it there is no such transport
import stripe

from . import Opened
from .stripe_calls import calls_of


@asynccontextmanager
async def open_calls(url: str, trust: ssl.SSLContext) -> Opened:  # noqa: ARG001 - not over TLS
    http_client: Any = stripe.HTTPXClient(timeout=60)
    try:
        yield calls_of(url, http_client)
    finally:
        await http_client.close_async()
