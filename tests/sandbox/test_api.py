"""The contract, operation by operation, over a real socket."""

import io
import json
import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict
from yarl import URL

from perfectpay_async.sandbox import LedgerRequest, Sandbox
from perfectpay_async.sandbox.answers import Refused
from perfectpay_async.sandbox.api import HANDLERS, Call
from perfectpay_async.sandbox.routes import ROUTES
from perfectpay_async.sandbox.validation import CARD_KEYS, CARD_UPDATE_KEYS, CREATE_KEYS

PM_ID = re.compile(r"pm_[A-Za-z0-9]{20}")
NOW = "2026-06-15T09:30:00.042Z"
STOCK = {"payment_method": "card", "customer_id": "cus_1"}


class TestCreate:
    async def test_a_card_is_vaulted_and_masked(self, call):
        reply = await call.create(nick_name="blue")
        body = reply.json
        assert reply.status == 200
        assert PM_ID.fullmatch(body["payment_method_id"])
        assert body.pop("client_secret").startswith(body.pop("payment_method_id") + "_secret_")
        assert body == {
            "merchant_id": "merchant_sandbox",
            "customer_id": "cus_1",
            "payment_method": "card",
            "payment_method_type": None,
            "card": {
                "scheme": "Mastercard",
                "issuer_country": "UNITEDSTATES",
                "issuer_country_code": None,
                "last4_digits": "4444",
                "expiry_month": "3",
                "expiry_year": "2031",
                "card_token": None,
                "card_holder_name": "Ida Brook",
                "card_fingerprint": None,
                "nick_name": "blue",
                "card_network": "Mastercard",
                "card_isin": "555555",
                "card_issuer": "SANDBOX BANK",
                "card_type": "CREDIT",
                "saved_to_locker": True,
            },
            "recurring_enabled": False,
            "installment_payment_enabled": False,
            "payment_experience": ["redirect_to_url"],
            "metadata": None,
            "created": NOW,
            "last_used_at": NOW,
        }

    async def test_the_same_number_of_a_customer_keeps_its_id_and_replaces_the_rest(
        self, call, clock, sandbox
    ):
        first = (await call.create()).json
        clock.now += timedelta(hours=1)
        again = (await call.create(card_number="5555555555554444", card_exp_month="04")).json
        assert again["payment_method_id"] == first["payment_method_id"]
        assert again["created"] == "2026-06-15T10:30:00.042Z"
        stored = (await call.retrieve(first["payment_method_id"])).json
        assert stored["created"] == NOW
        assert stored["card"]["expiry_month"] == "04"
        assert len(sandbox.store.methods) == 1

    async def test_the_same_number_of_another_customer_is_another_method(self, call, sandbox):
        sandbox.seed_customer("cus_2")
        first, other = (await call.create()).json, (await call.create("cus_2")).json
        assert first["payment_method_id"] != other["payment_method_id"]

    async def test_a_repeat_answers_with_what_it_was_sent_and_leaves_the_row(self, call, card):
        def body(kind, tag):
            data = {"payment_method_data": {"card": card}}
            return {**data, "payment_method_type": kind, "metadata": {"tag": tag}}

        method_id = (await call.create(top=body("credit", "a"))).json["payment_method_id"]
        again = (await call.create(top=body("debit", "b"))).json
        assert (again["payment_method_type"], again["metadata"]) == ("debit", {"tag": "b"})
        stored = (await call.retrieve(method_id)).json
        assert (stored["payment_method_type"], stored["metadata"]) == ("credit", {"tag": "a"})

    @pytest.mark.parametrize("number", ["6011111111111117", "6011 1111 1111 1117"])
    async def test_an_unknown_issuer_is_blank_unless_all_of_it_was_sent(self, call, number):
        blank = (await call.create(card_number=number, card_network="Discover")).json["card"]
        assert (blank["card_network"], blank["card_issuer"], blank["scheme"]) == (None, None, None)
        told = await call.create(
            card_number=number,
            card_network="Discover",
            card_issuer="Brook & Co",
            card_type="DEBIT",
            card_issuing_country="NORWAY",
        )
        shown = told.json["card"]
        assert (shown["card_network"], shown["card_issuer"]) == ("Discover", "Brook & Co")
        assert (shown["card_type"], shown["issuer_country"]) == ("DEBIT", "NORWAY")

    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ({"colour": 1}, (400, "error_type", "IR_06")),
            ({"card": {}}, (400, "error_type", "IR_06")),
            ({"payment_method": "cart"}, (400, "error_type", "IR_06")),
            ({"payment_method": None}, (400, "type", "IR_04")),
            ({"payment_method_type": "ach"}, (422, "type", "IR_06")),
            ({"payment_method_type": "credit_card"}, (400, "error_type", "IR_06")),
            ({"customer_id": None}, (400, "type", "IR_04")),
            ({"customer_id": "cus 1"}, (400, "error_type", "IR_06")),
            ({"customer_id": "cus_none"}, (404, "type", "HE_02")),
            ({"payment_method_data": "card"}, (400, "error_type", "IR_06")),
            ({"payment_method_data": {"pin": {}}}, (400, "error_type", "IR_06")),
            ({"payment_method_data": {"card": {}}}, (400, "error_type", "IR_06")),
            ({"metadata": "blue"}, (400, "error_type", "IR_06")),
        ],
    )
    async def test_refuses(self, call, sandbox, card, change, error):
        reply = await call.create(top={"payment_method_data": {"card": card}, **change})
        assert reply.error == error
        assert not sandbox.store.methods
        assert not sandbox.ledger.writes

    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ({"card_number": "5555555555554443"}, (400, "error_type", "IR_06")),
            ({"card_pin": "1"}, (400, "error_type", "IR_06")),
            ({"card_network": "mastercard"}, (400, "error_type", "IR_06")),
            ({"card_cvc": 946}, (400, "error_type", "IR_06")),
            ({"card_exp_year": None}, (400, "error_type", "IR_06")),
            ({"card_exp_year": "2025"}, (400, "type", "IR_16")),
            ({"card_exp_month": "x"}, (400, "type", "IR_07")),
        ],
    )
    async def test_refuses_a_card(self, call, sandbox, change, error):
        assert (await call.create(**change)).error == error
        assert not sandbox.store.methods

    async def test_this_month_is_not_over(self, call):
        assert (await call.create(card_exp_month="6", card_exp_year="26")).status == 200
        expired = await call.create(card_exp_month="5", card_exp_year="26")
        assert (expired.status, expired.json["error"]["message"]) == (400, "Card Expired")

    async def test_a_deleted_customer_is_one_that_never_was(self, call):
        await call("DELETE", "/customers/cus_1")
        assert (await call.create()).error == (404, "type", "HE_02")


class TestStockHyperswitch:
    """The other dialect: only a card at the top is vaulted."""

    @pytest.fixture
    async def call(self, start):
        return await start(dialect="hyperswitch")

    async def test_a_card_at_the_top_is_vaulted_and_updated(self, call, card):
        saved = (await call("POST", "/payment_methods", json={**STOCK, "card": card})).json
        method_id = saved["payment_method_id"]
        reply = await call(
            "POST", f"/payment_methods/{method_id}/update", json={"card": {"card_exp_month": "11"}}
        )
        assert (reply.status, reply.json["card"]["expiry_month"]) == (200, "11")
        assert len((await call.list()).json["customer_payment_methods"]) == 1

    async def test_a_card_in_the_data_makes_a_row_that_waits(self, call, sandbox):
        body = (await call.create(card_exp_year="2020")).json
        method_id = body["payment_method_id"]
        assert body["client_secret"]
        assert (body["card"], body["payment_experience"], body["last_used_at"]) == (None,) * 3
        assert (await call.create()).json["payment_method_id"] != method_id
        assert (await call.list()).json["customer_payment_methods"] == []
        assert sandbox.store.customers["cus_1"].default is None
        assert (await call.retrieve(method_id)).error == (500, "type", "HE_00")
        update = await call("POST", f"/payment_methods/{method_id}/update", json={"card": {}})
        assert update.error == (400, "type", "IR_19")
        assert (await call("DELETE", f"/payment_methods/{method_id}")).json["error"]["type"] == (
            "api"
        )

    async def test_even_there_the_number_is_checked(self, call):
        assert (await call.create(card_number="1")).error == (400, "error_type", "IR_06")

    async def test_the_data_are_an_unknown_key_of_an_update(self, call, sandbox):
        (method_id,) = sandbox.seed_cards(1)
        reply = await call.update(method_id, card_exp_month="11")
        assert reply.error == (400, "error_type", "IR_06")
        assert "unknown field `payment_method_data`" in reply.json["error"]["message"]

    async def test_a_client_secret_does_not_go_with_a_secret_key(self, call, sandbox):
        (method_id,) = sandbox.seed_cards(1)
        body = {"card": {"card_exp_month": "11"}, "client_secret": "x"}
        reply = await call("POST", f"/payment_methods/{method_id}/update", json=body)
        assert reply.error == (422, "type", "IR_06")
        assert not sandbox.ledger.writes


class TestRetrieve:
    async def test_shows_less_than_create(self, call):
        saved = (await call.create()).json
        shown = (await call.retrieve(saved["payment_method_id"])).json
        differs = {key for key in shown["card"] if shown["card"][key] != saved["card"][key]}
        assert differs == {
            "issuer_country",
            "card_network",
            "card_isin",
            "card_issuer",
            "card_type",
        }
        assert {shown["card"][key] for key in differs} == {None}
        assert shown | {"card": None} == saved | {"card": None}

    async def test_an_unknown_one(self, call):
        assert (await call.retrieve("pm_none")).error == (404, "type", "HE_02")


class TestUpdate:
    @pytest.fixture
    def method_id(self, sandbox):
        (method_id,) = sandbox.seed_cards(1, expiry=("10", "2030"))
        return method_id

    async def test_a_change_is_answered_with_a_card_built_anew(self, call, clock, method_id):
        clock.now += timedelta(days=1)
        reply = await call.update(method_id, card_exp_month="03", card_exp_year="32")
        body = reply.json
        card = body["card"]
        tomorrow = "2026-06-16T09:30:00.042Z"
        assert reply.status == 200
        assert (body["created"], body["last_used_at"]) == (tomorrow, tomorrow)
        assert "wallet" in body
        assert body["wallet"] is None
        assert (card["expiry_month"], card["expiry_year"]) == ("03", "32")
        assert (card["last4_digits"], card["card_isin"]) == ("0002", "400000")
        blank = ("scheme", "card_network", "card_issuer", "card_type", "issuer_country")
        assert {card[key] for key in blank} == {None}
        # The times of the answer are not those that are stored.
        assert (await call.retrieve(method_id)).json["created"] == NOW

    @pytest.mark.parametrize(
        "change",
        [
            {},
            {"card_exp_month": "10", "card_exp_year": "2030"},
            {"card_network": "VISA", "card_issuer": "x", "last4_digits": "1111"},
            {"card_exp_month": None, "card_exp_year": None, "nick_name": None},
        ],
    )
    async def test_no_change_is_answered_with_the_stored_card(
        self, call, sandbox, clock, method_id, change
    ):
        clock.now += timedelta(days=1)
        body = (await call.update(method_id, **change)).json
        assert (body["created"], body["last_used_at"]) == (NOW, "2026-06-16T09:30:00.042Z")
        assert (body["card"]["card_network"], body["card"]["last4_digits"]) == ("Visa", "0002")
        assert [write.changed for write in sandbox.ledger.writes] == [False]

    async def test_another_spelling_is_a_change(self, call, sandbox, method_id):
        body = (await call.update(method_id, card_exp_year="30")).json
        assert body["card"]["expiry_year"] == "30"
        assert sandbox.ledger.writes[0].changed

    async def test_what_is_left_out_is_kept_and_an_empty_text_is_a_value(self, call, method_id):
        await call.update(method_id, card_exp_month="12", nick_name="green")
        await call.update(method_id, card_exp_year="2033", card_holder_name=None)
        await call.update(method_id, nick_name="")
        card = (await call.retrieve(method_id)).json["card"]
        assert (card["expiry_month"], card["expiry_year"]) == ("12", "2033")
        assert (card["card_holder_name"], card["nick_name"]) == ("Jane Doe", "")

    async def test_half_an_expiry_is_checked_with_the_stored_half(self, call, sandbox):
        (method_id,) = sandbox.seed_cards(1, expiry=("01", "2026"))
        reply = await call.update(method_id, card_exp_month="02")
        assert (reply.status, reply.json["error"]["message"]) == (400, "Card Expired")
        assert (await call.update(method_id, card_exp_month="07")).status == 200

    async def test_an_expired_card_may_get_another_name(self, call, sandbox):
        (method_id,) = sandbox.seed_cards(1, expiry=("01", "2020"))
        change = {"card_holder_name": "Ida Brook", "card_exp_month": None}
        assert (await call.update(method_id, **change)).status == 200

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ({"card": {"card_exp_month": "11"}}, (400, "error_type", "IR_06")),
            ({"payment_method_data": {"card": {"card_number": "1"}}}, (400, "error_type", "IR_06")),
            ({"payment_method_data": {"card": {"card_cvc": "1"}}}, (400, "error_type", "IR_06")),
            (
                {"payment_method_data": {"card": {"card_exp_month": 11}}},
                (400, "error_type", "IR_06"),
            ),
            ({"metadata": {}}, (400, "error_type", "IR_06")),
            ({}, (400, "type", "IR_19")),
            ({"payment_method_data": {"card": None}}, (400, "type", "IR_19")),
            ({"payment_method_data": {"card": {"card_exp_month": "13"}}}, (400, "type", "IR_16")),
            ({"payment_method_data": {"card": {"card_exp_month": ""}}}, (400, "type", "IR_07")),
        ],
    )
    async def test_refuses(self, call, sandbox, method_id, body, error):
        reply = await call("POST", f"/payment_methods/{method_id}/update", json=body)
        assert reply.error == error
        assert not sandbox.ledger.writes

    async def test_an_unknown_one(self, call):
        assert (await call.update("pm_none", card_exp_month="1")).error == (404, "type", "HE_02")


class TestDelete:
    async def test_the_second_finds_nothing(self, call, sandbox):
        (method_id,) = sandbox.seed_cards(1)
        reply = await call("DELETE", f"/payment_methods/{method_id}")
        assert (reply.status, reply.json) == (
            200,
            {"payment_method_id": method_id, "deleted": True},
        )
        assert (await call("DELETE", f"/payment_methods/{method_id}")).error == (
            404,
            "type",
            "HE_02",
        )

    async def test_the_default_may_go_and_the_number_may_come_back(self, call):
        first = (await call.create()).json["payment_method_id"]
        await call.create(card_number="4242424242424242")
        await call("DELETE", f"/payment_methods/{first}")
        assert (await call("GET", "/customers/cus_1")).json["default_payment_method_id"] is None
        assert (await call.create()).json["payment_method_id"] != first


class TestList:
    async def test_shows_the_last_used_first_and_the_default(self, call, clock):
        first = (await call.create()).json["payment_method_id"]
        clock.now += timedelta(seconds=1)
        second = (await call.create(card_number="4242424242424242")).json["payment_method_id"]
        body = (await call.list()).json
        items = body["customer_payment_methods"]
        assert body["is_guest_customer"] is None
        assert [item["payment_method_id"] for item in items] == [second, first]
        assert [item["default_payment_method_set"] for item in items] == [False, True]
        assert items[0]["card"]["card_network"] == "Visa"
        assert items[0]["requires_cvv"] is True
        assert not {"bank_transfer", "merchant_id", "client_secret"} & items[0].keys()
        assert items[0]["surcharge_details"] is None
        limited = (await call.list(query="?limit=1&colour=blue")).json["customer_payment_methods"]
        assert [item["payment_method_id"] for item in limited] == [second]

    async def test_every_call_makes_new_tokens(self, call):
        await call.create()
        tokens = {
            (await call.list()).json["customer_payment_methods"][0]["payment_token"]
            for _ in range(3)
        }
        assert len(tokens) == 3
        assert all(re.fullmatch(r"token_[A-Za-z0-9]{20}", token) for token in tokens)

    async def test_billing_is_shown(self, call, card):
        billing = {"email": "ida@example.com"}
        await call.create(top={"payment_method_data": {"card": card}, "billing": billing})
        assert (await call.list()).json["customer_payment_methods"][0]["billing"] == billing

    async def test_nobodys_nothing_and_gone(self, call):
        assert (await call.list()).json == {
            "customer_payment_methods": [],
            "is_guest_customer": None,
        }
        assert (await call.list("cus_none")).error == (404, "type", "HE_02")
        await call("DELETE", "/customers/cus_1")
        assert (await call.list()).error == (400, "type", "IR_11")

    @pytest.mark.parametrize("query", ["?limit=x", "?limit=-1", "?limit=", "?limit=1&limit=1"])
    async def test_a_bad_query_is_refused_in_plain_text(self, call, query):
        reply = await call.list(query=query)
        assert (reply.status, reply.headers["Content-Type"]) == (400, "text/plain; charset=utf-8")


class TestSetDefault:
    async def test_moves_the_default(self, call):
        first = (await call.create()).json["payment_method_id"]
        second = (await call.create(card_number="4242424242424242")).json["payment_method_id"]
        path = f"/customers/cus_1/payment_methods/{second}/default"
        assert (await call("POST", path)).json == {
            "default_payment_method_id": second,
            "customer_id": "cus_1",
            "payment_method": "card",
            "payment_method_type": None,
        }
        assert (await call("POST", path)).error == (400, "type", "IR_16")
        other = f"/customers/cus_2/payment_methods/{first}/default"
        call.sandbox.seed_customer("cus_2")
        assert (await call("POST", other)).error == (400, "type", "IR_16")
        gone = "/customers/cus_1/payment_methods/pm_gone/default"
        assert (await call("POST", gone)).error == (404, "type", "HE_02")


class TestCustomers:
    async def test_are_created_with_their_id_or_a_new_one(self, call):
        body = {"customer_id": "cus_7", "name": "Ida Brook", "email": "ida@example.com", "hat": 1}
        saved = (await call("POST", "/customers", json=body)).json
        assert (saved["customer_id"], saved["name"], saved["phone"]) == ("cus_7", "Ida Brook", None)
        assert (saved["created_at"], saved["default_payment_method_id"]) == (NOW, None)
        assert "hat" not in saved
        assert (await call("GET", "/customers/cus_7")).json == saved
        assert (await call("POST", "/customers", json=body)).error == (400, "type", "IR_12")
        made = (await call("POST", "/customers", json={})).json["customer_id"]
        assert re.fullmatch(r"cus_[A-Za-z0-9]{20}", made)

    @pytest.mark.parametrize("key", ["self", "details", "customer", "method"])
    async def test_no_key_of_the_body_can_break_the_server(self, call, key):
        assert (await call("POST", "/customers", json={key: 1})).status == 200

    async def test_are_redacted_and_still_there(self, call, sandbox):
        method_id = (await call.create()).json["payment_method_id"]
        assert (await call("DELETE", "/customers/cus_1")).json == {
            "customer_id": "cus_1",
            "customer_deleted": True,
            "address_deleted": True,
            "payment_methods_deleted": True,
        }
        shown = await call("GET", "/customers/cus_1")
        assert (shown.status, shown.json["name"], shown.json["email"]) == (
            200,
            "Redacted",
            "Redacted",
        )
        assert (await call.retrieve(method_id)).status == 404
        assert sandbox.ledger.expiry_of(method_id) is None
        assert sandbox.ledger.writes_of(method_id)[-1].operation == "customers.delete"
        assert (await call("DELETE", "/customers/cus_1")).error == (400, "type", "IR_11")

    async def test_bad_fields_are_refused(self, call):
        for body in (
            {"name": 1},
            {"email": "x" * 256},
            {"address": []},
            {"metadata": "x"},
            {"document_details": {"document_type": "cpf"}},
            {"document_details": {"document_type": "hat", "document_number": "1"}},
        ):
            assert (await call("POST", "/customers", json=body)).error[2] == "IR_06"
            assert (await call("POST", "/customers/cus_1", json=body)).error[2] == "IR_06"

    async def test_an_update_merges(self, call, sandbox):
        body = {"name": "Ida", "phone": "1", "address": {"city": "Bergen", "zip": "5013"}}
        await call("POST", "/customers/cus_1", json=body)
        change = {"phone": "2", "name": None, "address": {"zip": "5014"}, "hat": 1}
        changed = (await call("POST", "/customers/cus_1", json=change)).json
        assert (changed["name"], changed["phone"]) == ("Ida", "2")
        assert changed["address"] == {"city": "Bergen", "zip": "5014"}
        assert (await call("GET", "/customers/cus_1")).json == changed
        assert sandbox.ledger.writes[-1].operation == "customers.update"
        assert (await call("POST", "/customers/cus_2", json={})).error == (404, "type", "HE_02")
        await call("DELETE", "/customers/cus_1")
        refused = await call("POST", "/customers/cus_1", json={"name": "Ida"})
        assert refused.error == (400, "type", "IR_11")

    async def test_are_listed_as_a_bare_array_by_limit_and_offset(self, call):
        for number in range(2, 13):
            body = {"customer_id": f"cus_{number}", "address": {"city": "Bergen"}}
            await call("POST", "/customers", json=body)
        page = (await call("GET", "/customers/list")).json
        assert [item["customer_id"] for item in page] == [f"cus_{n}" for n in range(1, 11)]
        assert page[1]["address"] is None
        rest = (await call("GET", "/customers/list?limit=5&offset=10")).json
        assert [item["customer_id"] for item in rest] == ["cus_11", "cus_12"]
        assert (await call("GET", "/customers/list?offset=12")).json == []
        one = (await call("GET", "/customers/list?customer_id=cus_3")).json
        assert [item["customer_id"] for item in one] == ["cus_3"]
        assert (await call("GET", "/customers/list?customer_id=cus_99")).json == []
        for bad in ("limit=-1", "limit=65536", "limit=x", "offset=x", "limit=1&limit=2"):
            reply = await call("GET", f"/customers/list?{bad}")
            assert (reply.status, reply.headers["Content-Type"].split(";")[0]) == (
                400,
                "text/plain",
            )

    async def test_deleted_ones_stay_in_the_list(self, call):
        await call("DELETE", "/customers/cus_1")
        (item,) = (await call("GET", "/customers/list")).json
        assert (item["customer_id"], item["name"]) == ("cus_1", "Redacted")

    async def test_are_counted(self, call):
        call.sandbox.seed_customer("cus_2")
        counted = (await call("GET", "/customers/list_with_count?limit=1&offset=1")).json
        assert counted["total_count"] == 2
        assert [item["customer_id"] for item in counted["data"]] == ["cus_2"]
        for bad in ("0", "101"):
            reply = await call("GET", f"/customers/list_with_count?limit={bad}")
            assert reply.error == (422, "type", "IR_06")


class TestEphemeralKeys:
    async def make(self, call, customer_id="cus_1"):
        return (await call("POST", "/ephemeral_keys", json={"customer_id": customer_id})).json

    async def test_the_answer(self, call):
        key = await self.make(call)
        assert re.fullmatch(r"eki_[A-Za-z0-9]{20}", key["id"])
        assert re.fullmatch(r"epk_[A-Za-z0-9]{20}", key["secret"])
        assert (key["customer_id"], key["merchant_id"]) == ("cus_1", "merchant_sandbox")
        assert (key["created_at"], key["expires"]) == (1781515800, 1781519400)

    @pytest.mark.parametrize("body", [{}, {"customer_id": 1}, {"customer_id": "a/b"}])
    async def test_a_customer_must_be_named(self, call, body):
        assert (await call("POST", "/ephemeral_keys", json=body)).error[2] == "IR_06"

    async def test_is_accepted_where_a_browser_needs_it_and_nowhere_else(self, call):
        first = (await call.create()).json["payment_method_id"]
        second = (await call.create(card_number="4242424242424242")).json["payment_method_id"]
        secret = (await self.make(call))["secret"]
        default = f"/customers/cus_1/payment_methods/{second}/default"
        accepted = [
            ("GET", "/customers/payment_methods"),
            ("GET", "/customers/cus_1/payment_methods"),
            ("GET", "/customers/cus_1"),
            ("POST", default),
            ("DELETE", f"/payment_methods/{first}"),
        ]
        for method, path in accepted:
            assert (await call(method, path, api_key=secret)).status == 200, path
        refused = [
            ("POST", "/payment_methods"),
            ("GET", f"/payment_methods/{second}"),
            ("POST", f"/payment_methods/{second}/update"),
            ("POST", "/customers"),
            ("POST", "/customers/cus_1"),
            ("DELETE", "/customers/cus_1"),
            ("GET", "/customers/list"),
            ("POST", "/ephemeral_keys"),
            ("DELETE", "/ephemeral_keys/eki_1"),
        ]
        for method, path in refused:
            reply = await call(method, path, api_key=secret, json={})
            assert reply.error == (401, "type", "IR_01"), path

    async def test_lists_the_methods_of_its_customer(self, call):
        call.sandbox.seed_customer("cus_2")
        mine = (await call.create()).json["payment_method_id"]
        await call.create("cus_2")
        secret = (await self.make(call))["secret"]
        reply = await call("GET", "/customers/payment_methods", api_key=secret)
        (item,) = reply.json["customer_payment_methods"]
        assert item["payment_method_id"] == mine
        secret_key = await call("GET", "/customers/payment_methods")
        assert secret_key.error == (401, "type", "IR_01")

    async def test_ends_after_an_hour(self, call, clock):
        secret = (await self.make(call))["secret"]
        clock.now += timedelta(minutes=59, seconds=59)
        assert (await call("GET", "/customers/cus_1", api_key=secret)).status == 200
        clock.now += timedelta(seconds=1)
        late = await call("GET", "/customers/cus_1", api_key=secret)
        assert late.error == (401, "type", "IR_01")

    async def test_ends_when_it_is_deleted(self, call):
        key = await self.make(call)
        path = f"/ephemeral_keys/{key['id']}"
        assert (await call("DELETE", path)).json == key
        gone = await call("GET", "/customers/cus_1", api_key=key["secret"])
        assert gone.error == (401, "type", "IR_01")
        assert (await call("DELETE", path)).error == (500, "type", "HE_00")

    async def test_its_secret_is_not_in_the_ledger(self, call):
        secret = (await self.make(call))["secret"]
        await call("GET", "/customers/payment_methods", api_key=secret)
        ledger = call.sandbox.ledger
        assert secret not in repr([*ledger.requests, *ledger.writes])
        assert ledger.requests[-1].customer_id == "cus_1"


class TestTheKey:
    ROUTES = (
        ("POST", "/payment_methods", 401),
        ("GET", "/payment_methods/pm_1", 401),
        ("POST", "/payment_methods/pm_1/update", 400),
        ("DELETE", "/payment_methods/pm_1", 400),
        ("GET", "/customers/cus_1/payment_methods", 400),
        ("POST", "/customers/cus_1/payment_methods/pm_1/default", 400),
        ("POST", "/customers", 401),
        ("GET", "/customers/cus_1", 400),
        ("DELETE", "/customers/cus_1", 401),
        ("POST", "/customers/cus_1", 401),
        ("GET", "/customers/list", 401),
        ("GET", "/customers/list_with_count", 401),
        ("GET", "/customers/payment_methods", 400),
        ("POST", "/ephemeral_keys", 401),
        ("DELETE", "/ephemeral_keys/eki_1", 401),
    )

    @pytest.mark.parametrize(("method", "path", "status"), ROUTES)
    async def test_a_missing_one_and_a_wrong_one(self, call, method, path, status):
        missing = await call(method, path, api_key=None)
        expected = (401, "type", "IR_01") if status == 401 else (400, "type", "IR_04")
        assert missing.error == expected
        assert (await call(method, path, api_key="snd_wrong")).error == (401, "type", "IR_01")

    async def test_its_missing_is_said_in_the_apis_words(self, call):
        error = (await call("DELETE", "/payment_methods/pm_1", api_key=None)).json["error"]
        assert error["message"] == "Missing required param: api_key"

    @pytest.mark.parametrize(("method", "path", "_"), ROUTES)
    async def test_an_authorization_header_takes_its_place_on_three_routes(
        self, call, method, path, _
    ):
        reply = await call(method, path, headers={"Authorization": "Basic eDp5"})
        takes = path.endswith(("/update", "/default", "cus_1/payment_methods"))
        if path == "/customers/payment_methods":
            return  # it takes no secret key anyway
        assert (reply.status == 401) is takes


class TestRoutes:
    @pytest.mark.parametrize(
        ("method", "path"),
        [("GET", "/"), ("GET", "/v1/payment_methods/pm_1"), ("POST", "/payment_methods//update")],
    )
    async def test_unknown_ones(self, call, sandbox, method, path):
        assert (await call(method, path, api_key=None)).error == (404, "type", "IR_02")
        (entry,) = sandbox.ledger.requests
        assert (entry.operation, entry.route, entry.status) == ("unknown", "", 404)

    async def test_another_method(self, call):
        assert (await call("PUT", "/payment_methods/pm_1")).error == (405, "type", "IR_03")

    @pytest.mark.parametrize("path", ["a%2Fb", "%C3%A9", "a%20b", "x" * 65, "..%2Fcustomers"])
    async def test_ids_with_other_characters_are_refused_in_plain_text(self, call, path):
        url = URL(f"{call.sandbox.url}/payment_methods/{path}", encoded=True)
        async with call.session.get(url, headers={"api-key": call.sandbox.api_key}) as response:
            assert response.status == 400
            assert response.content_type == "text/plain"


KEYS = st.sampled_from(
    sorted(
        CREATE_KEYS
        | CARD_KEYS
        | CARD_UPDATE_KEYS
        | {"card", "bank_debit", "name", "self", "address", "document_details"}
    )
)
TEXTS = st.sampled_from(
    ["card", "credit", "cus_1", "4242424242424242", "12", "31", "VISA", "\ud800"]
)
LEAVES = st.none() | st.booleans() | st.integers() | TEXTS | st.text(max_size=4)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
TAKES_A_BODY = (
    "payment_methods.create",
    "payment_methods.update",
    "customers.create",
    "customers.update",
    "ephemeral_keys.create",
)


@pytest.mark.parametrize("dialect", ["perfectpay", "hyperswitch"])
@given(st.sampled_from(TAKES_A_BODY), st.dictionaries(KEYS, JSON, max_size=6))
def test_any_body_is_answered_or_refused_with_a_4xx(dialect, operation, body):
    sandbox = Sandbox(dialect=dialect)
    sandbox.seed_customer("cus_1")
    (method_id,) = sandbox.seed_cards(1)
    entry = LedgerRequest(1, 0.0, "POST", operation)
    route = next(route for route in ROUTES if route.operation == operation)
    content = json.dumps(body).encode()
    ids = {"payment_method_id": method_id, "customer_id": "cus_1"}
    call = Call(entry, route, ids, {}, MultiDict(), "application/json", content)
    try:
        answer = HANDLERS[operation](sandbox._api, call)
    except Refused as refusal:
        answer = refusal.answer
        assert 400 <= answer.status < 500
        assert not entry.applied
    assert json.loads(answer.body)
    assert bool(sandbox.ledger.writes) is entry.applied


class TestBodies:
    @pytest.mark.parametrize(
        ("body", "headers"),
        [
            (b"{}", {"Content-Type": "text/plain"}),
            (b"{}", {"Content-Type": ""}),
            (b"{", {"Content-Type": "application/json"}),
            (b"[]", {"Content-Type": "application/json"}),
            (b"[" * 30_000, {"Content-Type": "application/json"}),
            (b'{"a": "%b"}' % (b"x" * 33_000), {"Content-Type": "application/json"}),
        ],
        ids=lambda value: None if isinstance(value, dict) else str(len(value)),
    )
    async def test_what_cannot_be_read(self, call, body, headers):
        reply = await call("POST", "/payment_methods", data=body, headers=headers)
        assert reply.error == (400, "error_type", "IR_06")
        assert reply.json["error"]["message"].startswith("Json deserialize error: ")

    async def test_far_too_much(self, call):
        reply = await call(
            "POST",
            "/payment_methods",
            data=io.BytesIO(b"x" * 2_000_000),
            headers={"Content-Type": "application/json"},
        )
        assert reply.error == (400, "error_type", "IR_06")

    async def test_a_charset_does_no_harm(self, call):
        headers = {"Content-Type": "application/json; charset=utf-8"}
        assert (await call("POST", "/customers", data=b"{}", headers=headers)).status == 200
