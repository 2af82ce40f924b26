from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.account_page import cards
from examples.account_page.cards import Standing
from perfectpay_async import CardExpiry, CardNetwork, CustomerPaymentMethod
from perfectpay_async.entities import Bank


@pytest.mark.parametrize(
    ("expiry", "expected"),
    [
        ("2090-04", Standing.EXPIRED),
        ("2090-05", Standing.SOON),
        ("2090-06", Standing.SOON),
        ("2090-07", Standing.GOOD),
        ("2089-05", Standing.EXPIRED),
        ("2091-05", Standing.GOOD),
    ],
)
def test_a_card_is_good_then_ends_soon_then_has_expired(make_method, today, expiry, expected):
    year, month = expiry.split("-")
    assert cards.standing(make_method(month, year), today) is expected


@given(st.integers(1, 12), st.integers(2000, 2099), st.dates(date(2000, 1, 1), date(2099, 12, 31)))
def test_what_has_expired_does_not_expire_soon(month, year, day):
    expiry = CardExpiry(month, year)
    assert not (expiry.is_expired(day) and cards.expires_soon(expiry, day, 10_000))
    assert expiry.is_expired(day) or cards.expires_soon(expiry, day, 10_000)


def test_soon_is_counted_across_the_turn_of_the_year():
    december = date(2090, 12, 31)
    assert cards.expires_soon(CardExpiry(1, 2091), december)
    assert not cards.expires_soon(CardExpiry(2, 2091), december)
    assert cards.expires_soon(CardExpiry(2, 2091), december, months=3)


@pytest.mark.parametrize(("month", "year"), [(None, None), ("13", "2090"), ("12", None)])
def test_an_expiry_that_cannot_be_read_gets_no_mark(make_method, today, month, year):
    assert cards.standing(make_method(month, year), today) is Standing.GOOD


@pytest.mark.parametrize(
    ("card", "name"),
    [
        ({"card_network": CardNetwork.AMERICAN_EXPRESS}, "American Express ending in 4242"),
        ({"card_network": CardNetwork("Newcomer")}, "Newcomer ending in 4242"),
        ({"card_network": None, "scheme": "visa"}, "visa ending in 4242"),
        ({"card_network": None, "last4_digits": None}, "Card"),
    ],
)
def test_a_card_is_called_by_brand_and_last_digits(make_method, card, name):
    assert cards.name(make_method(card=card)) == name


def test_another_kind_of_method_has_a_name_too():
    method = CustomerPaymentMethod(
        payment_method_id="pm_1", payment_method_type="sepa", bank=Bank(mask="DE00XXXX3000")
    )
    assert cards.name(method) == "Sepa ending in 3000"
    assert not cards.needs_cvc(method)
    assert cards.name(CustomerPaymentMethod(payment_method_id="pm_1")) == "Payment method"


@pytest.mark.parametrize(("requires_cvv", "needed"), [(True, True), (None, True), (False, False)])
def test_the_cvc_is_asked_for_unless_the_server_says_no(make_method, requires_cvv, needed):
    assert cards.needs_cvc(make_method(requires_cvv=requires_cvv)) is needed


def test_the_default_is_offered_first_unless_it_has_expired(make_method, today):
    good = make_method(payment_method_id="pm_good")
    default = make_method(payment_method_id="pm_default", default_payment_method_set=True)
    past = make_method("01", "2090", payment_method_id="pm_past", default_payment_method_set=True)
    assert cards.preselected([good, default], today) == "pm_default"
    assert cards.preselected([past, good], today) == "pm_good"
    assert cards.preselected([past], today) is None
