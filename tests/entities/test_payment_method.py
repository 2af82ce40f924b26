from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from yarl import URL

from perfectpay_async.entities import (
    Address,
    AddressDetails,
    Bank,
    CardDetails,
    CustomerPaymentMethod,
    DeletedPaymentMethod,
    PaymentMethod,
    PaymentMethodKind,
    PaymentMethodList,
    Percentage,
    Phone,
    Surcharge,
    SurchargeDetails,
    SurchargeKind,
)
from perfectpay_async.messages import Operation, Request, Response
from perfectpay_async.secrets import Secret

MOMENT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture
def response() -> Response:
    operation = Operation("payment_methods.list", "GET", "/", repeatable=True, idempotent_key=False)
    request = Request(operation, URL("https://api.example"), {}, None, 0.0, 9.0, 9.0)
    return Response(200, {}, b'{"a": "raw-body"}', 0.1, request)


def item(number: int, **fields: Any) -> CustomerPaymentMethod:
    return CustomerPaymentMethod(payment_method_id=f"pm_{number}", **fields)


def method(**fields: Any) -> PaymentMethod:
    return PaymentMethod(
        payment_method_id="pm_1",
        payment_method=PaymentMethodKind.CARD,
        card=CardDetails(last4_digits="5556"),
        metadata={"order": {"lines": [1]}},
        created=MOMENT,
        client_secret=Secret("pm_1_secret_x"),
        **fields,
    )


def test_a_list_is_a_sequence():
    methods = PaymentMethodList(customer_payment_methods=(item(1), item(2), item(3)))
    assert isinstance(methods, Sequence)
    assert len(methods) == 3
    assert [one.payment_method_id for one in methods] == ["pm_1", "pm_2", "pm_3"]
    assert methods[0] == item(1)
    assert methods[-1] == item(3)
    assert methods[1:] == (item(2), item(3))
    assert item(2) in methods
    assert methods.index(item(3)) == 2
    assert next(reversed(methods)) == item(3)
    with pytest.raises(IndexError):
        _ = methods[3]


def test_an_empty_list_is_false():
    assert not PaymentMethodList(customer_payment_methods=())


def test_the_default_of_a_list():
    chosen = item(2, default_payment_method_set=True)
    assert PaymentMethodList(customer_payment_methods=(item(1), chosen)).default is chosen
    assert PaymentMethodList(customer_payment_methods=(item(1),)).default is None
    assert PaymentMethodList(customer_payment_methods=()).default is None


def test_the_raw_answer_counts_neither_for_equality_nor_repr_nor_hash(response: Response):
    for with_answer, without in [
        (method(response=response), method()),
        (
            PaymentMethodList(customer_payment_methods=(), response=response),
            PaymentMethodList(customer_payment_methods=()),
        ),
        (
            DeletedPaymentMethod(payment_method_id="pm_1", response=response),
            DeletedPaymentMethod(payment_method_id="pm_1"),
        ),
    ]:
        assert with_answer == without
        assert hash(with_answer) == hash(without)
        assert repr(with_answer) == repr(without)


def test_metadata_and_unknown_fields_count_for_equality():
    assert method() != method(extra={"a": 1})
    assert hash(method()) == hash(method(extra={"a": {}}))


@pytest.mark.parametrize(
    "make",
    [
        method,
        lambda: item(
            1,
            bank=Bank(mask="89"),
            billing=Address(address=AddressDetails(city="Ulm"), phone=Phone(number="1")),
            surcharge_details=SurchargeDetails(
                surcharge=Surcharge(type=SurchargeKind.RATE, value=Percentage(percentage=2.5))
            ),
            metadata={"a": [1]},
        ),
        lambda: PaymentMethodList(customer_payment_methods=(item(1), item(2))),
        lambda: DeletedPaymentMethod(payment_method_id="pm_1"),
    ],
)
def test_entities_compare_hash_copy_and_pickle(make: Callable[[], Any]):
    entity = make()
    assert entity == make()
    assert hash(entity) == hash(make())
    assert copy.copy(entity) == copy.deepcopy(entity) == entity
    twin = pickle.loads(pickle.dumps(entity))
    assert repr(twin) == repr(entity)


def test_a_pickle_holds_neither_secrets_nor_the_raw_answer(response: Response):
    pickled = pickle.dumps(method(response=response))
    assert b"_secret_x" not in pickled
    assert b"raw-body" not in pickled
    twin = pickle.loads(pickled)
    assert twin.response is None
    assert twin.metadata == {"order": {"lines": [1]}}
    assert (twin.payment_method_id, twin.created, twin.card) == ("pm_1", MOMENT, method().card)


def test_secrets_and_values_of_free_form_are_not_shown():
    shown = repr(
        PaymentMethod(
            payment_method_id="pm_1",
            client_secret=Secret("hidden-1"),
            metadata={"a": "hidden-2"},
            bank_transfer={"iban": "hidden-3"},
            wallet={"email": "hidden-4"},
            extra={"new": "hidden-5"},
        )
    ) + repr(item(1, payment_token=Secret("hidden-6")))
    assert "hidden" not in shown
    assert "<keys: iban>" in shown


def test_what_identifies_a_person_is_not_shown():
    billing = Address(
        address=AddressDetails(
            country="DE", city="hidden", line1="hidden", first_name="hidden", last_name="hidden"
        ),
        phone=Phone(number="hidden", country_code="+49"),
        email="hidden",
    )
    assert "hidden" not in repr(billing)
    assert "'DE'" in repr(billing)
