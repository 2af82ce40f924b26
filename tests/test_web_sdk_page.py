"""The Python examples of docs/web-sdk.md, run as they stand: the recipe against the sandbox."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDict

from perfectpay_async import AuthenticationError, PerfectPay, Response
from perfectpay_async.sandbox import Sandbox
from tests.documentation import examples_of

EXAMPLES = examples_of("docs/web-sdk.md")


@pytest.fixture
def recipe():
    """What the examples define, with a session in place of yours."""
    session = {"customer_id": "cus_1"}

    async def session_of(request):
        if request.headers.get("Cookie") != "mine":
            raise web.HTTPUnauthorized
        return session

    names = {"__name__": "shop", "session_of": session_of, "session": session}
    for example in EXAMPLES:
        exec(compile(example, "web-sdk.md", "exec"), names)
    return SimpleNamespace(**names)


async def test_a_key_goes_to_the_customer_who_is_logged_in_and_ends_with_the_session(recipe):
    async with Sandbox() as sandbox:
        sandbox.seed_customer("cus_1")
        async with PerfectPay(sandbox.api_key, base_url=sandbox.url) as client:
            app = recipe.make_app(client)
            async with TestClient(TestServer(app), headers={"Cookie": "mine"}) as browser:
                answer = await browser.post("/account/methods-key")
                handed = await answer.json()
                assert set(handed) == {"ephemeralKey"}
                assert answer.headers["Cache-Control"] == "no-store"
                assert sandbox.api_key not in json.dumps(handed)
                sdk = PerfectPay(handed["ephemeralKey"], base_url=sandbox.url)
                async with sdk:
                    assert len(await sdk.payment_methods.list("cus_1")) == 0
                    assert (await browser.post("/account/log-out")).status == 200
                    with pytest.raises(AuthenticationError):
                        await sdk.payment_methods.list("cus_1")
                stranger = {"Cookie": "forged"}
                refused = await browser.post("/account/methods-key", headers=stranger)
                assert refused.status == 401
                assert (await browser.get("/account/methods-key")).status == 405


async def test_a_payments_client_secret_is_all_that_is_handed_over(recipe):
    class Payments:
        async def send(self, request):
            self.sent = request
            body = {"payment_id": "pay_1", "client_secret": "pay_1_secret_x", "amount": 1999}
            return Response(200, CIMultiDict(), json.dumps(body).encode(), 0.01, request)

        async def close(self, *, drain=0.0):
            pass

    payments = Payments()
    async with PerfectPay("snd_key", environment="sandbox", transport=payments) as client:
        handed = await recipe.payment_session(client, "cus_1", 1999)
    assert handed == {"clientSecret": "pay_1_secret_x"}
    assert payments.sent.url.path == "/payments"
    assert not payments.sent.operation.repeatable
