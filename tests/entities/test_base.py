from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from attrs.exceptions import FrozenInstanceError

from perfectpay_async import Response
from perfectpay_async.entities import (
    AddressDetails,
    Bank,
    Customer,
    Entity,
    FrozenMapping,
    PaymentMethod,
    PaymentMethodList,
    Percentage,
    SurchargeDetails,
)


def test_a_frozen_mapping_reads_like_a_dict():
    mapping = FrozenMapping({"a": 1, "b": [2]})
    assert mapping == {"a": 1, "b": [2]}
    assert mapping["a"] == 1
    assert list(mapping) == ["a", "b"]
    assert len(mapping) == 2
    assert dict(mapping) == {"a": 1, "b": [2]}


def test_a_frozen_mapping_cannot_be_changed_and_is_not_changed_through_its_source():
    source: dict[str, object] = {"a": 1}
    mapping: Any = FrozenMapping(source)
    source["b"] = 2
    assert mapping == {"a": 1}
    with pytest.raises(TypeError):
        mapping["a"] = 2


def test_a_frozen_mapping_shows_its_keys_and_not_its_values():
    assert repr(FrozenMapping({"iban": "DE89", "x": 1})) == "<keys: iban, x>"
    assert repr(FrozenMapping({})) == "<keys: none>"


def test_a_frozen_mapping_survives_pickle_and_copy():
    mapping = FrozenMapping({"a": {"b": 1}})
    assert pickle.loads(pickle.dumps(mapping)) == mapping
    assert copy.deepcopy(mapping) == mapping


def test_unknown_fields_of_an_entity_are_empty_by_default_and_frozen():
    assert Bank(mask="1").extra == {}
    assert repr(Bank(mask="1", extra={"owner": "Ada"})) == "Bank(mask='1', extra=<keys: owner>)"
    extra: Any = Bank(extra={"a": 1}).extra
    with pytest.raises(TypeError):
        extra["a"] = 2


def test_an_entity_is_frozen_and_has_no_dict():
    bank: Any = Bank(mask="1")
    with pytest.raises(FrozenInstanceError):
        bank.mask = "2"
    assert not hasattr(bank, "__dict__")


def test_entities_are_equal_when_their_fields_are_and_their_classes():
    assert Bank(mask="1") == Bank(mask="1")
    assert Bank(mask="1") != Bank(mask="2")
    assert Bank(mask="1") != Bank(mask="1", extra={"owner": "Ada"})
    assert Bank() != Percentage()
    assert Bank() != None  # noqa: E711 - the comparison is the point
    assert Bank().__eq__("Bank()") is NotImplemented
    assert SurchargeDetails(tax_on_surcharge=Percentage(percentage=1.0)) == SurchargeDetails(
        tax_on_surcharge=Percentage(percentage=1.0)
    )
    assert PaymentMethodList(customer_payment_methods=()) != ()


def test_the_raw_answer_counts_neither_for_equality_nor_for_the_hash():
    answer: Any = Response(200, {}, b"{}", 0.0, None)
    one, other = (
        PaymentMethod(payment_method_id="pm_1"),
        PaymentMethod(payment_method_id="pm_1", response=answer),
    )
    assert one == other
    assert hash(one) == hash(other)
    assert {one: "kept"}[other] == "kept"


def test_what_is_of_free_form_counts_for_equality_alone():
    one = Customer(customer_id="c", metadata={"a": [1]})
    other = Customer(customer_id="c", metadata={"a": [2]}, extra={"x": {}})
    assert one != other
    assert hash(one) == hash(other)


def test_the_hash_is_of_the_fields_and_the_class():
    assert len({hash(Bank(mask=mask)) for mask in "abcdefgh"}) == 8
    assert hash(Bank()) != hash(Percentage())


def test_repr_names_the_shown_fields_in_their_order():
    shown = repr(AddressDetails(city="Ghent", country="BE", extra={"ward": "7"}))
    assert shown == "AddressDetails(country='BE', extra=<keys: ward>)"


def test_a_class_derived_from_an_entity_is_one():
    class Own(Bank):
        pass

    assert Own(mask="1") == Own(mask="1")
    assert Own(mask="1") != Bank(mask="1")
    assert repr(Own(mask="1")).endswith("Own(mask='1', extra=<keys: none>)")


def entity_classes(base: type[Entity]) -> list[type[Entity]]:
    direct = [cls for cls in base.__subclasses__() if cls.__module__.startswith("perfectpay")]
    return direct + [cls for child in direct for cls in entity_classes(child)]


def test_no_entity_class_has_such_methods_of_its_own():
    # attrs would compile them for each class; see `Entity`.
    kinds = [cls for cls in entity_classes(Entity) if "__attrs_attrs__" in vars(cls)]
    assert len(kinds) > 15
    assert {
        cls.__name__ for cls in kinds if {"__eq__", "__hash__", "__repr__"} & vars(cls).keys()
    } == set()
