"""The recipe of each web framework, on a real socket, in front of a sandbox with faults."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager

import aiohttp
import pytest

from perfectpay_async import PerfectPay
from perfectpay_async.sandbox import Fault

UPDATE = "payment_methods.update"
LIST = "payment_methods.list"


@pytest.fixture
def shop(web_recipe):
    server, session = web_recipe

    @asynccontextmanager
    async def open_shop():
        async with server as url, aiohttp.ClientSession(url) as browser:

            async def put(card_id, expiry="12/2036", headers=session):
                path = f"/account/cards/{card_id}/expiry"
                async with browser.put(path, json={"expiry": expiry}, headers=headers) as answer:
                    body = await answer.json() if "json" in answer.content_type else {}
                    return answer.status, body, answer.headers

            yield put

    return open_shop


@pytest.fixture
def opened(monkeypatch):
    """The clients that a recipe opens, and those that it has closed."""
    clients = {"opened": [], "closed": []}
    from_env, close = PerfectPay.from_env.__func__, PerfectPay.close

    def open_one(cls, **settings):
        clients["opened"].append(client := from_env(cls, **settings))
        return client

    async def close_one(client, **options):
        clients["closed"].append(client)
        await close(client, **options)

    monkeypatch.setattr(PerfectPay, "from_env", classmethod(open_one))
    monkeypatch.setattr(PerfectPay, "close", close_one)
    return clients


async def test_one_client_serves_all_requests_and_ends_with_the_server(
    shop, card_id, opened, perfectpay_ledger
):
    async with shop() as put:
        for year in range(36, 40):
            status, body, _ = await put(card_id, f"12/{year}")
            assert (status, body["expiry"]) == (200, f"12/20{year}")
        assert len(opened["opened"]) == 1
        assert opened["closed"] == []
    assert opened["closed"] == opened["opened"]
    assert perfectpay_ledger.expiry_of(card_id) == ("12", "39")


async def test_only_the_customer_who_is_logged_in_and_only_own_cards(
    shop, card_id, perfectpay_sandbox, perfectpay_ledger
):
    (somebody_elses,) = perfectpay_sandbox.seed_cards(1)
    async with shop() as put:
        status, _, _ = await put(card_id, headers={})
        assert status in {401, 403}  # Django sees the missing CSRF token first
        status, body, _ = await put(somebody_elses)
        assert (status, body["error"]) == (404, "There is no such card.")
        status, body, _ = await put("pm_made_up")
        assert status == 404
    assert perfectpay_ledger.writes == []


@pytest.mark.parametrize(
    ("fault", "status", "outcome"),
    [
        (Fault.reset_after(operation=UPDATE), 502, "unknown"),
        (Fault.stall(operation=UPDATE), 504, "unknown"),
        (Fault.status(503, operation=LIST), 503, "unknown"),
        (Fault.status(429, retry_after=90, operation=UPDATE), 503, "refused"),
        (Fault.status(400, operation=UPDATE), 422, "refused"),
        (Fault.status(401, operation=LIST), 500, "refused"),
    ],
    ids=lambda fault: getattr(fault, "name", None),
)
async def test_what_a_failure_means_is_said(
    shop,
    card_id,
    perfectpay_faults,
    perfectpay_sandbox,
    monkeypatch,
    caplog,
    fault,
    status,
    outcome,
):
    if fault.kind == "stall":
        monkeypatch.setattr("examples.recipes.renewal.SECONDS", 2.0)
    perfectpay_faults.add(fault)
    caplog.set_level(logging.DEBUG)
    async with shop() as put:
        code, body, headers = await put(card_id)
    assert (code, body["outcome"]) == (status, outcome)
    assert ("may have been done" in body["error"]) == (code in {502, 504})
    assert headers.get("Retry-After") == (
        "90" if fault.retry_after else "1" if code == 503 else None
    )
    own = [record for record in caplog.records if record.name == "shop.cards"]
    assert len(own) == 1
    for secret in (perfectpay_sandbox.api_key, card_id):
        assert secret not in "".join(map(str, (vars(record) for record in own))) + str(body)


async def test_bad_input_names_the_rule_and_not_the_value(shop, card_id, perfectpay_ledger):
    async with shop() as put:
        status, body, _ = await put(card_id, "4242424242424242")
    assert status == 422
    assert "MM/YY" in body["error"]
    assert "4242" not in str(body)
    assert perfectpay_ledger.requests == []
