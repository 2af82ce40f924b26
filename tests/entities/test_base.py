from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from attrs.exceptions import FrozenInstanceError

from perfectpay_async.entities import Bank, FrozenMapping


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
