"""The account page on a sandbox whose clock stands still, and the cards in it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from tenacity import wait_none

from examples.account_page.app import make_app
from examples.account_page.sign_in import CUSTOMER_ID
from examples.account_page.state import Settings
from perfectpay_async import CardDetails, CustomerPaymentMethod, PerfectPay, RetryPolicy
from perfectpay_async.sandbox import Sandbox

TODAY = date(2090, 5, 15)
SECRET = b"s" * 32


@pytest.fixture
def today() -> date:
    return TODAY


@pytest.fixture
def settings() -> Settings:
    return Settings(secret=SECRET, secure_cookies=False, today=lambda: TODAY)


@pytest.fixture
def perfectpay_sandbox_options():
    return {"now": lambda: datetime(2090, 5, 15, 12, tzinfo=UTC)}


@pytest.fixture
def save_card(perfectpay_sandbox: Sandbox) -> Callable[..., str]:
    """Saves a card of a customer in the sandbox and returns its id."""

    def save(
        number: str = "4242424242424242",
        month: str = "12",
        year: str = "2092",
        holder: str = "Ida Brook",
        customer_id: str = CUSTOMER_ID,
    ) -> str:
        perfectpay_sandbox.seed_customer(customer_id)
        store = perfectpay_sandbox.store
        card = store.vault(number, month, year, holder=holder)
        return store.save(store.customer(customer_id), "card", "credit", card).id

    return save


@pytest.fixture
def make_client(perfectpay_sandbox: Sandbox) -> Callable[..., PerfectPay]:
    """Makes clients on the sandbox that do not wait between attempts."""

    def make(**more) -> PerfectPay:
        retry = RetryPolicy(wait=wait_none())
        return PerfectPay(
            perfectpay_sandbox.api_key, base_url=perfectpay_sandbox.url, retry=retry, **more
        )

    return make


class Browser:
    """What a browser without scripts does: follows redirects, keeps cookies, sends forms."""

    def __init__(self, client: TestClient[web.Request, web.Application]) -> None:
        self.client = client

    async def open(self, path: str, status: int = 200) -> str:
        return await self._text(await self.client.get(path), status)

    async def send(self, page: str, path: str, status: int = 200, /, **fields: str) -> str:
        """Open a page and send its form, with the token that is in it."""
        fields = {"csrf_token": await self.token(page), **fields}
        return await self._text(await self.client.post(path, data=fields), status)

    async def token(self, page: str = "/checkout") -> str:
        found = re.search(r'name="csrf_token" value="(\w+)"', await self.open(page))
        assert found
        return found[1]

    async def _text(self, answer: ClientResponse, status: int) -> str:
        assert answer.status == status, await answer.text()
        assert "script" not in answer.headers["Content-Security-Policy"]
        return await answer.text()


@pytest.fixture
async def browser(make_client, settings) -> AsyncIterator[Browser]:
    async with TestClient(TestServer(make_app(settings, make_client))) as client:
        yield Browser(client)


@pytest.fixture
def make_method() -> Callable[..., CustomerPaymentMethod]:
    """Makes a saved card as a list shows it."""

    def make(
        month: str | None = "12", year: str | None = "2092", **fields
    ) -> CustomerPaymentMethod:
        card = {"last4_digits": "4242", "card_network": "Visa", **fields.pop("card", {})}
        details = CardDetails(expiry_month=month, expiry_year=year, **card)
        return CustomerPaymentMethod(**{"payment_method_id": "pm_1", "card": details, **fields})

    return make
