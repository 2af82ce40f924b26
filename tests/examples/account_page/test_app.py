"""The whole application over HTTP, as a browser without scripts sees it."""

import pytest
from aiohttp.test_utils import TestClient, TestServer

from examples.account_page import words
from examples.account_page.app import make_app
from examples.account_page.guard import token_of
from examples.account_page.state import CLIENT, Settings
from examples.account_page.words import Action, Result, code_of, notice_of
from perfectpay_async import ClientClosedError, ConnectError, Middlewares
from perfectpay_async.sandbox import Fault

UPDATE = "payment_methods.update"
EXPIRY = {"month": "03", "year": "2095"}


def notice(action: Action, result: Result) -> str:
    found = notice_of(code_of(action, result))
    assert found is not None
    return found.text


async def test_the_list_shows_brand_digits_and_marks(browser, save_card):
    save_card("4242424242424242", "12", "2092")
    save_card("5555555555554444", "06", "90")
    save_card("378282246310005", "04", "90")
    page = await browser.open("/")
    first, second, third = page.split("<li ")[1:]  # the last saved comes first
    for shown in ("American Express", "0005", "04/2090", ">Expired<"):
        assert shown in first
    for shown in ("Mastercard", "4444", "06/2090", ">Expires soon<"):
        assert shown in second
    for shown in ("Visa", "4242", "12/2092", ">Default<"):
        assert shown in third
    assert "Expire" not in third


async def test_a_customer_without_methods_is_told_so(browser):
    assert "no saved payment methods" in await browser.open("/")
    assert "no saved payment methods" in await browser.open("/checkout")


async def test_a_planted_script_in_a_holders_name_is_text(browser, save_card):
    card_id = save_card(holder="<script>alert(1)</script>")
    for path in ("/", "/checkout", f"/methods/{card_id}/expiry", f"/methods/{card_id}/delete"):
        page = await browser.open(path)
        assert "<script" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


async def test_no_page_holds_a_key_a_token_or_more_of_the_number(
    browser, save_card, perfectpay_sandbox
):
    card_id = save_card()
    for path in ("/", "/checkout", f"/checkout/chosen?method={card_id}"):
        page = await browser.open(path)
        for secret in (perfectpay_sandbox.api_key, "token_", "424242", "_secret_"):
            assert secret not in page


async def test_an_expiry_is_updated_once_and_the_list_says_so_once(
    browser, save_card, perfectpay_ledger
):
    card_id = save_card()
    page = await browser.send("/checkout", f"/methods/{card_id}/expiry", **EXPIRY)
    assert notice(Action.UPDATE, Result.DONE) in page
    assert "03/2095" in page
    assert [write.operation for write in perfectpay_ledger.writes] == [UPDATE]
    assert notice(Action.UPDATE, Result.DONE) not in await browser.open("/")


async def test_a_change_answers_with_a_redirect_to_its_notice(browser, save_card):
    card_id = save_card()
    answer = await browser.client.post(
        f"/methods/{card_id}/expiry",
        data={"csrf_token": await browser.token(), **EXPIRY},
        allow_redirects=False,
    )
    assert (answer.status, answer.headers["Location"]) == (303, "/#notice")


async def test_a_date_that_cannot_be_gets_the_form_again(browser, save_card, perfectpay_ledger):
    path = f"/methods/{save_card()}/expiry"
    for form, sentence in (
        ({"month": "04", "year": "2090"}, words.PAST_EXPIRY),
        ({"month": "x"}, words.NO_EXPIRY),
    ):
        assert sentence in await browser.send(path, path, 422, **form)
    assert perfectpay_ledger.writes == []


async def test_another_method_becomes_the_default(browser, save_card, perfectpay_sandbox):
    save_card()
    other = save_card("5555555555554444")
    page = await browser.send("/checkout", f"/methods/{other}/default")
    assert notice(Action.DEFAULT, Result.DONE) in page
    assert perfectpay_sandbox.store.customers["cus_ida_brook"].default == other


async def test_a_deletion_is_asked_about_and_then_done(browser, save_card, perfectpay_sandbox):
    card_id = save_card()
    path = f"/methods/{card_id}/delete"
    question = await browser.open(path)
    assert "cannot be undone" in question
    assert "It is your default" in question
    assert card_id in perfectpay_sandbox.store.methods
    page = await browser.send(path, path)
    assert notice(Action.DELETE, Result.DONE) in page
    assert card_id not in perfectpay_sandbox.store.methods


async def test_what_is_gone_was_deleted_already(browser, save_card, perfectpay_sandbox):
    save_card()
    card_id = save_card("5555555555554444")
    perfectpay_sandbox.store.delete(card_id)
    page = await browser.send("/checkout", f"/methods/{card_id}/delete")
    assert notice(Action.DELETE, Result.GONE) in page
    page = await browser.send("/checkout", f"/methods/{card_id}/expiry", **EXPIRY)
    assert notice(Action.UPDATE, Result.GONE) in page
    assert words.NOT_FOUND in await browser.open(f"/methods/{card_id}/delete", 404)
    assert words.NOT_FOUND in await browser.open("/elsewhere", 404)


@pytest.mark.parametrize("action", ["expiry", "default", "delete"])
async def test_another_customers_method_is_out_of_reach(
    browser, save_card, perfectpay_ledger, action
):
    save_card()
    other = save_card(customer_id="cus_other")
    page = await browser.send("/checkout", f"/methods/{other}/{action}", **EXPIRY)
    assert "no longer saved" in page or "deleted already" in page
    for path in ("expiry", "delete"):
        await browser.open(f"/methods/{other}/{path}", 404)
    assert perfectpay_ledger.writes == []


@pytest.mark.parametrize("action", ["expiry", "default", "delete"])
@pytest.mark.parametrize(
    "fields",
    [{}, {"csrf_token": ""}, {"csrf_token": "0" * 64}, {"csrf_token": "é\N{PILE OF POO}"}],
    ids=["none", "empty", "wrong", "odd"],
)
async def test_a_form_without_the_token_changes_nothing(
    browser, save_card, perfectpay_ledger, action, fields
):
    save_card()
    other = save_card("5555555555554444")
    await browser.open("/")
    asked = len(perfectpay_ledger.requests)
    answer = await browser.client.post(f"/methods/{other}/{action}", data={**EXPIRY, **fields})
    assert answer.status == 403
    assert words.FORGED in await answer.text()
    assert len(perfectpay_ledger.requests) == asked


async def test_the_token_of_another_session_does_not_fit(
    browser, save_card, settings, perfectpay_ledger
):
    path = f"/methods/{save_card()}/delete"
    await browser.open("/")
    token = token_of(settings.secret, "a" * 43)
    answer = await browser.client.post(path, data={"csrf_token": token})
    assert answer.status == 403
    right = await browser.token()
    browser.client.session.cookie_jar.clear()
    answer = await browser.client.post(path, data={"csrf_token": right})
    assert answer.status == 403
    assert perfectpay_ledger.writes == []


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_no_other_method_gets_past_the_token(browser, method):
    assert (await browser.client.request(method, "/checkout")).status == 403


async def test_no_get_changes_anything(browser, save_card, perfectpay_ledger):
    card_id = save_card()
    for action in ("expiry", "default", "delete"):
        await browser.client.get(f"/methods/{card_id}/{action}", params=EXPIRY)
        await browser.client.head(f"/methods/{card_id}/{action}")
    await browser.client.get("/checkout", params={"method": card_id})
    assert perfectpay_ledger.writes == []
    assert (await browser.client.get(f"/methods/{card_id}/default")).status == 405


async def test_cookies_and_headers_are_strict(make_client):
    settings = Settings(secret=b"s" * 32)
    async with TestClient(TestServer(make_app(settings, make_client))) as client:
        for path, status in (("/", 200), ("/static/account.css", 200), ("/none", 404)):
            answer = await client.get(path)
            assert answer.status == status
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none';")
            assert "unsafe" not in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            if answer.content_type == "text/html":
                assert answer.headers["Cache-Control"] == "no-store"
        cookie = (await client.get("/")).headers["Set-Cookie"]
        for rule in ("HttpOnly", "SameSite=Lax", "Secure", "Path=/"):
            assert rule in cookie.split("; ")


async def test_a_form_that_is_too_large_is_not_read(browser):
    await browser.open("/")
    answer = await browser.client.post("/checkout", data={"csrf_token": "x" * 20_000})
    assert answer.status == 413


@pytest.mark.parametrize(
    ("fault", "result"),
    [
        (Fault.reset_after(operation=UPDATE), Result.UNKNOWN),
        (Fault.status(500, operation=UPDATE), Result.UNKNOWN),
        (Fault.status(400, operation=UPDATE), Result.REFUSED),
        (Fault.status(401, operation=UPDATE), Result.REFUSED),
        (Fault.status(429, operation=UPDATE), Result.BUSY),
    ],
    ids=lambda value: str(getattr(value, "name", value)),
)
async def test_each_outcome_of_a_change_has_its_sentence(
    browser, save_card, perfectpay_sandbox, fault, result
):
    card_id = save_card()
    perfectpay_sandbox.faults.add(fault)
    page = await browser.send("/checkout", f"/methods/{card_id}/expiry", **EXPIRY)
    assert notice(Action.UPDATE, result) in page
    # Whatever is said, the list below it shows what is really there.
    assert ("03/2095" in page) is bool(perfectpay_sandbox.ledger.writes_of(card_id))


async def test_what_never_left_is_said_to_be_so(settings, make_client, save_card):
    async def unplugged(request, call_next):
        if request.operation.method == "DELETE":
            raise ConnectError("no network")
        return await call_next(request)

    def make():
        return make_client(middlewares=Middlewares(attempt=[unplugged]))

    async with TestClient(TestServer(make_app(settings, make))) as client:
        path = f"/methods/{save_card()}/delete"
        form = await (await client.get(path)).text()
        token = form.split('name="csrf_token" value="')[1].split('"')[0]
        answer = await client.post(path, data={"csrf_token": token})
        assert notice(Action.DELETE, Result.NOT_SENT) in await answer.text()


@pytest.mark.parametrize("fault", [Fault.reset_before, Fault.bad_json], ids=lambda f: f.__name__)
async def test_a_failed_read_changed_nothing_whatever_was_asked(
    browser, save_card, perfectpay_faults, perfectpay_ledger, fault
):
    card_id = save_card()
    token = await browser.token()
    perfectpay_faults.add(fault(operation="payment_methods.list"))
    for path in ("/", "/checkout", f"/methods/{card_id}/delete"):
        assert words.CANNOT_READ in await browser.open(path, 503)
    answer = await browser.client.post(f"/methods/{card_id}/delete", data={"csrf_token": token})
    assert answer.status == 503
    assert words.CANNOT_READ in await answer.text()
    assert perfectpay_ledger.writes == []


async def test_a_defect_of_ours_gets_a_page_too(browser, monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError("a defect")

    monkeypatch.setattr("examples.account_page.pages.checkout_page", broken)
    page = await browser.open("/checkout", 500)
    assert words.OUR_FAULT in page
    assert "a defect" not in page
    assert "RuntimeError: a defect" in caplog.text


async def test_the_picker_offers_the_default_and_takes_a_choice(browser, save_card):
    save_card()
    other = save_card("5555555555554444")
    past = save_card("378282246310005", "04", "90")
    page = await browser.open("/checkout")
    chosen = [field for field in page.split("<input ") if "checked" in field]
    assert len(chosen) == 1
    assert "4242" in chosen[0]
    (expired,) = (field for field in page.split("<input ") if past in field.split(">")[0])
    assert " disabled" in expired.split(">")[0]
    page = await browser.send("/checkout", "/checkout", method=other)
    assert "Mastercard" in page
    assert "security code of this card" in page


async def test_the_picker_takes_nothing_else(browser, save_card):
    save_card()
    other = save_card(customer_id="cus_other")
    past = save_card("378282246310005", "04", "90")
    for fields, sentence in (
        ({}, words.NO_CHOICE),
        ({"method": other}, words.CHOICE_IS_GONE),
        ({"method": past}, words.EXPIRED_CHOICE),
    ):
        assert sentence in await browser.send("/checkout", "/checkout", 422, **fields)
        if fields:
            assert sentence in await browser.open(
                f"/checkout/chosen?method={fields['method']}", 422
            )


async def test_a_planted_notice_is_ignored(browser, save_card):
    save_card()
    browser.client.session.cookie_jar.update_cookies(
        {"notice": "<script>"}, browser.client.make_url("/")
    )
    assert 'id="notice"' not in await browser.open("/")


async def test_the_application_has_one_client_and_closes_it(settings, make_client):
    made = []

    def make():
        made.append(make_client())
        return made[-1]

    app = make_app(settings, make)
    async with TestClient(TestServer(app)) as client:
        await client.get("/")
        await client.get("/checkout")
        assert made == [app[CLIENT]]
    with pytest.raises(ClientClosedError):
        await made[0].payment_methods.list("cus_1")
