"""A create with an unknown outcome, resolved by looking."""

import pickle

import pytest

from perfectpay_async import (
    BadRequest,
    CardExpiry,
    ConnectionLostError,
    DeadlineExceeded,
    InvalidRequestError,
    NewCard,
    NotFound,
    Outcome,
    PerfectPay,
    RequestOptions,
    RetryPolicy,
    ServerError,
)
from perfectpay_async.sandbox import Fault, Sandbox

CREATE = "payment_methods.create"
LIST = "payment_methods.list"
EXPIRY = CardExpiry(1, 2032)


@pytest.fixture
async def sandbox():
    async with Sandbox() as sandbox:
        sandbox.seed_customer("cus_1")
        yield sandbox


@pytest.fixture
async def client(sandbox):
    retry = RetryPolicy(wait=lambda state: 0.0)
    async with PerfectPay(sandbox.api_key, base_url=sandbox.url, retry=retry) as client:
        yield client


@pytest.fixture
def card():
    return NewCard("4539578763621486", EXPIRY, holder_name="Ada Moss")


@pytest.fixture
def create(client, card):
    async def create(card=card, **settings):
        return await client.payment_methods.create(
            "cus_1", card, on_unknown="reconcile", **settings
        )

    return create


def creates(sandbox):
    return len(sandbox.ledger.requests_of(CREATE))


async def test_a_lost_answer_is_found_again(sandbox, create):
    sandbox.faults.script(CREATE, [Fault.reset_after()])
    saved = await create()
    assert saved.payment_method_id == sandbox.ledger.writes[0].payment_method_id
    assert saved.card.last4 == "1486"
    assert creates(sandbox) == 1


async def test_a_success_costs_one_list_call_and_no_more(sandbox, create):
    await create()
    assert [entry.operation for entry in sandbox.ledger.requests] == [LIST, CREATE]


async def test_what_was_not_applied_is_raised_with_what_was_seen(sandbox, create):
    sandbox.faults.script(CREATE, [Fault.status(503)])
    with pytest.raises(ServerError) as caught:
        await create()
    assert caught.value.outcome is Outcome.UNKNOWN
    assert caught.value.candidates == ()
    (note,) = caught.value.__notes__
    assert "none of the new or changed methods could be this card" in note
    assert creates(sandbox) == 1


async def test_a_refusal_is_no_case_for_looking(sandbox, create):
    sandbox.faults.script(CREATE, [Fault.status(400)])
    with pytest.raises(BadRequest):
        await create()
    assert len(sandbox.ledger.requests_of(LIST)) == 1


async def test_a_card_that_was_there_before_is_not_taken_for_the_new_one(sandbox, client, create):
    # Another number with the same last four digits, expiry and holder.
    twin = NewCard("4111111111181486", EXPIRY, holder_name="Ada Moss")
    await client.payment_methods.create("cus_1", twin)
    sandbox.faults.script(CREATE, [Fault.status(503)])
    with pytest.raises(ServerError) as caught:
        await create()
    assert caught.value.candidates == ()


async def test_a_known_number_keeps_its_id_and_is_found_by_its_change(
    sandbox, client, create, card
):
    old = NewCard(card.number, CardExpiry(7, 2030), holder_name="Ada Moss")
    first = await client.payment_methods.create("cus_1", old)
    sandbox.faults.script(CREATE, [Fault.reset_after()])
    saved = await create()
    assert saved.payment_method_id == first.payment_method_id
    assert saved.card.expiry == EXPIRY


async def test_several_candidates_are_not_chosen_from(sandbox, client, create, monkeypatch):
    twin = NewCard("4111111111181486", EXPIRY, holder_name="Ada Moss")
    real = client.payment_methods.list
    calls = 0

    async def list_while_another_is_saved(customer_id, **settings):
        nonlocal calls
        calls += 1
        if calls == 2:
            await client.payment_methods.create("cus_1", twin)
        return await real(customer_id, **settings)

    monkeypatch.setattr(client.payment_methods, "list", list_while_another_is_saved)
    sandbox.faults.script(CREATE, [Fault.reset_after()])
    with pytest.raises(ConnectionLostError) as caught:
        await create()
    assert len(caught.value.candidates) == 2
    assert pickle.loads(pickle.dumps(caught.value)).candidates == caught.value.candidates


async def test_a_failing_look_leaves_the_first_error(sandbox, create):
    sandbox.faults.script(CREATE, [Fault.reset_after()])
    sandbox.faults.script(LIST, [None, *[Fault.status(503)] * 3])
    with pytest.raises(ConnectionLostError) as caught:
        await create()
    assert "could not be looked up" in caught.value.__notes__[0]


async def test_a_failing_first_look_sends_nothing(sandbox, client, card):
    with pytest.raises(NotFound):
        await client.payment_methods.create("cus_2", card, on_unknown="reconcile")
    assert creates(sandbox) == 0


async def test_and_says_so_whatever_became_of_the_look(sandbox, create):
    sandbox.faults.script(LIST, [Fault.status(503)] * 3)
    with pytest.raises(ServerError, match="nothing was sent") as caught:
        await create()
    assert caught.value.outcome is Outcome.NOT_SENT
    assert "so the card was not sent" in caught.value.__notes__[0]
    assert creates(sandbox) == 0


async def test_the_deadline_covers_looking_and_creating(sandbox, client, create):

    sandbox.faults.script(CREATE, [Fault.stall()])
    with pytest.raises(DeadlineExceeded) as caught:
        await create(options=RequestOptions(deadline=0.2))
    assert caught.value.operation == CREATE
    assert "could not be looked up" in caught.value.__notes__[0]


async def test_other_ways_are_refused(client, card):
    with pytest.raises(InvalidRequestError, match="on_unknown must be 'raise' or 'reconcile'"):
        await client.payment_methods.create("cus_1", card, on_unknown="retry")
