"""A PerfectPay without a socket, for tests of how a run is driven."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from multidict import CIMultiDict

from perfectpay_async import PerfectPay, Request, Response, WaitFullJitter

Answer = Callable[["Api", str], Awaitable[int]]


async def _ok(_api: Api, _card: str) -> int:
    return 200


class Api:
    """A transport that answers updates itself and notes what it was asked.

    `answer` is awaited for every request and returns its status; `retry-after: 0` goes with a 429.
    """

    def __init__(self) -> None:
        self.answer: Answer = _ok
        self.message = "no"
        self.updates: list[tuple[str, str]] = []
        self.keys: list[tuple[str, str]] = []
        self.flying: Counter[str] = Counter()
        self.most_flying = 0
        self.most_flying_per_card = 0

    async def send(self, request: Request) -> Response:
        card = request.url.path.split("/")[-2]
        assert request.body is not None
        expiry = json.loads(request.body)["payment_method_data"]["card"]
        self.keys.append((card, request.headers["Idempotency-Key"]))
        self.flying[card] += 1
        self.most_flying = max(self.most_flying, self.flying.total())
        self.most_flying_per_card = max(self.most_flying_per_card, self.flying[card])
        try:
            await asyncio.sleep(0)
            status = await self.answer(self, card)
        finally:
            self.flying[card] -= 1
        if status == 200:
            self.updates.append((card, f"{expiry['card_exp_month']}/{expiry['card_exp_year']}"))
            body = {"payment_method_id": card, "merchant_id": "m", "recurring_enabled": False}
        else:
            body = {"error": {"type": "invalid_request", "code": "XX_00", "message": self.message}}
        return Response(
            status,
            CIMultiDict({"x-request-id": f"req-{len(self.keys)}", "retry-after": "0"}),
            json.dumps(body).encode(),
            0.0,
            request,
        )

    async def close(self, *, drain: float = 0.0) -> None:
        pass


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
async def client(api: Api) -> AsyncIterator[PerfectPay]:
    async with PerfectPay("snd_test", base_url="http://127.0.0.1:9", transport=api) as client:
        yield client


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is repeated is repeated at once."""
    monkeypatch.setattr(WaitFullJitter, "bound", lambda _wait, _state: 0.001)
