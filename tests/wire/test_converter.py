from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import attrs
import pytest

from perfectpay_async.entities import CardDetails, OpenEnum, PaymentMethod
from perfectpay_async.secrets import Secret
from perfectpay_async.wire.converter import Mismatch, converter


def test_cattrs_is_not_imported_before_it_is_needed():
    code = "import sys, perfectpay_async.wire.codec; sys.exit('cattrs' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_converter_is_made_once():
    assert converter() is converter()


def test_a_decoded_entity_is_like_a_constructed_one():
    wire = {"payment_method_id": "pm_1", "card": {"nick_name": "Work"}, "new": 1}
    constructed = PaymentMethod(
        payment_method_id="pm_1", card=CardDetails(nick_name="Work"), extra={"new": 1}
    )
    decoded = converter().structure(wire, PaymentMethod)
    assert decoded == constructed
    assert hash(decoded) == hash(constructed)
    assert repr(decoded) == repr(constructed)
    assert decoded.response is None
    assert attrs.evolve(decoded, extra={}) == attrs.evolve(constructed, extra={})


def test_the_path_of_a_mismatch_grows_from_the_inside():
    mismatch = Mismatch("is missing", "zip")
    for step in ("address", "[3]", "items"):
        mismatch.prepend(step)
    assert mismatch.path == "items[3].address.zip"


def test_a_list_in_a_list_has_no_dot_in_its_path():
    mismatch = Mismatch("is missing")
    for step in ("[1]", "[0]", "rows"):
        mismatch.prepend(step)
    assert mismatch.path == "rows[0][1]"


@pytest.mark.parametrize("enum", OpenEnum.__subclasses__())
def test_every_enum_has_its_own_hook(enum: type[OpenEnum]):
    known = next(iter(enum))
    assert converter().structure(known.value, enum) is known
    unknown = converter().structure("something new", enum)
    assert type(unknown) is enum
    assert not unknown.is_known
    assert type(converter().unstructure(unknown)) is str


def test_an_entity_of_ones_own_is_written_like_a_decoded_one():
    method = PaymentMethod(
        payment_method_id="pm_1",
        created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        client_secret=Secret("x"),
        metadata={"a": {"b": [1]}},
        payment_experience=(),
    )
    assert converter().unstructure(method) == {
        "payment_method_id": "pm_1",
        "created": "2026-01-02T03:04:05Z",
        "metadata": {"a": {"b": [1]}},
        "payment_experience": [],
    }
