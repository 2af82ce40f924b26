from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from perfectpay_async.cli.showing import as_data, printable, show
from perfectpay_async.entities import CardDetails, PaymentExperience, PaymentMethod
from perfectpay_async.entities import PaymentMethodKind as Kind
from perfectpay_async.secrets import Secret

PLANTED = "planted83613"
METHOD = PaymentMethod(
    payment_method_id="pm_1",
    payment_method=Kind.CARD,
    card=CardDetails(
        last4_digits="4242",
        card_token=Secret(PLANTED),
        card_holder_name="Ida\x1b[31m",
        extra={"new_token": PLANTED},
    ),
    wallet={"account": PLANTED},
    bank_transfer={"iban": PLANTED},
    payment_experience=(PaymentExperience.ONE_CLICK, PaymentExperience("new")),
    metadata={"segment": "beta", "more": {"a": [1, None]}},
    created=datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
    client_secret=Secret(PLANTED),
    extra={"next_secret": PLANTED},
)


def test_what_may_be_shown():
    assert as_data(METHOD) == {
        "payment_method_id": "pm_1",
        "payment_method": "card",
        "card": {"last4_digits": "4242", "card_holder_name": "Ida\x1b[31m"},
        "payment_experience": ["one_click", "new"],
        "metadata": {"segment": "beta", "more": {"a": [1, None]}},
        "created": "2026-02-03T04:05:06Z",
    }


@pytest.mark.parametrize("as_json", [True, False])
def test_no_secret_unknown_field_or_control_character_gets_out(as_json, capsys):
    show(METHOD, as_json=as_json)
    out = capsys.readouterr().out
    assert PLANTED not in out
    assert "\x1b" not in out
    if as_json:
        assert json.loads(out) == as_data(METHOD)
    else:
        assert "card.last4_digits" in out


def test_one_line_that_cannot_steer_a_terminal():
    assert printable("a\nb\x9bc\u202ed") == "a\ufffdb\ufffdc\ufffdd"
    assert printable({"a": [1, True]}) == '{"a": [1, true]}'
