from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfectpay_async.entities import (
    BankHolderType,
    BankType,
    CardNetwork,
    OpenEnum,
    PaymentExperience,
    PaymentMethodIssuerCode,
    PaymentMethodKind,
    PaymentMethodType,
    SurchargeKind,
)

REPEATABLE = settings(derandomize=True)
SIZES = {
    PaymentMethodKind: 16,
    PaymentMethodType: 121,
    CardNetwork: 15,
    PaymentExperience: 8,
    PaymentMethodIssuerCode: 10,
    BankType: 2,
    BankHolderType: 2,
    SurchargeKind: 2,
}


@pytest.mark.parametrize(("enum", "size"), SIZES.items())
def test_the_values_known_today(enum: type[OpenEnum], size: int):
    assert len(enum) == size
    assert all(member.is_known and enum(member.value) is member for member in enum)


@pytest.mark.parametrize(
    "value", ["american_express", "AMERICAN_EXPRESS", "Americanexpress", "", "UNKNOWN", "é\n"]
)
def test_a_value_that_is_not_known_is_kept_as_it_came(value: str):
    network = CardNetwork(value)
    assert network == value
    assert str(network) == value
    assert json.dumps([network]) == json.dumps([value])
    assert not network.is_known


def test_an_unknown_value_shows_that_it_is_unknown():
    assert repr(PaymentMethodKind("barter")) == "<PaymentMethodKind.UNKNOWN: 'barter'>"


def test_unknown_values_are_not_remembered():
    PaymentMethodKind("barter")
    assert len(PaymentMethodKind) == 16
    assert PaymentMethodKind("barter") is not PaymentMethodKind("barter")


@pytest.mark.parametrize("value", [None, 1, b"card", ["card"]])
def test_what_is_not_a_string_is_refused(value: Any):
    with pytest.raises(ValueError, match="is not a valid"):
        PaymentMethodKind(value)


@REPEATABLE
@given(st.sampled_from(["card", "wallet"]) | st.text())
def test_members_equal_and_hash_like_their_text_and_survive_pickle_and_copy(value: str):
    member = PaymentMethodKind(value)
    assert member == PaymentMethodKind(value) == value
    assert hash(member) == hash(value)
    assert {value: 1}[member] == 1
    for twin in (pickle.loads(pickle.dumps(member)), copy.copy(member), copy.deepcopy(member)):
        assert type(twin) is PaymentMethodKind
        assert twin == member
        assert twin.is_known == member.is_known


def test_a_known_member_keeps_its_identity_over_pickle_and_copy():
    member = PaymentMethodKind.CARD
    assert pickle.loads(pickle.dumps(member)) is member
    assert copy.deepcopy(member) is member
