"""The whole client against the sandbox, over a real socket: what can break on a network."""

import asyncio
import logging
import re
from collections import Counter

import pytest
from tenacity import stop_after_attempt

from perfectpay_async import (
    AttemptTimeout,
    AuthenticationError,
    BadRequest,
    CardExpiry,
    ConnectionLostError,
    DeadlineExceeded,
    NewCard,
    NotFound,
    Outcome,
    PerfectPay,
    PerfectPayError,
    RateLimited,
    ResponseDecodingError,
    ResponseTooLarge,
    RetryPolicy,
    ServerError,
    UnexpectedRedirect,
)
from perfectpay_async.sandbox import Fault, Sandbox

EXPIRY = CardExpiry(12, 2031)
ONCE = RetryPolicy(stop=stop_after_attempt(1))
# Many attempts and short waits: these tests are about what is applied, not about when.
PATIENT = RetryPolicy(stop=stop_after_attempt(8), wait=lambda state: 0.005)


@pytest.fixture
async def sandbox():
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def client(sandbox):
    async with PerfectPay(sandbox.api_key, base_url=sandbox.url, retry=PATIENT) as client:
        yield client


def numbers(count):
    """Distinct card numbers with a right check digit."""
    for place in range(count):
        stem = f"453957{place:09d}"
        digits = [int(d) * (2 - i % 2) for i, d in enumerate(reversed(stem))]
        yield stem + str(-sum(d - 9 if d > 9 else d for d in digits) % 10)


async def in_parallel(calls, workers=32):
    """Run the calls with so many workers, and return the results or errors in order."""
    results = {}
    queue = enumerate(calls)

    async def worker():
        for place, call in queue:
            try:
                results[place] = await call()
            except PerfectPayError as error:
                results[place] = error

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(worker())
    return [results[place] for place in sorted(results)]


@pytest.mark.parametrize("dialect", ["perfectpay", "hyperswitch"])
async def test_the_five_operations_in_both_dialects(dialect):
    async with (
        Sandbox(dialect=dialect) as sandbox,
        PerfectPay(sandbox.api_key, base_url=sandbox.url, dialect=dialect) as client,
    ):
        sandbox.seed_customer("cus_1")
        methods = client.payment_methods
        card = NewCard("4242424242424242", CardExpiry(10, 2030), cvc="123", holder_name="Ada Moss")
        saved = await methods.create("cus_1", card, payment_method_type="credit")
        assert (saved.card.last4, saved.card.expiry) == ("4242", CardExpiry(10, 2030))
        assert (await methods.retrieve(saved.payment_method_id)).card.card_holder_name == "Ada Moss"
        updated = await methods.update(saved.payment_method_id, expiry=EXPIRY, nick_name="work")
        assert (updated.card.expiry, updated.card.nick_name) == (EXPIRY, "work")
        (item,) = await methods.list("cus_1")
        assert (item.payment_method_id, item.default_payment_method_set) == (
            saved.payment_method_id,
            True,
        )
        assert (await methods.delete(saved.payment_method_id)).deleted
        assert len(await methods.list("cus_1")) == 0
        with pytest.raises(NotFound) as caught:
            await methods.retrieve(saved.payment_method_id)
        assert caught.value.code == "HE_02"


async def test_the_other_dialect_is_refused_and_not_guessed():
    async with (
        Sandbox(dialect="hyperswitch") as sandbox,
        PerfectPay(sandbox.api_key, base_url=sandbox.url) as client,
    ):
        (method_id,) = sandbox.seed_cards(1)
        with pytest.raises(BadRequest, match="unknown field `payment_method_data`") as caught:
            await client.payment_methods.update(method_id, expiry=EXPIRY)
        assert caught.value.outcome is Outcome.REFUSED


async def test_a_wrong_key_is_said_at_once(sandbox):
    async with PerfectPay("snd_wrong", base_url=sandbox.url) as client:
        with pytest.raises(AuthenticationError, match="check the api key") as caught:
            await client.payment_methods.list("cus_1")
    assert len(sandbox.ledger.requests) == 1
    assert caught.value.request_id


class TestUnderFaults:
    """5 % answered 503, 5 % reset after applying, 5 % answered 429 with a Retry-After."""

    @pytest.fixture
    def faults(self, sandbox):
        sandbox.faults.add(
            Fault.status(503, probability=0.05),
            Fault.reset_after(probability=0.05),
            Fault.status(429, retry_after=0.01, probability=0.05),
        )

    async def test_every_update_is_applied(self, sandbox, client, faults):
        ids = sandbox.seed_cards(2000, expiry=("10", "2026"))
        results = await in_parallel(
            [lambda each=each: client.payment_methods.update(each, expiry=EXPIRY) for each in ids]
        )
        assert not [result for result in results if isinstance(result, PerfectPayError)]
        assert {sandbox.ledger.expiry_of(each) for each in ids} == {("12", "31")}
        assert sandbox.ledger.max_in_flight_per_id == 1
        assert sandbox.ledger.faults().keys() == {"503", "reset_after", "429"}
        assert len(sandbox.ledger.requests) < 1.3 * len(ids)

    async def test_all_attempts_of_a_call_carry_one_idempotency_key(self, sandbox, client, faults):
        ids = sandbox.seed_cards(300)
        await in_parallel(
            [lambda each=each: client.payment_methods.update(each, expiry=EXPIRY) for each in ids]
        )
        keys = {
            (entry.payment_method_id, entry.idempotency_key) for entry in sandbox.ledger.requests
        }
        assert len(keys) == len(ids) < len(sandbox.ledger.requests)

    async def test_no_create_is_sent_again_after_an_unknown_outcome(self, sandbox, client, faults):
        customers = [f"cus_{place}" for place in range(400)]
        for customer in customers:
            sandbox.seed_customer(customer)
        cards = [NewCard(number, CardExpiry(1, 2032)) for number in numbers(400)]
        results = await in_parallel(
            [
                lambda customer=customer, card=card: client.payment_methods.create(customer, card)
                for customer, card in zip(customers, cards, strict=True)
            ]
        )
        creates = sandbox.ledger.requests_of("payment_methods.create")
        not_throttled = Counter(entry.idempotency_key for entry in creates if entry.fault != "429")
        assert set(not_throttled.values()) == {1}
        errors = [result for result in results if isinstance(result, PerfectPayError)]
        assert errors
        assert {error.outcome for error in errors} == {Outcome.UNKNOWN}
        lost = sum(isinstance(error, ConnectionLostError) for error in errors)
        assert len(sandbox.ledger.writes) == 400 - len(errors) + lost

    async def test_every_delete_ends_as_deleted(self, sandbox, client, faults):
        ids = sandbox.seed_cards(400)
        results = await in_parallel(
            [lambda each=each: client.payment_methods.delete(each) for each in ids]
        )
        assert not [result for result in results if isinstance(result, PerfectPayError)]
        assert not sandbox.store.methods
        assert len(sandbox.ledger.writes) == len(ids)


async def test_delete_after_a_lost_answer_ends_as_deleted(sandbox, client):
    (method_id,) = sandbox.seed_cards(1)
    sandbox.faults.script(method_id, [Fault.reset_after()])
    assert (await client.payment_methods.delete(method_id)).deleted
    assert [entry.status for entry in sandbox.ledger.requests] == [None, 404]


async def test_delete_of_what_never_was_is_not_found(sandbox, client):
    sandbox.faults.script("pm_gone", [Fault.status(429, retry_after=0)])
    with pytest.raises(NotFound):
        await client.payment_methods.delete("pm_gone")


async def test_a_redirect_carries_nothing_to_another_host(sandbox, client):
    async with Sandbox() as other:
        (method_id,) = sandbox.seed_cards(1)
        sandbox.faults.add(Fault.redirect(f"{other.url}/payment_methods/{method_id}"))
        with pytest.raises(UnexpectedRedirect, match="set base_url to the address"):
            await client.payment_methods.update(method_id, expiry=EXPIRY)
        assert not other.ledger.requests
    assert len(sandbox.ledger.requests) == 1


async def test_a_throttled_call_reports_what_the_server_asked_for(sandbox, client):
    sandbox.faults.add(Fault.status(429, retry_after=120))
    with pytest.raises(RateLimited) as caught:
        await client.payment_methods.list("cus_1")
    assert caught.value.retry_after == 120
    assert len(sandbox.ledger.requests) == 1


@pytest.mark.parametrize(
    ("fault", "error", "applied"),
    [
        (Fault.status(500), ServerError, False),
        (Fault.status(503, applied=True), ServerError, True),
        (Fault.reset_before(), ConnectionLostError, False),
        (Fault.reset_after(), ConnectionLostError, True),
        (Fault.truncate(), ConnectionLostError, True),
        (Fault.bad_json(), ResponseDecodingError, True),
        (Fault.stall(), AttemptTimeout, True),
        (Fault.stall(applied=False), AttemptTimeout, False),
        (Fault.drip(0.01), AttemptTimeout, True),
        (Fault.gzip_bomb(10_000_000), ResponseTooLarge, True),
        (Fault.raw(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), ConnectionLostError, False),
    ],
    ids=lambda value: getattr(value, "name", None) or getattr(value, "__name__", None),
)
async def test_each_fault_is_one_of_our_errors_with_the_outcome_unknown(
    sandbox, client, clock, fault, error, applied
):
    (method_id,) = sandbox.seed_cards(1)
    sandbox.faults.script(method_id, [fault])
    once = client.with_options(retry=ONCE, attempt_timeout=5.0)
    call = asyncio.create_task(once.payment_methods.update(method_id, expiry=EXPIRY))
    while not (call.done() or sandbox.ledger.requests):  # noqa: ASYNC110 - it sets no event
        await asyncio.sleep(0)
    if error is AttemptTimeout:
        clock.advance(5)
    with pytest.raises(error) as caught:
        await call
    assert caught.value.outcome is Outcome.UNKNOWN
    assert bool(sandbox.ledger.writes) is applied
    # Neither the connection nor the client is the worse for it.
    assert (await client.payment_methods.update(method_id, expiry=EXPIRY)).card.expiry == EXPIRY


@pytest.mark.parametrize("fault", [Fault.stall(), Fault.drip(0.01), Fault.latency(5)])
async def test_the_deadline_holds_whatever_the_server_does(sandbox, client, fault):
    (method_id,) = sandbox.seed_cards(1)
    sandbox.faults.add(fault)
    hasty = client.with_options(deadline=0.3, attempt_timeout=0.2)
    call = asyncio.create_task(hasty.payment_methods.retrieve(method_id))
    await asyncio.sleep(0)  # its time runs: however slow the machine, it is over before ours
    await asyncio.sleep(0.4)
    for _ in range(100):  # turns of the loop, of which it may need some for its end
        await asyncio.sleep(0)
    assert call.done()
    with pytest.raises((DeadlineExceeded, AttemptTimeout)):
        await call


async def test_debug_logs_of_the_whole_stack_show_no_secret(sandbox, client, caplog):
    caplog.set_level(logging.DEBUG)
    sandbox.seed_customer("cus_1")
    card = NewCard("4539578763621486", CardExpiry(1, 2032), cvc="8361")
    sandbox.faults.script("payment_methods.create", [Fault.status(429, retry_after=0)])
    await client.payment_methods.create("cus_1", card)
    assert "POST /payment_methods" in caplog.text
    for planted in ("4539578763621486", sandbox.api_key):
        assert planted not in caplog.text
    assert not re.search(r"(?<![\w.:-])8361(?![\w-])", caplog.text)  # not as part of a time


async def test_nothing_is_left_behind(sandbox):
    (method_id,) = sandbox.seed_cards(1)
    sandbox.faults.add(Fault.status(503, probability=0.3), Fault.reset_after(probability=0.3))
    async with PerfectPay(sandbox.api_key, base_url=sandbox.url, retry=PATIENT) as client:
        await in_parallel([lambda: client.payment_methods.retrieve(method_id)] * 50)
    before = asyncio.all_tasks()
    await asyncio.sleep(0.01)
    assert [task for task in asyncio.all_tasks() - before if "perfectpay" in repr(task)] == []
