"""The FastAPI variant of docs/account-page.md, run as it stands."""

from __future__ import annotations

import httpx
import pytest

from examples.account_page import guard, words
from examples.account_page.words import Action, Result, code_of, notice_of
from perfectpay_async.sandbox import Fault
from tests.documentation import examples_of

CUSTOMER = "cus_ida_brook"
SESSION = "a" * 43
EXPIRY = {"month": "03", "year": "2095"}


@pytest.fixture
async def shop(perfectpay_env, monkeypatch):
    """A browser that is signed in to the FastAPI application."""
    monkeypatch.setenv("FORM_SECRET", "73" * 32)
    (source,) = examples_of("docs/account-page.md")
    names = {"__name__": "shop", "session_of": lambda: (SESSION, CUSTOMER)}
    exec(compile(source, "account-page.md", "exec"), names)
    app = names["app"]
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="https://shop.test") as browser,
    ):
        yield browser


def token_of_form():
    return {guard.FIELD: guard.token_of(b"s" * 32, SESSION)}


@pytest.mark.parametrize(
    ("action", "path"),
    [(Action.UPDATE, "expiry"), (Action.DEFAULT, "default"), (Action.DELETE, "delete")],
)
async def test_each_change_is_made_once_and_told_once(
    shop, save_card, perfectpay_ledger, action, path
):
    token = token_of_form()
    save_card()
    card_id = save_card("5555555555554444", holder="<script>")
    answer = await shop.post(f"/methods/{card_id}/{path}", data={**token, **EXPIRY})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/#notice")
    assert [write.payment_method_id for write in perfectpay_ledger.writes] == [card_id]
    page = await shop.get("/")
    assert notice_of(code_of(action, Result.DONE)).text in page.text
    assert "<script" not in page.text
    assert token[guard.FIELD] in page.text or "<form" not in page.text
    assert 'id="notice"' not in (await shop.get("/")).text


async def test_no_form_is_taken_without_its_token(shop, save_card, perfectpay_ledger):
    card_id = save_card()
    for data in ({}, {guard.FIELD: "0" * 64}):
        answer = await shop.post(f"/methods/{card_id}/delete", data=data)
        assert answer.status_code == 403
        assert words.FORGED in answer.text
    assert perfectpay_ledger.requests == []


async def test_questions_are_asked_about_own_methods_alone(shop, save_card):
    own, other = save_card(), save_card(customer_id="cus_other")
    for question in ("expiry", "delete"):
        assert "4242" in (await shop.get(f"/methods/{own}/{question}")).text
        assert (await shop.get(f"/methods/{other}/{question}")).status_code == 404
    assert (await shop.get(f"/methods/{own}/elsewhere")).status_code == 404


async def test_what_cannot_be_done_is_said(shop, save_card, perfectpay_faults):
    token, card_id = token_of_form(), save_card()
    path = f"/methods/{card_id}/expiry"
    answer = await shop.post(path, data={**token, "month": "01", "year": "2020"})
    assert (answer.status_code, words.PAST_EXPIRY in answer.text) == (422, True)
    perfectpay_faults.add(Fault.bad_json(operation="payment_methods.update"))
    await shop.post(path, data={**token, **EXPIRY})
    unknown = notice_of(code_of(Action.UPDATE, Result.UNKNOWN))
    assert unknown.text in (await shop.get("/")).text
    perfectpay_faults.add(Fault.bad_json(operation="payment_methods.list"))
    answer = await shop.get("/")
    assert (answer.status_code, words.CANNOT_READ in answer.text) == (503, True)


async def test_its_answers_have_the_headers_and_its_style_sheet_is_there(shop, save_card):
    save_card()
    page = await shop.get("/")
    assert page.headers.items() >= {k.lower(): v for k, v in guard.HEADERS.items()}.items()
    assert page.headers["Cache-Control"] == "no-store"
    assert (await shop.get("/static/account.css")).status_code == 200
