"""The types that users see. Never run: mypy and pyright read it, strictly.

An `assert_type` that does not hold is an error, and so is a `type: ignore` that ignores nothing.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import assert_type

import aiohttp
from tenacity import stop_after_attempt, wait_fixed

from perfectpay_async import (
    Attempt,
    CardDetails,
    CardExpiry,
    CardNetwork,
    Customer,
    CustomerPaymentMethod,
    DefaultPaymentMethod,
    DeletedCustomer,
    DeletedEphemeralKey,
    DeletedPaymentMethod,
    EphemeralKey,
    GaveUp,
    Middleware,
    Middlewares,
    NewCard,
    Next,
    Outcome,
    PaymentMethod,
    PaymentMethodList,
    PerfectPay,
    PerfectPayError,
    RateLimit,
    Request,
    RequestOptions,
    Response,
    RetryPolicy,
    Secret,
    pass_through,
)
from perfectpay_async.bulk import BulkJob, BulkReport, BulkRun, RowResult
from perfectpay_async.sandbox import Sandbox
from perfectpay_async.testing import MockTransport, serve_in_thread


async def operations(client: PerfectPay, card: NewCard) -> None:
    methods = client.payment_methods
    assert_type(await methods.create("cus_1", card, on_unknown="reconcile"), PaymentMethod)
    assert_type(await methods.retrieve("pm_1"), PaymentMethod)
    assert_type(await methods.update("pm_1", expiry=CardExpiry(12, 2031)), PaymentMethod)
    assert_type(await methods.delete("pm_1"), DeletedPaymentMethod)
    assert_type(await methods.set_default("cus_1", "pm_1"), DefaultPaymentMethod)
    listed = await methods.list("cus_1", limit=10)
    assert_type(listed, PaymentMethodList)
    assert_type(listed[0], CustomerPaymentMethod)
    assert_type(listed[:2], tuple[CustomerPaymentMethod, ...])
    assert_type(listed.default, CustomerPaymentMethod | None)
    assert_type([method.payment_method_id for method in listed], list[str])
    assert_type(await client.customers.create(name="Ida Brook"), Customer)
    assert_type(await client.customers.retrieve("cus_1"), Customer)
    assert_type(await client.customers.update("cus_1", email="ida@example.com"), Customer)
    assert_type(await client.customers.delete("cus_1"), DeletedCustomer)
    assert_type([customer async for customer in client.customers.list()], list[Customer])
    assert_type(await client.ephemeral_keys.create("cus_1"), EphemeralKey)
    assert_type(await client.ephemeral_keys.delete("eki_1"), DeletedEphemeralKey)
    assert_type(await client.request("GET", "/customers/list"), Response)


async def bulk(client: PerfectPay) -> None:
    rows = [("pm_1", CardExpiry(12, 2031))]
    assert_type(await client.bulk.update_expiries(rows), BulkReport)
    with BulkJob("march.job") as job:
        assert_type(job.complete, bool)
        await client.bulk.update_expiries(rows, job=job)
    async with client.bulk.expiry_run(rows) as run:
        assert_type(run, BulkRun)
        async for result in run:
            assert_type(result, RowResult)


def entities(method: PaymentMethod, card: CardDetails, new: NewCard, key: EphemeralKey) -> None:
    assert_type(method.card, CardDetails | None)
    assert_type(card.expiry, CardExpiry | None)
    assert_type(card.last4, str | None)
    assert_type(card.card_network, CardNetwork | None)
    assert_type(method.client_secret, Secret | None)
    assert_type(method.response, Response | None)
    assert_type(new.number, Secret)
    assert_type(new.number.reveal(), str)
    assert_type(key.secret, Secret)
    assert_type(CardExpiry(1, 2031) < CardExpiry(2, 31), bool)
    method.payment_method_id = "pm_2"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def errors(error: PerfectPayError) -> None:
    assert_type(error.outcome, Outcome)
    assert_type(error.attempts, tuple[Attempt, ...])
    assert_type(error.gave_up, GaveUp | None)
    assert_type(error.retry_after, float | None)
    assert_type(error.status, int | None)
    assert_type(error.is_retryable, bool)


async def timed(request: Request, call_next: Next) -> Response:
    return await call_next(request.with_header("X-Profile-Id", "pro_1"))


async def wrong(request: Request) -> Response:
    raise NotImplementedError


class Counter:
    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, request: Request, call_next: Next) -> Response:
        self.calls += 1
        return await call_next(request)


async def current_key() -> Secret:
    return Secret("snd_...")


async def settings(session: aiohttp.ClientSession, either: Middleware) -> None:
    policy = RetryPolicy(stop=stop_after_attempt(5), wait=wait_fixed(0.2))
    chosen = Middlewares(call=[timed, Counter(), either], attempt=(timed,), logging=pass_through)
    client = PerfectPay(
        current_key,
        environment="sandbox",
        retry=policy,
        middlewares=chosen,
        rate_limit=RateLimit(40, max_in_flight=16),
        session=session,
    )
    assert_type(client.with_options(deadline=2.0, retry=policy), PerfectPay)
    assert_type(PerfectPay.from_env(deadline=5.0), PerfectPay)
    async with client as opened:
        assert_type(opened, PerfectPay)
    await client.payment_methods.retrieve("pm_1", options=RequestOptions(deadline=1.0))
    await client.close(drain=5)
    # What is mistyped or of the wrong kind is found before it runs.
    client.with_options(timeout=2.0)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    PerfectPay("snd_...", environment="live")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Middlewares(call=[wrong])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]


async def doubles() -> AsyncIterator[str]:
    async with Sandbox() as sandbox:
        assert_type(sandbox.url, str)
        assert_type(sandbox.seed_cards(2), list[str])
        yield sandbox.api_key
    with serve_in_thread(Sandbox()) as threaded:
        assert_type(threaded, Sandbox)
    with MockTransport() as mock:
        assert_type(mock.client(), PerfectPay)
        assert_type(mock.requests, list[Request])


async def concurrent(client: PerfectPay) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(client.payment_methods.retrieve("pm_1"))
    assert_type(task.result(), PaymentMethod)
