"""The two ends: nothing goes wrong, and nothing goes right."""

import asyncio

import pytest
from attrs import evolve

from perfectpay_async import GaveUp, PerfectPay, RetryPolicy, ServerError, WaitFullJitter
from perfectpay_async.sandbox import Fault, Sandbox
from tests.chaos.plan import Plan
from tests.chaos.rules import violations
from tests.chaos.world import run


async def test_without_faults_every_call_is_one_request():
    evidence = await run(evolve(Plan.of(0, 200, "calm"), max_connections=100))
    assert violations(evidence) == []
    for done in evidence.calls:
        if all(sent.status for sent in done.sent) and done.ask.on_unknown == "raise":
            assert len(done.requests) == 1, str(done)


class TestInAFullOutage:
    """Every answer is a 503."""

    @pytest.fixture
    async def sandbox(self):
        async with Sandbox(faults=[Fault.status(503)]) as sandbox:
            yield sandbox

    @pytest.fixture
    async def client(self, sandbox):
        quick = RetryPolicy(wait=WaitFullJitter(0.001))
        async with PerfectPay(sandbox.api_key, base_url=sandbox.url, retry=quick) as client:
            yield client

    async def calls(self, client, count, workers=32):
        """Make so many calls that must fail, and return their errors."""
        errors, queue = [], iter(range(count))

        async def worker():
            for _ in queue:
                with pytest.raises(ServerError) as caught:
                    await client.payment_methods.retrieve("pm_1")
                errors.append(caught.value)

        await asyncio.gather(*(worker() for _ in range(workers)))
        return errors

    async def test_the_load_is_not_multiplied(self, sandbox, client):
        await self.calls(client, 500)
        assert len(sandbox.ledger.requests) <= 1.1 * 500

    async def test_nothing_is_repeated_once_the_budget_is_spent(self, sandbox, client):
        await self.calls(client, 100)
        before = len(sandbox.ledger.requests)
        assert before == 100 + 500 // 14
        errors = await self.calls(client, 200)
        assert len(sandbox.ledger.requests) - before == 200
        assert {error.gave_up for error in errors} == {GaveUp.BUDGET}

    async def test_retries_come_back_with_success(self, sandbox, client):
        (method_id,) = sandbox.seed_cards(1)
        await self.calls(client, 100)
        sandbox.faults.clear()
        for _ in range(14):
            await client.payment_methods.retrieve(method_id)
        sandbox.faults.script(method_id, [Fault.status(503)])
        method = await client.payment_methods.retrieve(method_id)
        assert len(method.response.earlier_attempts) == 1
