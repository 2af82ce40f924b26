"""What docs/migration.md says of the hand-written client, tried."""

from __future__ import annotations

import asyncio
from traceback import TracebackException

import aiohttp
import pytest

from perfectpay_async.sandbox import Fault, Sandbox
from tests.documentation import examples_of

NUMBER = "4242424242424242"


@pytest.fixture
async def sandbox():
    async with Sandbox() as sandbox:
        sandbox.seed_customer("cus_1")
        yield sandbox


@pytest.fixture
async def by_hand(sandbox, monkeypatch):
    names = {}
    exec(examples_of("docs/migration.md")[0], names)
    cards = names["Cards"](sandbox.url, sandbox.api_key)
    sleep = asyncio.sleep
    waits = cards.waits = []

    async def no_sleep(seconds):
        waits.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", no_sleep)
    yield cards
    monkeypatch.undo()
    await cards.session.close()


async def test_a_card_is_sent_again_when_the_answer_is_lost(by_hand, sandbox):
    sandbox.faults.add(Fault.reset_after(operation="payment_methods.create"))
    with pytest.raises(aiohttp.ClientError) as caught:
        await by_hand.save("cus_1", NUMBER, "10", "35", "123")
    assert len(sandbox.ledger.writes) == 3
    seen = "".join(
        str(frame.locals)
        for frame in TracebackException.from_exception(caught.value, capture_locals=True).stack
    )
    assert NUMBER in seen
    assert sandbox.api_key in seen


async def test_a_card_that_it_has_deleted_is_reported_as_missing(by_hand, sandbox):
    (card_id,) = sandbox.seed_cards(1)
    sandbox.faults.add(Fault.reset_after(operation="payment_methods.delete", times=1))
    with pytest.raises(aiohttp.ClientResponseError, match="404"):
        await by_hand.remove(card_id)


async def test_a_refusal_is_repeated_and_its_reason_dropped(by_hand, sandbox):
    sandbox.faults.add(Fault.status(400))
    with pytest.raises(aiohttp.ClientResponseError) as caught:
        await by_hand.list("cus_1")
    assert by_hand.waits == [1, 2]
    assert "IR_" not in str(caught.value)


async def test_an_id_with_dots_reaches_another_route(by_hand, sandbox):
    await by_hand.remove("../customers/cus_1")
    assert sandbox.store.customers["cus_1"].redacted
