"""A sandbox whose clock stands still, and a caller that is nothing but aiohttp."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from attrs import frozen
from multidict import CIMultiDictProxy

from perfectpay_async.sandbox import Sandbox
from perfectpay_async.sandbox.answers import Answer, Refused

TODAY = datetime(2026, 6, 15, 9, 30, 0, 42_000, tzinfo=UTC)


class Clock:
    """The time of day, which a test may set."""

    def __init__(self) -> None:
        self.now = TODAY

    def __call__(self) -> datetime:
        return self.now


@frozen
class Reply:
    """What came back."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str, str]:
        """Status, name of the field that says the type, and code."""
        error = self.json["error"]
        kind = "type" if "type" in error else "error_type"
        return self.status, kind, error["code"]


@frozen
class Caller:
    """Sends requests to one sandbox."""

    sandbox: Sandbox
    session: aiohttp.ClientSession

    async def __call__(
        self, method: str, path: str, *, api_key: str | None = "", **settings: Any
    ) -> Reply:
        headers = settings.pop("headers", {})
        if api_key is not None:
            headers = {"api-key": api_key or self.sandbox.api_key, **headers}
        async with self.session.request(
            method, self.sandbox.url + path, headers=headers, allow_redirects=False, **settings
        ) as response:
            return Reply(response.status, response.headers, await response.read())

    async def create(self, customer: str = "cus_1", *, top: Any = None, **card: Any) -> Reply:
        """Save a card, in the seed's form unless `top` says otherwise."""
        body = top or {"payment_method_data": {"card": {**CARD, **card}}}
        return await self(
            "POST",
            "/payment_methods",
            json={"payment_method": "card", "customer_id": customer, **body},
        )

    async def update(self, method_id: str, **card: Any) -> Reply:
        return await self(
            "POST",
            f"/payment_methods/{method_id}/update",
            json={"payment_method_data": {"card": card}},
        )

    async def retrieve(self, method_id: str) -> Reply:
        return await self("GET", f"/payment_methods/{method_id}")

    async def list(self, customer: str = "cus_1", query: str = "") -> Reply:
        return await self("GET", f"/customers/{customer}/payment_methods{query}")


CARD = {
    "card_number": "5555 5555 5555 4444",
    "card_exp_month": "3",
    "card_exp_year": "2031",
    "card_cvc": "946",
    "card_holder_name": "Ida Brook",
}


@pytest.fixture
def card() -> dict[str, str]:
    return dict(CARD)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def start(clock) -> AsyncIterator[Callable[..., Any]]:
    """Starts a sandbox and returns a caller of it; both are closed after the test."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> Caller:
            sandbox = await stack.enter_async_context(Sandbox(now=clock, **settings))
            sandbox.seed_customer("cus_1")
            timeout = aiohttp.ClientTimeout(total=60)
            session = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
            return Caller(sandbox, session)

        yield start


@pytest.fixture
async def call(start) -> Caller:
    caller: Caller = await start()
    return caller


@pytest.fixture
def sandbox(call) -> Sandbox:
    sandbox: Sandbox = call.sandbox
    return sandbox


@pytest.fixture
def refusal() -> Callable[..., Answer]:
    """The answer by which a pure function refuses."""

    def refusal(function: Callable[..., Any], *arguments: Any) -> Answer:
        with pytest.raises(Refused) as caught:
            function(*arguments)
        return caught.value.answer

    return refusal


@pytest.fixture
def refused_with(refusal) -> Callable[..., tuple[int, str]]:
    """The status and code by which a pure function refuses."""

    def refused_with(function: Callable[..., Any], *arguments: Any) -> tuple[int, str]:
        answer = refusal(function, *arguments)
        return answer.status, json.loads(answer.body)["error"]["code"]

    return refused_with
