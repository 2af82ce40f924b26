"""Customers: the shape of every request, every form of success, and what a repeat means."""

import json
import logging
import pickle
import re
import traceback
from datetime import UTC, datetime

import pytest
from yarl import URL

from perfectpay_async import (
    AddressDetails,
    BadRequest,
    ConnectionLostError,
    Customer,
    DocumentDetails,
    DocumentType,
    InvalidRequestError,
    Outcome,
    PerfectPay,
    ResponseDecodingError,
    RetryPolicy,
    RouteNotFound,
    ServerError,
)

ROOT = "http://127.0.0.1:9/api"
SAVED = {
    "customer_id": "cus_9",
    "name": "Ida Brook",
    "email": "ida@example.com",
    "phone": "5555550100",
    "phone_country_code": "+1",
    "description": None,
    "address": {"city": "Bergen", "country": "NO", "line1": "Strandgaten 1", "zip": None},
    "created_at": "2026-03-22T14:35:42Z",
    "metadata": {"segment": "beta"},
    "default_payment_method_id": "pm_7hQ2",
    "tax_registration_id": None,
    "document_details": {"document_type": "cpf", "document_number": "12345678911"},
    "loyalty": "gold",
}


def error_body(code, message="no"):
    return {"error": {"type": "invalid_request", "code": code, "message": message}}


@pytest.fixture
async def client():
    retry = RetryPolicy(wait=lambda state: 0.0)
    async with PerfectPay("snd_planted_83613", base_url=ROOT, retry=retry) as client:
        yield client


def calls_to(mocked_api, method, path):
    return mocked_api.requests.get((method, URL(ROOT + path)), [])


def body_of(mocked_api, method, path):
    (call,) = calls_to(mocked_api, method, path)
    return json.loads(call.kwargs["data"].decode())


class TestTheEntity:
    async def test_every_field(self, client, mocked_api):
        mocked_api.get(f"{ROOT}/customers/cus_9", payload=SAVED)
        customer = await client.customers.retrieve("cus_9")
        assert customer.name == "Ida Brook"
        assert customer.address == AddressDetails(
            city="Bergen", country="NO", line1="Strandgaten 1"
        )
        assert customer.created_at == datetime(2026, 3, 22, 14, 35, 42, tzinfo=UTC)
        assert customer.metadata == {"segment": "beta"}
        assert customer.document_details.document_type is DocumentType.CPF
        assert customer.default_payment_method_id == "pm_7hQ2"
        assert customer.extra == {"loyalty": "gold"}
        assert customer.response.status == 200
        assert not customer.is_redacted

    async def test_the_few_fields_of_perfectpays_page_are_enough(self, client, mocked_api):
        few = {key: SAVED[key] for key in ("customer_id", "name", "email", "created_at")}
        mocked_api.get(f"{ROOT}/customers/cus_9", payload=few)
        customer = await client.customers.retrieve("cus_9")
        assert (customer.phone, customer.address, customer.extra) == (None, None, {})

    async def test_what_identifies_a_person_is_not_printed_or_pickled_raw(self, client, mocked_api):
        mocked_api.get(f"{ROOT}/customers/cus_9", payload=SAVED)
        customer = await client.customers.retrieve("cus_9")
        shown = repr(customer)
        for planted in ("Ida", "ida@", "5555550100", "Strandgaten", "12345678911", "gold"):
            assert planted not in shown
        again = pickle.loads(pickle.dumps(customer))
        assert again == customer
        assert again.response is None

    async def test_a_deleted_one_is_redacted(self, client, mocked_api):
        redacted = dict.fromkeys(("name", "email", "phone", "description"), "Redacted")
        mocked_api.get(f"{ROOT}/customers/cus_9", payload={**SAVED, **redacted})
        assert (await client.customers.retrieve("cus_9")).is_redacted
        assert not Customer(customer_id="cus_9", name="Redacted").is_redacted

    async def test_an_unknown_kind_of_document_survives(self, client, mocked_api):
        document = {"document_type": "passport", "document_number": "1"}
        mocked_api.get(f"{ROOT}/customers/cus_9", payload={**SAVED, "document_details": document})
        found = await client.customers.retrieve("cus_9")
        assert found.document_details.document_type == "passport"

    @pytest.mark.parametrize("body", [b"", b"[]", b'{"customer_id": 7}', b'{"name": "x"}'])
    async def test_something_else_is_an_error(self, client, mocked_api, body):
        mocked_api.get(f"{ROOT}/customers/cus_9", body=body)
        with pytest.raises(ResponseDecodingError):
            await client.customers.retrieve("cus_9")

    async def test_another_customer_is_an_error(self, client, mocked_api):
        mocked_api.get(f"{ROOT}/customers/cus_8", payload=SAVED)
        with pytest.raises(ResponseDecodingError, match="the id that was asked for"):
            await client.customers.retrieve("cus_8")


class TestCreate:
    async def test_the_body(self, client, mocked_api):
        mocked_api.post(f"{ROOT}/customers", payload=SAVED)
        await client.customers.create(
            customer_id="cus_9",
            name="Ida Brook",
            email="ida@example.com",
            phone="5555550100",
            phone_country_code="+1",
            address=AddressDetails(city="Bergen"),
            metadata={"segment": "beta"},
            document_details=DocumentDetails(
                document_type=DocumentType.CPF, document_number="12345678911"
            ),
        )
        assert body_of(mocked_api, "POST", "/customers") == {
            "customer_id": "cus_9",
            "name": "Ida Brook",
            "email": "ida@example.com",
            "phone": "5555550100",
            "phone_country_code": "+1",
            "address": {"city": "Bergen"},
            "metadata": {"segment": "beta"},
            "document_details": {"document_type": "cpf", "document_number": "12345678911"},
        }
        (call,) = calls_to(mocked_api, "POST", "/customers")
        assert call.kwargs["headers"]["Idempotency-Key"]

    async def test_nothing_is_needed(self, client, mocked_api):
        mocked_api.post(f"{ROOT}/customers", payload=SAVED)
        assert (await client.customers.create()).customer_id == "cus_9"
        assert body_of(mocked_api, "POST", "/customers") == {}

    async def test_without_an_id_it_is_not_repeated_when_it_may_be_done(self, client, mocked_api):
        mocked_api.post(f"{ROOT}/customers", status=500, repeat=True)
        with pytest.raises(ServerError) as caught:
            await client.customers.create(name="Ida Brook")
        assert caught.value.outcome is Outcome.UNKNOWN
        assert len(calls_to(mocked_api, "POST", "/customers")) == 1

    async def test_with_an_id_it_is_repeated(self, client, mocked_api):
        mocked_api.post(f"{ROOT}/customers", status=500)
        mocked_api.post(f"{ROOT}/customers", payload=SAVED)
        assert (await client.customers.create(customer_id="cus_9")).customer_id == "cus_9"

    async def test_taken_after_a_lost_answer_and_all_as_sent_is_done(self, client, mocked_api):
        mocked_api.post(f"{ROOT}/customers", exception=ConnectionResetError())
        mocked_api.post(f"{ROOT}/customers", status=400, payload=error_body("IR_12"))
        mocked_api.get(f"{ROOT}/customers/cus_9", payload=SAVED)
        customer = await client.customers.create(
            customer_id="cus_9",
            name="Ida Brook",
            address=AddressDetails(city="Bergen", country="NO", line1="Strandgaten 1"),
            metadata={"segment": "beta"},
        )
        assert customer.email == "ida@example.com"

    async def test_taken_after_a_lost_answer_with_other_values_is_not(self, client, mocked_api):
        mocked_api.post(f"{ROOT}/customers", status=503)
        mocked_api.post(f"{ROOT}/customers", status=400, payload=error_body("IR_12"))
        mocked_api.get(f"{ROOT}/customers/cus_9", payload=SAVED)
        with pytest.raises(BadRequest) as caught:
            await client.customers.create(customer_id="cus_9", name="Ada Moss")
        assert caught.value.outcome is Outcome.UNKNOWN
        assert "with other values" in caught.value.__notes__[0]

    async def test_taken_after_a_lost_answer_by_a_deleted_one_is_not(self, client, mocked_api):
        mocked_api.post(f"{ROOT}/customers", status=503)
        mocked_api.post(f"{ROOT}/customers", status=400, payload=error_body("IR_12"))
        redacted = {"customer_id": "cus_9", "name": "Redacted", "email": "Redacted"}
        mocked_api.get(f"{ROOT}/customers/cus_9", payload=redacted)
        with pytest.raises(BadRequest) as caught:
            await client.customers.create(customer_id="cus_9")
        assert "or a deleted one" in caught.value.__notes__[0]

    async def test_taken_after_a_lost_answer_and_nothing_to_see_is_said(self, client, mocked_api):
        mocked_api.post(f"{ROOT}/customers", status=503)
        mocked_api.post(f"{ROOT}/customers", status=400, payload=error_body("IR_12"))
        mocked_api.get(f"{ROOT}/customers/cus_9", status=403, repeat=True)
        with pytest.raises(BadRequest) as caught:
            await client.customers.create(customer_id="cus_9")
        assert "could not be looked up" in caught.value.__notes__[0]

    async def test_taken_at_the_first_attempt_is_taken(self, client, mocked_api):
        mocked_api.post(f"{ROOT}/customers", status=400, payload=error_body("IR_12"))
        with pytest.raises(BadRequest) as caught:
            await client.customers.create(customer_id="cus_9", name="Ida Brook")
        assert caught.value.outcome is Outcome.REFUSED
        assert calls_to(mocked_api, "GET", "/customers/cus_9") == []

    async def test_an_answer_about_somebody_else_is_refused(self, client, mocked_api):
        mocked_api.post(f"{ROOT}/customers", payload=SAVED)
        with pytest.raises(ResponseDecodingError, match="customer_id"):
            await client.customers.create(customer_id="cus_8")


class TestWhatIsNotSent:
    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"name": 5}, "name must be of type str"),
            ({"email": "x" * 256}, "email must have at most 255 characters"),
            ({"address": {"city": "Bergen"}}, "address must be of type AddressDetails"),
            ({"document_details": "cpf"}, "document_details must be of type DocumentDetails"),
            ({"metadata": {"a": {1, 2}}}, "metadata must be a mapping"),
            ({"metadata": 7}, "metadata must be a mapping"),
        ],
    )
    async def test_bad_fields(self, client, mocked_api, fields, said):
        for call in (client.customers.create(**fields), client.customers.update("cus_9", **fields)):
            with pytest.raises(InvalidRequestError, match=re.escape(said)) as caught:
                await call
            assert caught.value.outcome is Outcome.NOT_SENT
        assert mocked_api.requests == {}

    @pytest.mark.parametrize(
        "bad", ["", "a b", "../x", "x" * 65, None, 7, "list", "payment_methods"]
    )
    async def test_bad_ids(self, client, mocked_api, bad):
        customers = client.customers
        for call in (
            customers.retrieve(bad),
            customers.update(bad, name="x"),
            customers.delete(bad),
        ):
            with pytest.raises(InvalidRequestError, match="customer_id must"):
                await call
        if bad is not None:
            with pytest.raises(InvalidRequestError, match="customer_id must"):
                await customers.create(customer_id=bad)
        assert mocked_api.requests == {}

    async def test_an_update_of_nothing(self, client, mocked_api):
        with pytest.raises(InvalidRequestError, match="at least one field"):
            await client.customers.update("cus_9")
        assert mocked_api.requests == {}

    @pytest.mark.parametrize(
        "numbers",
        [
            {"limit": -1},
            {"limit": True},
            {"limit": "5"},
            {"offset": 1.5},
            {"page_size": None},
            {"offset": -1},
            {"page_size": 0},
            {"page_size": 1_001},
        ],
    )
    async def test_bad_numbers_are_refused_at_once(self, client, mocked_api, numbers):
        with pytest.raises(InvalidRequestError, match=next(iter(numbers))):
            client.customers.list(**numbers)
        assert mocked_api.requests == {}


class TestUpdate:
    async def test_only_what_is_given_is_sent(self, client, mocked_api):
        mocked_api.post(f"{ROOT}/customers/cus_9", payload=SAVED)
        updated = await client.customers.update("cus_9", phone="5555550100")
        assert body_of(mocked_api, "POST", "/customers/cus_9") == {"phone": "5555550100"}
        assert updated.phone == "5555550100"

    async def test_it_is_repeated(self, client, mocked_api):
        mocked_api.post(f"{ROOT}/customers/cus_9", status=500)
        mocked_api.post(f"{ROOT}/customers/cus_9", payload=SAVED)
        updated = await client.customers.update("cus_9", phone="5555550100")
        assert len(updated.response.earlier_attempts) == 1

    async def test_a_server_without_it_says_so(self, client, mocked_api):
        mocked_api.post(f"{ROOT}/customers/cus_9", status=404, payload=error_body("IR_02"))
        with pytest.raises(RouteNotFound):
            await client.customers.update("cus_9", name="Ida")


class TestDelete:
    DELETED = {
        "customer_id": "cus_9",
        "customer_deleted": True,
        "address_deleted": True,
        "payment_methods_deleted": True,
    }

    @pytest.mark.parametrize("body", [json.dumps(DELETED), "", "{}"])
    async def test_the_answers(self, client, mocked_api, body):
        mocked_api.delete(f"{ROOT}/customers/cus_9", body=body)
        deleted = await client.customers.delete("cus_9")
        assert (deleted.customer_id, deleted.customer_deleted) == ("cus_9", True)
        assert deleted.payment_methods_deleted is (True if "methods" in body else None)

    @pytest.mark.parametrize("lie", [{"customer_deleted": False}, {"customer_id": "cus_8"}])
    async def test_an_answer_that_says_otherwise_is_an_error(self, client, mocked_api, lie):
        mocked_api.delete(f"{ROOT}/customers/cus_9", payload={**self.DELETED, **lie})
        with pytest.raises(ResponseDecodingError, match=next(iter(lie))):
            await client.customers.delete("cus_9")

    async def test_redacted_already_after_a_lost_answer_is_done(self, client, mocked_api):
        mocked_api.delete(f"{ROOT}/customers/cus_9", exception=ConnectionResetError())
        mocked_api.delete(f"{ROOT}/customers/cus_9", status=400, payload=error_body("IR_11"))
        deleted = await client.customers.delete("cus_9")
        assert (deleted.customer_id, deleted.response) == ("cus_9", None)

    @pytest.mark.parametrize("code", ["IR_10", "IR_11"])
    async def test_a_refusal_at_the_first_attempt_is_one(self, client, mocked_api, code):
        mocked_api.delete(f"{ROOT}/customers/cus_9", status=400, payload=error_body(code))
        with pytest.raises(BadRequest, match=code):
            await client.customers.delete("cus_9")

    async def test_a_mandate_after_a_lost_answer_is_no_success(self, client, mocked_api):
        mocked_api.delete(f"{ROOT}/customers/cus_9", status=500)
        mocked_api.delete(f"{ROOT}/customers/cus_9", status=400, payload=error_body("IR_10"))
        with pytest.raises(BadRequest, match="IR_10"):
            await client.customers.delete("cus_9")


class TestList:
    @pytest.mark.parametrize("envelope", [lambda page: page, lambda page: {"data": page}])
    async def test_an_array_and_an_envelope(self, client, mocked_api, envelope):
        url = f"{ROOT}/customers/list"
        mocked_api.get(f"{url}?limit=100&offset=0", payload=envelope([SAVED]))
        mocked_api.get(f"{url}?limit=100&offset=1", payload=envelope([]))
        found = [customer async for customer in client.customers.list()]
        assert [customer.customer_id for customer in found] == ["cus_9"]
        assert found[0].response is None

    async def test_an_item_that_is_none_is_named(self, client, mocked_api):
        mocked_api.get(f"{ROOT}/customers/list?limit=100&offset=0", payload=[SAVED, {"name": "x"}])
        with pytest.raises(ResponseDecodingError) as caught:
            await anext(aiter(client.customers.list()))
        assert caught.value.path == "data[1].customer_id"


async def test_no_value_of_a_customer_or_key_is_logged_or_raised(client, mocked_api, caplog):
    caplog.set_level(logging.DEBUG)
    mocked_api.post(f"{ROOT}/customers", exception=ConnectionResetError())
    person = {"name": "Planted Name", "email": "planted@example.com"}
    with pytest.raises(ConnectionLostError) as caught:
        await client.customers.create(**person)
    report = "".join(traceback.format_exception(caught.value)) + caplog.text
    for planted in ("Planted Name", "planted@", "snd_planted_83613"):
        assert planted not in report
