"""Customers, default methods and ephemeral keys over a real socket, with answers that get lost."""

import pytest
from tenacity import stop_after_attempt

from perfectpay_async import (
    AddressDetails,
    AuthenticationError,
    BadRequest,
    CardExpiry,
    ConnectionLostError,
    NewCard,
    NotFound,
    Outcome,
    PerfectPay,
    RetryPolicy,
)
from perfectpay_async.sandbox import Fault, Sandbox

PATIENT = RetryPolicy(stop=stop_after_attempt(5), wait=lambda state: 0.005)
VISA, MASTERCARD = "4242424242424242", "5555555555554444"


@pytest.fixture
async def sandbox():
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def client(sandbox):
    async with PerfectPay(sandbox.api_key, base_url=sandbox.url, retry=PATIENT) as client:
        yield client


def lose_one_answer(sandbox, operation):
    sandbox.faults.add(Fault.reset_after(operation=operation, times=1))


def applied(sandbox, operation):
    return [write for write in sandbox.ledger.writes if write.operation == operation]


async def save(client, customer_id, number=VISA):
    card = NewCard(number, CardExpiry(12, 2045), holder_name="Ida Brook")
    return (await client.payment_methods.create(customer_id, card)).payment_method_id


async def test_a_customers_life(client):
    made = await client.customers.create(
        name="Ida Brook", address=AddressDetails(city="Bergen", country="NO")
    )
    method_id = await save(client, made.customer_id)
    changed = await client.customers.update(made.customer_id, email="ida@example.com")
    assert (changed.name, changed.email) == ("Ida Brook", "ida@example.com")
    assert changed.address.city == "Bergen"
    found = await client.customers.retrieve(made.customer_id)
    assert found.default_payment_method_id == method_id
    deleted = await client.customers.delete(made.customer_id)
    assert deleted.payment_methods_deleted
    assert (await client.customers.retrieve(made.customer_id)).is_redacted
    with pytest.raises(NotFound):
        await client.payment_methods.retrieve(method_id)
    for call in (
        client.payment_methods.list(made.customer_id),
        client.customers.update(made.customer_id, name="x"),
        client.customers.delete(made.customer_id),
    ):
        with pytest.raises(BadRequest, match="IR_11"):
            await call


async def test_a_create_without_an_id_is_never_done_twice(client, sandbox):
    lose_one_answer(sandbox, "customers.create")
    with pytest.raises(ConnectionLostError) as caught:
        await client.customers.create(name="Ida Brook")
    assert caught.value.outcome is Outcome.UNKNOWN
    assert len(applied(sandbox, "customers.create")) == 1


async def test_a_create_with_an_id_survives_a_lost_answer(client, sandbox):
    lose_one_answer(sandbox, "customers.create")
    made = await client.customers.create(
        customer_id="cus_mine", name="Ida Brook", address=AddressDetails(city="Bergen")
    )
    assert made.name == "Ida Brook"
    assert len(applied(sandbox, "customers.create")) == 1


async def test_an_id_that_somebody_else_has_taken_stays_theirs(client, sandbox):
    await client.customers.create(customer_id="cus_theirs", name="Ada Moss")
    with pytest.raises(BadRequest) as caught:
        await client.customers.create(customer_id="cus_theirs", name="Ida Brook")
    assert caught.value.outcome is Outcome.REFUSED
    sandbox.faults.add(Fault.reset_before(operation="customers.create", times=1))
    with pytest.raises(BadRequest) as caught:
        await client.customers.create(customer_id="cus_theirs", name="Ida Brook")
    assert caught.value.outcome is Outcome.UNKNOWN
    assert (await client.customers.retrieve("cus_theirs")).name == "Ada Moss"


@pytest.mark.parametrize("operation", ["customers.update", "customers.delete"])
async def test_an_update_and_a_delete_survive_a_lost_answer(client, sandbox, operation):
    made = await client.customers.create(name="Ida Brook")
    lose_one_answer(sandbox, operation)
    if operation == "customers.update":
        assert (await client.customers.update(made.customer_id, name="Ada")).name == "Ada"
    else:
        await client.customers.delete(made.customer_id)
        assert len(applied(sandbox, operation)) >= 1
        assert (await client.customers.retrieve(made.customer_id)).is_redacted


async def test_all_customers_are_listed_over_pages_that_fail(client, sandbox):
    for number in range(25):
        sandbox.seed_customer(f"cus_{number}")
    sandbox.faults.add(Fault.status(503, operation="customers.list", probability=0.3))
    found = [customer.customer_id async for customer in client.customers.list(page_size=4)]
    assert found == [f"cus_{number}" for number in range(25)]
    some = [c.customer_id async for c in client.customers.list(limit=3, offset=20)]
    assert some == ["cus_20", "cus_21", "cus_22"]


async def test_the_default_moves_and_survives_a_lost_answer(client, sandbox):
    sandbox.seed_customer("cus_1")
    first, second = await save(client, "cus_1"), await save(client, "cus_1", MASTERCARD)
    default = await client.payment_methods.set_default("cus_1", second)
    assert default.default_payment_method_id == second
    lose_one_answer(sandbox, "payment_methods.set_default")
    default = await client.payment_methods.set_default("cus_1", first)
    assert (default.default_payment_method_id, default.response) == (first, None)
    assert (await client.payment_methods.list("cus_1")).default.payment_method_id == first
    with pytest.raises(BadRequest, match="IR_16") as caught:
        await client.payment_methods.set_default("cus_1", first)
    assert caught.value.outcome is Outcome.REFUSED


async def test_a_method_of_somebody_else_is_not_taken_for_the_default(client, sandbox):
    sandbox.seed_customer("cus_1")
    sandbox.seed_customer("cus_2")
    theirs = await save(client, "cus_2")
    sandbox.faults.add(Fault.reset_before(operation="payment_methods.set_default", times=1))
    with pytest.raises(BadRequest, match="IR_16"):
        await client.payment_methods.set_default("cus_1", theirs)


async def test_a_browser_with_an_ephemeral_key(client, sandbox):
    sandbox.seed_customer("cus_1")
    method_id = await save(client, "cus_1")
    lose_one_answer(sandbox, "ephemeral_keys.create")
    key = await client.ephemeral_keys.create("cus_1")
    async with PerfectPay(key.secret, base_url=sandbox.url) as browser:
        answer = await browser.request("GET", "/customers/payment_methods")
        (item,) = answer.json()["customer_payment_methods"]
        assert item["payment_method_id"] == method_id
        with pytest.raises(AuthenticationError):
            await browser.payment_methods.retrieve(method_id)
        await client.ephemeral_keys.delete(key.id)
        with pytest.raises(AuthenticationError):
            await browser.payment_methods.list("cus_1")
