import random
from datetime import timedelta

import pytest

from perfectpay_async.sandbox import Store

VISA, AMEX = "4242424242424242", "378282246310005"


@pytest.fixture
def store(clock):
    return Store(random.Random(3), clock)


@pytest.fixture
def save(store):
    def save(number=VISA, customer_id="cus_1", month="10", **names):
        if customer_id not in store.customers:
            store.add_customer(customer_id)
        card = None if number is None else store.vault(number, month, "2030", **names)
        return store.save(store.customers[customer_id], "card", "credit", card)

    return save


class TestTheVault:
    def test_keeps_no_number(self, store):
        card = store.vault(VISA, "10", "30")
        assert (card.last4, card.bin) == ("4242", "424242")
        assert VISA not in repr(card) + card.fingerprint + repr(vars(store))
        assert card.fingerprint not in repr(card)

    def test_knows_a_number_again_but_no_other_vault_does(self, store, clock):
        again, other = store.vault(VISA, "1", "99"), Store(random.Random(4), clock)
        assert store.vault(VISA, "10", "30").fingerprint == again.fingerprint
        assert other.vault(VISA, "1", "99").fingerprint != again.fingerprint

    def test_nulls_keep_what_is_there(self, store):
        card = store.vault(VISA, "10", "30", holder="Ida", nick="blue")
        assert card.merged(None, None, None, None) == card
        merged = card.merged("11", "31", "", None)
        assert (merged.month, merged.year, merged.holder, merged.nick) == ("11", "31", "", "blue")
        assert card.month == "10"


class TestSaving:
    def test_the_first_card_is_the_default_whatever_waits(self, store, save):
        save(None)
        first = save()
        save(AMEX)
        assert store.customers["cus_1"].default == first.id

    def test_rows_that_wait_are_never_the_same(self, save):
        assert save(None).id != save(None).id

    def test_one_number_of_one_customer_is_one_row(self, store, save):
        first, again, other = save(), save(month="11"), save(customer_id="cus_2")
        assert first is again is not other
        assert first.card.month == "11"

    def test_the_newest_card_of_a_row_is_the_one_that_is_deleted(self, store, save):
        save()
        store.delete(save().id)
        assert save().card.month == "10"


class TestListing:
    def test_the_last_used_then_the_newest_and_never_what_waits(self, store, save, clock):
        customer = (first := save()) and store.customers["cus_1"]
        second, _ = save(AMEX), save(None)
        assert store.listed(customer) == [second, first]
        clock.now += timedelta(minutes=1)
        save()
        assert store.listed(customer) == [first, second]
        assert store.listed(customer, 1) == [first]
        assert store.listed(customer, 0) == []


class TestRefusals:
    def test_what_does_not_exist(self, store, save, refused_with):
        save()
        for call in (
            lambda: store.method("pm_none"),
            lambda: store.delete("pm_none"),
            lambda: store.customer("cus_none"),
            lambda: store.set_default("cus_1", "pm_none"),
        ):
            assert refused_with(call) == (404, "HE_02")

    def test_an_id_that_is_taken(self, store, refused_with):
        customer = store.add_customer()
        assert refused_with(store.add_customer, customer.id) == (400, "IR_12")

    def test_a_redacted_customer(self, store, save, refused_with):
        method, waiting = save(), save(None)
        customer = store.redact_customer("cus_1")
        assert store.customer("cus_1") is customer
        assert customer.details["email"] == "Redacted"
        assert customer.details["address"] is None
        assert not {method.id, waiting.id} & store.methods.keys()
        for call in (store.active_customer, store.redact_customer):
            assert refused_with(call, "cus_1") == (400, "IR_11")
        assert refused_with(store.set_default, "cus_1", method.id) == (400, "IR_11")
