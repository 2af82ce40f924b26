"""The shape of every request, and every form of success, without a socket."""

import json
import logging
import pickle
import re
import traceback
from datetime import date

import pytest
from yarl import URL

from perfectpay_async import (
    Address,
    AddressDetails,
    ApiError,
    BadRequest,
    CardExpiry,
    ConnectionLostError,
    InvalidRequestError,
    NewCard,
    NotFound,
    Outcome,
    PerfectPay,
    PerfectPayError,
    RequestOptions,
    ResponseDecodingError,
    RetryPolicy,
    RouteNotFound,
    ServerError,
)
from perfectpay_async.resources import payment_methods

ROOT = "http://127.0.0.1:9/api"
KEY = "snd_planted_83613"
PAN = "4539578763621486"
CVC = "8361"
# Four digits turn up in times and addresses by chance: looked for is a number of its own, or a
# pickled string.
CVC_OF_ITS_OWN = re.compile(rf"(?<![\w.:-]){CVC}(?![\w-])|\\x04{CVC}")

SAVED = {
    "merchant_id": "merchant_77",
    "payment_method_id": "pm_7hQ2",
    "payment_method": "card",
    "payment_method_type": None,
    "customer_id": "cus_9",
    "card": {"last4_digits": "1486", "expiry_month": "4", "expiry_year": "2032"},
    "client_secret": "pm_7hQ2_secret_planted83613",
    "created": "2031-01-02T03:04:05.678Z",
}


@pytest.fixture
async def client(monkeypatch):
    monkeypatch.setattr(payment_methods, "today", lambda: date(2026, 5, 17))
    retry = RetryPolicy(wait=lambda state: 0.0)
    async with PerfectPay(KEY, base_url=ROOT, retry=retry) as client:
        yield client


@pytest.fixture
def card():
    return NewCard(PAN, CardExpiry(4, 2032), cvc=CVC, holder_name="Ada Moss")


def requests_of(mocked_api, method, path):
    return mocked_api.requests[(method, URL(ROOT + path))]


def body_of(mocked_api, method, path):
    (call,) = requests_of(mocked_api, method, path)
    return json.loads(call.kwargs["data"].decode())


class TestCreate:
    async def test_perfectpay_puts_the_card_under_payment_method_data(
        self, client, card, mocked_api
    ):
        mocked_api.post(f"{ROOT}/payment_methods", payload=SAVED)
        saved = await client.payment_methods.create(
            "cus_9",
            card,
            payment_method_type="credit",
            metadata={"plan": "gold"},
            billing=Address(address=AddressDetails(city="Bern", country="CH")),
        )
        assert body_of(mocked_api, "POST", "/payment_methods") == {
            "customer_id": "cus_9",
            "payment_method": "card",
            "payment_method_type": "credit",
            "metadata": {"plan": "gold"},
            "billing": {"address": {"city": "Bern", "country": "CH"}},
            "payment_method_data": {
                "card": {
                    "card_number": PAN,
                    "card_exp_month": "04",
                    "card_exp_year": "32",
                    "card_cvc": CVC,
                    "card_holder_name": "Ada Moss",
                }
            },
        }
        assert saved.payment_method_id == "pm_7hQ2"
        assert saved.card.expiry == CardExpiry(4, 2032)
        assert saved.response.status == 200

    async def test_hyperswitch_puts_it_at_the_top(self, card, mocked_api):
        mocked_api.post(f"{ROOT}/payment_methods", payload=SAVED)
        async with PerfectPay(KEY, base_url=ROOT, dialect="hyperswitch") as client:
            await client.payment_methods.create("cus_9", card)
        body = body_of(mocked_api, "POST", "/payment_methods")
        assert body["card"]["card_number"] == PAN
        assert "payment_method_data" not in body

    async def test_the_headers(self, client, card, mocked_api):
        mocked_api.post(f"{ROOT}/payment_methods", payload=SAVED)
        await client.payment_methods.create("cus_9", card)
        (call,) = requests_of(mocked_api, "POST", "/payment_methods")
        headers = call.kwargs["headers"]
        assert headers["api-key"] == KEY
        assert headers["Content-Type"] == "application/json"
        assert headers["Idempotency-Key"]
        assert "Authorization" not in headers
        assert call.kwargs["allow_redirects"] is False

    async def test_the_key_of_the_caller_is_the_idempotency_key(self, client, card, mocked_api):
        mocked_api.post(f"{ROOT}/payment_methods", status=429)
        mocked_api.post(f"{ROOT}/payment_methods", payload=SAVED)
        options = RequestOptions(idempotency_key="order-17")
        await client.payment_methods.create("cus_9", card, options=options)
        calls = requests_of(mocked_api, "POST", "/payment_methods")
        assert [call.kwargs["headers"]["Idempotency-Key"] for call in calls] == ["order-17"] * 2

    @pytest.mark.parametrize("status", [500, 503])
    async def test_it_is_not_repeated_when_it_may_have_been_applied(
        self, client, card, mocked_api, status
    ):
        mocked_api.post(f"{ROOT}/payment_methods", status=status, repeat=True)
        with pytest.raises(ServerError) as caught:
            await client.payment_methods.create("cus_9", card)
        assert len(requests_of(mocked_api, "POST", "/payment_methods")) == 1
        assert caught.value.outcome is Outcome.UNKNOWN
        assert "not repeated, because that could do it twice" in str(caught.value)


class TestRetrieve:
    async def test_the_route_and_the_entity(self, client, mocked_api):
        mocked_api.get(f"{ROOT}/payment_methods/pm_7hQ2", payload=SAVED)
        method = await client.payment_methods.retrieve("pm_7hQ2")
        assert method.card.last4 == "1486"
        assert method.payment_method_type is None
        (call,) = requests_of(mocked_api, "GET", "/payment_methods/pm_7hQ2")
        assert call.kwargs["data"] is None
        assert "Idempotency-Key" not in call.kwargs["headers"]
        assert "Content-Type" not in call.kwargs["headers"]

    async def test_an_id_is_one_segment_of_the_path(self, client, mocked_api):
        url = URL(f"{ROOT}/payment_methods/%C3%A9%3A1", encoded=True)
        mocked_api.get(url, payload={"payment_method_id": "é:1"})
        assert (await client.payment_methods.retrieve("é:1")).payment_method_id == "é:1"

    async def test_an_answer_for_another_id_is_refused(self, client, mocked_api):
        mocked_api.get(f"{ROOT}/payment_methods/pm_1", payload=SAVED)
        with pytest.raises(ResponseDecodingError, match="the id that was asked for"):
            await client.payment_methods.retrieve("pm_1")

    async def test_it_is_repeated(self, client, mocked_api):
        mocked_api.get(f"{ROOT}/payment_methods/pm_7hQ2", status=503)
        mocked_api.get(f"{ROOT}/payment_methods/pm_7hQ2", payload=SAVED)
        method = await client.payment_methods.retrieve("pm_7hQ2")
        assert [attempt.status for attempt in method.response.earlier_attempts] == [503]

    async def test_a_200_that_carries_an_error_is_an_error(self, client, mocked_api):
        error = {"error": {"type": "blocked", "code": "HE_03", "message": "on the blocklist"}}
        mocked_api.get(f"{ROOT}/payment_methods/pm_7hQ2", payload=error)
        with pytest.raises(ApiError, match="on the blocklist") as caught:
            await client.payment_methods.retrieve("pm_7hQ2")
        assert (caught.value.status, caught.value.code) == (200, "HE_03")
        assert caught.value.outcome is Outcome.UNKNOWN

    @pytest.mark.parametrize("body", [b"", b"null", b"[]", b"7", b"<html>", b'{"card": NaN}'])
    async def test_a_200_with_something_else_is_an_error(self, client, mocked_api, body):
        mocked_api.get(f"{ROOT}/payment_methods/pm_7hQ2", body=body)
        with pytest.raises(ResponseDecodingError) as caught:
            await client.payment_methods.retrieve("pm_7hQ2")
        assert caught.value.operation == "payment_methods.retrieve"
        assert caught.value.status == 200
        assert [attempt.error for attempt in caught.value.attempts] == ["ResponseDecodingError"]

    async def test_a_wrong_url_is_no_missing_object(self, client, mocked_api):
        error = {"error": {"type": "invalid_request", "code": "IR_02", "message": "no such URL"}}
        mocked_api.get(f"{ROOT}/payment_methods/pm_7hQ2", status=404, payload=error)
        with pytest.raises(RouteNotFound):
            await client.payment_methods.retrieve("pm_7hQ2")


class TestUpdate:
    PATH = "/payment_methods/pm_7hQ2/update"

    async def test_perfectpay_form(self, client, mocked_api):
        mocked_api.post(ROOT + self.PATH, payload=SAVED)
        await client.payment_methods.update("pm_7hQ2", expiry=CardExpiry(4, 2032))
        assert body_of(mocked_api, "POST", self.PATH) == {
            "payment_method_data": {"card": {"card_exp_month": "04", "card_exp_year": "32"}}
        }

    async def test_hyperswitch_form_and_the_style_of_a_stored_year(self, mocked_api):
        mocked_api.post(ROOT + self.PATH, payload=SAVED)
        async with PerfectPay(KEY, base_url=ROOT, dialect="hyperswitch") as client:
            await client.payment_methods.update(
                "pm_7hQ2", expiry=CardExpiry(4, 2032, 4), holder_name="Ada Moss", nick_name="work"
            )
        assert body_of(mocked_api, "POST", self.PATH) == {
            "card": {
                "card_exp_month": "04",
                "card_exp_year": "2032",
                "card_holder_name": "Ada Moss",
                "nick_name": "work",
            }
        }

    async def test_all_attempts_are_the_same_request(self, client, mocked_api):
        mocked_api.post(ROOT + self.PATH, exception=ConnectionResetError())
        mocked_api.post(ROOT + self.PATH, status=502, body="<html>bad gateway")
        mocked_api.post(ROOT + self.PATH, payload=SAVED)
        method = await client.payment_methods.update("pm_7hQ2", nick_name="work")
        calls = requests_of(mocked_api, "POST", self.PATH)
        assert len({call.kwargs["headers"]["Idempotency-Key"] for call in calls}) == 1
        assert len({call.kwargs["data"].decode() for call in calls}) == 1
        assert [attempt.error for attempt in method.response.earlier_attempts] == [
            "ConnectionLostError",
            "ServerError",
        ]

    async def test_vault_trouble_in_the_middle_leaves_the_outcome_unknown(self, client, mocked_api):
        error = {"error": {"type": "invalid_request", "code": "IR_37", "message": "not found"}}
        mocked_api.post(ROOT + self.PATH, status=404, payload=error)
        with pytest.raises(NotFound) as caught:
            await client.payment_methods.update("pm_7hQ2", nick_name="work")
        assert caught.value.outcome is Outcome.UNKNOWN


class TestDelete:
    PATH = "/payment_methods/pm_7hQ2"
    GONE = {"error": {"type": "invalid_request", "code": "HE_02", "message": "does not exist"}}

    @pytest.mark.parametrize(
        "answer",
        [
            {"payload": {"payment_method_id": "pm_7hQ2", "deleted": True}},
            {"body": b""},
            {"status": 204},
        ],
    )
    async def test_every_form_of_success(self, client, mocked_api, answer):
        mocked_api.delete(ROOT + self.PATH, **answer)
        deleted = await client.payment_methods.delete("pm_7hQ2")
        assert (deleted.payment_method_id, deleted.deleted) == ("pm_7hQ2", True)

    @pytest.mark.parametrize(
        "answer",
        [
            {"payment_method_id": "pm_other", "deleted": True},
            {"payment_method_id": "pm_7hQ2", "deleted": False},
        ],
    )
    async def test_what_is_no_success(self, client, mocked_api, answer):
        mocked_api.delete(ROOT + self.PATH, payload=answer)
        with pytest.raises(ResponseDecodingError):
            await client.payment_methods.delete("pm_7hQ2")

    async def test_gone_after_a_lost_answer_means_deleted(self, client, mocked_api):
        mocked_api.delete(ROOT + self.PATH, exception=ConnectionResetError())
        mocked_api.delete(ROOT + self.PATH, status=404, payload=self.GONE)
        assert (await client.payment_methods.delete("pm_7hQ2")).deleted

    @pytest.mark.parametrize("first", [None, 429])
    async def test_gone_without_a_lost_answer_is_not_found(self, client, mocked_api, first):
        if first:
            mocked_api.delete(ROOT + self.PATH, status=first)
        mocked_api.delete(ROOT + self.PATH, status=404, payload=self.GONE)
        with pytest.raises(NotFound):
            await client.payment_methods.delete("pm_7hQ2")

    async def test_a_wrong_url_after_a_lost_answer_is_no_success(self, client, mocked_api):
        error = {"error": {"code": "IR_02", "message": "no such URL"}}
        mocked_api.delete(ROOT + self.PATH, status=503)
        mocked_api.delete(ROOT + self.PATH, status=404, payload=error)
        with pytest.raises(RouteNotFound):
            await client.payment_methods.delete("pm_7hQ2")


class TestSetDefault:
    PATH = "/customers/cus_9/payment_methods/pm_7hQ2/default"
    SET = {
        "default_payment_method_id": "pm_7hQ2",
        "customer_id": "cus_9",
        "payment_method": "card",
        "payment_method_type": None,
    }
    REFUSED = {"error": {"type": "invalid_request", "code": "IR_16", "message": "already default"}}

    def listed(self, default):
        item = {"payment_method_id": "pm_7hQ2", "payment_method": "card", "payment_token": "t"}
        return {"customer_payment_methods": [{**item, "default_payment_method_set": default}]}

    @pytest.mark.parametrize("body", [SET, {}])
    async def test_the_request_and_the_answer(self, client, mocked_api, body):
        mocked_api.post(f"{ROOT}{self.PATH}", payload=body)
        default = await client.payment_methods.set_default("cus_9", "pm_7hQ2")
        assert (default.customer_id, default.default_payment_method_id) == ("cus_9", "pm_7hQ2")
        (call,) = requests_of(mocked_api, "POST", self.PATH)
        assert call.kwargs["data"] is None
        assert call.kwargs["headers"]["Idempotency-Key"]

    @pytest.mark.parametrize(
        "lie", [{"default_payment_method_id": "pm_other"}, {"customer_id": "cus_other"}]
    )
    async def test_an_answer_that_says_otherwise_is_an_error(self, client, mocked_api, lie):
        mocked_api.post(f"{ROOT}{self.PATH}", payload={**self.SET, **lie})
        with pytest.raises(ResponseDecodingError, match=next(iter(lie))):
            await client.payment_methods.set_default("cus_9", "pm_7hQ2")

    async def test_already_so_at_the_first_attempt_is_an_error(self, client, mocked_api):
        mocked_api.post(f"{ROOT}{self.PATH}", status=400, payload=self.REFUSED)
        with pytest.raises(BadRequest) as caught:
            await client.payment_methods.set_default("cus_9", "pm_7hQ2")
        assert caught.value.outcome is Outcome.REFUSED

    async def test_already_so_after_a_lost_answer_is_looked_up(self, client, mocked_api):
        mocked_api.post(f"{ROOT}{self.PATH}", exception=ConnectionResetError())
        mocked_api.post(f"{ROOT}{self.PATH}", status=400, payload=self.REFUSED)
        mocked_api.get(f"{ROOT}/customers/cus_9/payment_methods", payload=self.listed(True))
        default = await client.payment_methods.set_default("cus_9", "pm_7hQ2")
        assert default.default_payment_method_id == "pm_7hQ2"
        assert default.payment_method == "card"
        assert default.response is None

    @pytest.mark.parametrize("listed", [False, None])
    async def test_and_believed_only_when_seen(self, client, mocked_api, listed):
        mocked_api.post(f"{ROOT}{self.PATH}", status=500)
        mocked_api.post(f"{ROOT}{self.PATH}", status=400, payload=self.REFUSED)
        url = f"{ROOT}/customers/cus_9/payment_methods"
        if listed is None:
            mocked_api.get(url, status=403)
        else:
            mocked_api.get(url, payload=self.listed(listed))
        with pytest.raises(BadRequest, match="IR_16") as caught:
            await client.payment_methods.set_default("cus_9", "pm_7hQ2")
        assert caught.value.outcome is Outcome.UNKNOWN
        assert bool(getattr(caught.value, "__notes__", ())) is (listed is None)

    @pytest.mark.parametrize("ids", [("../x", "pm_1"), ("cus_1", "../x"), ("list", "pm_1")])
    async def test_bad_ids_are_not_sent(self, client, mocked_api, ids):
        with pytest.raises(InvalidRequestError, match="_id must"):
            await client.payment_methods.set_default(*ids)
        assert mocked_api.requests == {}


class TestList:
    PATH = "/customers/cus_9/payment_methods"

    async def test_the_items_are_a_sequence(self, client, mocked_api):
        items = [
            {"payment_method_id": "pm_1", "payment_token": "token_a", "requires_cvv": True},
            {"payment_method_id": "2b", "default_payment_method_set": True, "new_field": [1]},
        ]
        payload = {"customer_payment_methods": items, "is_guest_customer": None}
        mocked_api.get(ROOT + self.PATH, payload=payload)
        methods = await client.payment_methods.list("cus_9")
        assert [method.payment_method_id for method in methods] == ["pm_1", "2b"]
        assert methods.default is methods[1]
        assert dict(methods[1].extra) == {"new_field": [1]}
        assert "token_a" not in repr(methods)

    async def test_limit_is_the_one_filter_that_works(self, client, mocked_api):
        mocked_api.get(f"{ROOT}{self.PATH}?limit=2", payload={"customer_payment_methods": []})
        assert list(await client.payment_methods.list("cus_9", limit=2)) == []


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda m, c: m.retrieve(""), "payment_method_id must have 1 to 255 characters"),
        (lambda m, c: m.delete("../x"), "payment_method_id must not hold any of"),
        (lambda m, c: m.retrieve(".."), "payment_method_id must not consist of dots"),
        (lambda m, c: m.update(PAN, nick_name="x"), "payment_method_id looks like a card number"),
        (lambda m, c: m.list("cus 9"), "customer_id must consist of letters"),
        (lambda m, c: m.create("", c), "customer_id must have 1 to 64 characters"),
        (lambda m, c: m.list("cus_9", limit=0), "limit must be a whole number from 1"),
        (lambda m, c: m.update("pm_1"), "update needs an expiry, a holder_name or a nick_name"),
        (
            lambda m, c: m.update("pm_1", expiry=CardExpiry(4, 2026)),
            "expiry must not be in the past",
        ),
        (
            lambda m, c: m.create("cus_9", NewCard(PAN, CardExpiry(4, 2026))),
            "expiry must not be in the past",
        ),
        (lambda m, c: m.create("cus_9", c, metadata=[1]), "metadata must be a mapping"),
        (lambda m, c: m.create("cus_9", {"card_number": PAN}), "card must be a NewCard"),
        (lambda m, c: m.create("cus_9", c, metadata={"a": object()}), "of values that JSON has"),
    ],
)
async def test_bad_input_is_refused_before_any_request(client, card, mocked_api, call, sentence):
    with pytest.raises(InvalidRequestError, match=sentence) as caught:
        await call(client.payment_methods, card)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert not mocked_api.requests
    assert PAN not in str(caught.value)


@pytest.mark.parametrize(
    "build",
    [
        lambda: NewCard("4539578763621487", CardExpiry(4, 2032)),
        lambda: CardExpiry(13, 2032),
        lambda: PerfectPay("", environment="sandbox"),
        lambda: PerfectPay("key", base_url="http://example.com"),
    ],
)
def test_bad_values_are_refused_when_they_are_made(build):
    with pytest.raises(PerfectPayError):
        build()


class TestSecrets:
    """Planted number, CVC and key: search everything that could show them."""

    ECHO = (
        '{"error":{"type":"invalid_request","code":"IR_06","message":'
        f'"bad card {PAN} with {CVC}, also 4539 5787 6362 1486, key {KEY}"}}}}'
    )

    async def failure(self, client, card, mocked_api, answer):
        mocked_api.post(f"{ROOT}/payment_methods", **answer)
        with pytest.raises(PerfectPayError) as caught:
            await client.payment_methods.create("cus_9", card)
        return caught.value

    @pytest.mark.parametrize(
        "answer",
        [
            {"status": 400, "body": ECHO},
            {"status": 200, "body": ECHO},
            {"status": 500, "body": f"<html>{PAN} {CVC} {KEY}</html>"},
            {"status": 302, "headers": {"Location": f"http://127.0.0.1/{PAN}"}},
            {"status": 200, "body": f'{{"payment_method_id": {PAN}, "card": "{CVC}"}}'},
            {"status": 200, "body": f"{PAN} {CVC} {KEY} is not JSON"},
            {"exception": ConnectionResetError(f"{PAN} {CVC} {KEY}")},
        ],
    )
    async def test_no_failure_shows_them(self, client, card, mocked_api, caplog, answer):
        caplog.set_level(logging.DEBUG)
        error = await self.failure(client, card, mocked_api, answer)
        shown = [
            repr(error),
            str(error),
            str(error.body),
            repr(vars(error)),
            caplog.text,
            repr([record.__dict__ for record in caplog.records]),
            repr(pickle.dumps(error)),
            str(pickle.loads(pickle.dumps(error))),
            frames_of_the_library(error),
        ]
        for planted in (PAN, "4539 5787 6362 1486", KEY):
            assert not [text for text in shown if planted in text]
        assert not [text for text in shown if CVC_OF_ITS_OWN.search(text)]

    @pytest.mark.parametrize(
        "call",
        [
            lambda methods, card: methods.retrieve(PAN),
            lambda methods, card: methods.retrieve(int(PAN)),
            lambda methods, card: methods.update(PAN, nick_name="work"),
            lambda methods, card: methods.delete(PAN),
            lambda methods, card: methods.list(f"{PAN} "),
            lambda methods, card: methods.create(f"{PAN} ", card),
            lambda methods, card: methods.create("cus_9", {"card_number": PAN}),
        ],
    )
    async def test_not_even_in_the_wrong_place(self, client, card, call):
        with pytest.raises(InvalidRequestError) as caught:
            await call(client.payment_methods, card)
        assert PAN not in frames_of_the_library(caught.value) + str(caught.value)

    async def test_no_success_shows_them(self, client, card, mocked_api, caplog):
        caplog.set_level(logging.DEBUG)
        mocked_api.post(f"{ROOT}/payment_methods", payload=SAVED)
        saved = await client.payment_methods.create("cus_9", card)
        shown = [
            repr(client),
            repr(client.payment_methods),
            repr(card),
            repr(saved),
            repr(saved.response),
            repr(saved.response.request),
            repr(pickle.dumps(saved)),
            repr(pickle.dumps(card)),
            caplog.text,
        ]
        for planted in (PAN, KEY, "planted83613"):
            assert not [text for text in shown if planted in text]
        assert not [text for text in shown if CVC_OF_ITS_OWN.search(text)]

    async def test_an_error_keeps_its_facts_through_a_pickle(self, client, card, mocked_api):
        answer = {"status": 400, "body": self.ECHO, "headers": {"x-request-id": "req_5"}}
        error = await self.failure(client, card, mocked_api, answer)
        copy = pickle.loads(pickle.dumps(error))
        assert isinstance(copy, BadRequest)
        assert str(copy) == str(error)
        assert vars(copy) == vars(error)
        assert (copy.code, copy.request_id, len(copy.attempts)) == ("IR_06", "req_5", 1)


def frames_of_the_library(error):
    """The traceback with locals, without the frames of the tests, which hold the plain values."""
    pieces = []
    while error is not None:
        stack = traceback.TracebackException.from_exception(error, capture_locals=True).stack
        frames = [frame for frame in stack if "/tests/" not in frame.filename]
        pieces += [f"{frame.name} {frame.locals}" for frame in frames]
        error = error.__cause__ or error.__context__
    assert pieces
    return "\n".join(pieces)


async def test_a_lost_answer_names_operation_and_outcome(client, mocked_api):
    mocked_api.get(f"{ROOT}/payment_methods/pm_1", exception=ConnectionResetError(), repeat=True)
    with pytest.raises(ConnectionLostError) as caught:
        await client.payment_methods.retrieve("pm_1")
    assert str(caught.value).startswith(
        "payment_methods.retrieve: the connection broke before the answer was complete "
        "(ConnectionResetError); it is unknown whether the server applied it; 3 attempts in "
    )
