"""What a customer may do, against the sandbox."""

import pytest

from examples.account_page.methods import CustomerMethods
from perfectpay_async import CardExpiry, DeadlineExceeded, Outcome, PerfectPay, RouteNotFound
from perfectpay_async.sandbox import Fault

CUSTOMER = "cus_ida_brook"


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


async def test_the_calls_for_a_page_share_its_time(perfectpay_client, save_card, monkeypatch):
    save_card()
    given = []
    with_options = PerfectPay.with_options

    def noted(client, **options):
        given.append((options["deadline"], options["attempt_timeout"]))
        return with_options(client, **options)

    monkeypatch.setattr(PerfectPay, "with_options", noted)
    clock = Clock()
    mine = CustomerMethods(perfectpay_client, CUSTOMER, seconds=60, clock=clock)
    (method,) = await mine.list()
    clock.now += 58
    await mine.update_expiry(method, CardExpiry(1, 2095))
    assert given == [(60, 3), (2, 2)]


async def test_when_the_time_is_over_nothing_is_sent_any_more(
    perfectpay_client, save_card, perfectpay_ledger
):
    save_card()
    clock = Clock()
    mine = CustomerMethods(perfectpay_client, CUSTOMER, seconds=60, clock=clock)
    (method,) = await mine.list()
    clock.now += 61
    with pytest.raises(DeadlineExceeded) as caught:
        await mine.delete(method)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert perfectpay_ledger.writes == []


async def test_a_customer_whom_the_server_does_not_know_has_no_methods(perfectpay_client):
    assert await CustomerMethods(perfectpay_client, "cus_nobody").list() == ()


async def test_a_server_without_the_route_is_not_taken_for_that(
    perfectpay_client, perfectpay_faults
):
    body = b'{"error":{"type":"invalid_request","message":"x","code":"IR_02"}}'
    perfectpay_faults.add(Fault.status(404, body=body))
    with pytest.raises(RouteNotFound):
        await CustomerMethods(perfectpay_client, CUSTOMER).list()


async def test_only_the_customers_own_methods_are_found(perfectpay_client, save_card):
    own = save_card()
    other = save_card(customer_id="cus_other")
    mine = CustomerMethods(perfectpay_client, CUSTOMER)
    assert (await mine.find(own)).payment_method_id == own
    assert await mine.find(other) is None


@pytest.mark.parametrize(("stored", "sent"), [("92", "95"), ("2092", "2095")])
async def test_the_year_keeps_its_style(
    perfectpay_client, save_card, perfectpay_ledger, stored, sent
):
    mine = CustomerMethods(perfectpay_client, CUSTOMER)
    method = await mine.find(save_card(year=stored))
    await mine.update_expiry(method, CardExpiry(3, 2095))
    assert perfectpay_ledger.expiry_of(method.payment_method_id) == ("03", sent)


async def test_what_is_the_default_already_is_not_set_again(
    perfectpay_client, save_card, perfectpay_ledger
):
    mine = CustomerMethods(perfectpay_client, CUSTOMER)
    await mine.set_default(await mine.find(save_card()))
    assert perfectpay_ledger.requests_of("payment_methods.set_default") == []
