"""The suite bites: clients that are broken on purpose are caught, each by the rule it breaks."""

import asyncio
import contextlib
import json
import logging
import uuid
from collections.abc import Callable

import pytest
from attrs import evolve
from tenacity import stop_never
from yarl import URL

from perfectpay_async import (
    ConnectionLostError,
    Middleware,
    Middlewares,
    NotFound,
    Outcome,
    PerfectPayError,
    Response,
    RetryBudget,
)
from perfectpay_async.secrets import MaskedBytes
from tests.chaos.plan import LAVISH, Plan
from tests.chaos.rules import violations
from tests.chaos.world import Mutant, run

BACKGROUND: list[asyncio.Task[None]] = []
UPDATE, DELETE = "payment_methods.update", "payment_methods.delete"


def policy(**changes: object) -> Mutant:
    return lambda settings: settings | {"retry": evolve(settings["retry"], **changes)}


def once_per_call(middleware: Middleware) -> Mutant:
    return _middlewares(lambda chosen: evolve(chosen, call=[middleware]))


def on_each_attempt(middleware: Middleware) -> Mutant:
    """Between the retries and the witness."""
    return _middlewares(lambda chosen: evolve(chosen, attempt=[middleware, *chosen.attempt]))


def on_the_wire(middleware: Middleware) -> Mutant:
    """Behind the witness, where only the ledger sees it."""
    return _middlewares(lambda chosen: evolve(chosen, attempt=[*chosen.attempt, middleware]))


def _middlewares(change: Callable[[Middlewares], Middlewares]) -> Mutant:
    return lambda settings: settings | {"middlewares": change(settings["middlewares"])}


def spends_what_it_likes(settings):
    return settings | {"retry_budget": RetryBudget(retry_cost=0, throttled_cost=0)}


async def raises_something_else(request, call_next):
    try:
        return await call_next(request)
    except ConnectionLostError:
        raise OSError(104, "Connection reset by peer") from None


async def tells_of_the_last_attempt_only(request, call_next):
    try:
        return await call_next(request)
    except PerfectPayError as error:
        error.attempts = error.attempts[-1:]
        raise


async def follows_redirects(request, call_next):
    response = await call_next(request)
    if "Location" in response.headers:
        return await call_next(evolve(request, url=URL(response.headers["Location"])))
    return response


async def repeats_everything(request, call_next):
    return await call_next(evolve(request, operation=evolve(request.operation, repeatable=True)))


async def makes_a_key_per_attempt(request, call_next):
    return await call_next(request.with_header("Idempotency-Key", uuid.uuid4().hex))


async def hides_retry_after(request, call_next):
    response = await call_next(request)
    headers = {name: text for name, text in response.headers.items() if name != "Retry-After"}
    return evolve(response, headers=headers)


async def swallows_cancel(request, call_next):
    try:
        return await call_next(request)
    except asyncio.CancelledError:
        raise ConnectionLostError("cancelled") from None


async def forgets_the_deadline(request, call_next):
    return await call_next(evolve(request, deadline=float("inf")))


async def forgets_the_attempt_timeout(request, call_next):
    return await call_next(evolve(request, attempt_timeout=float("inf")))


async def takes_any_404_for_deleted(request, call_next):
    try:
        return await call_next(request)
    except NotFound:
        if request.operation.name != DELETE:
            raise
        return Response(200, {}, b"", 0.0, request)


async def says_not_found_after_a_lost_answer(request, call_next):
    try:
        return await call_next(request)
    except NotFound as error:
        error.attempts = error.attempts[-1:]
        raise


async def puts_the_key_into_an_error(request, call_next):
    try:
        return await call_next(request)
    except ConnectionLostError as error:
        raise ConnectionLostError(f"{error.message}: {request.headers['api-key']}") from None


async def logs_the_body(request, call_next):
    logging.getLogger("mutant").debug("sent %s", request.body and request.body.decode())
    return await call_next(request)


async def sends_updates_twice(request, call_next):
    if request.operation.name != UPDATE:
        return await call_next(request)
    first, _ = await asyncio.gather(call_next(request), call_next(request))
    return first


def writes_behind() -> Middleware:
    begun = set()

    async def middleware(request, call_next):
        if request.operation.name != UPDATE:
            return await call_next(request)

        async def later(delay):
            await asyncio.sleep(delay)
            with contextlib.suppress(PerfectPayError):
                await call_next(request)

        BACKGROUND.append(asyncio.create_task(later(0.0 if request.url in begun else 0.1)))
        begun.add(request.url)
        body = json.loads(request.body)
        card = body.get("card") or body["payment_method_data"]["card"]
        answer = {
            "payment_method_id": request.url.path.split("/")[2],
            "card": {"expiry_month": card["card_exp_month"], "expiry_year": card["card_exp_year"]},
        }
        return Response(200, {}, json.dumps(answer).encode(), 0.0, request)

    return middleware


async def says_not_sent_when_lost(request, call_next):
    try:
        return await call_next(request)
    except ConnectionLostError as error:
        error.outcome = Outcome.NOT_SENT
        raise


async def says_refused_when_unknown(request, call_next):
    try:
        return await call_next(request)
    except PerfectPayError as error:
        if error.outcome is Outcome.UNKNOWN:
            error.outcome = Outcome.REFUSED
        raise


async def sends_another_year(request, call_next):
    if request.body is not None:
        text = request.body.replace(b'_year":"3', b'_year":"4').replace(
            b'_year":"203', b'_year":"204'
        )
        request = evolve(request, body=MaskedBytes(text))
    return await call_next(request)


def caches_reads() -> Middleware:
    cache = {}

    async def middleware(request, call_next):
        if request.operation.method != "GET":
            return await call_next(request)
        if request.url not in cache:
            cache[request.url] = await call_next(request)
        return cache[request.url]

    return middleware


def keeps_three_permits(settings):
    permits, kept = asyncio.Semaphore(settings["max_connections"]), iter(range(3))

    async def middleware(request, call_next):
        await permits.acquire()
        try:
            return await call_next(request)
        finally:
            if next(kept, None) is None:
                permits.release()

    return on_the_wire(middleware)(settings)


async def leaves_a_task_behind(request, call_next):
    try:
        return await call_next(request)
    except ConnectionLostError:
        BACKGROUND.append(asyncio.create_task(asyncio.sleep(60)))
        raise


CALM, STORM, OUTAGE, SLOW, LOSSY = (
    evolve(Plan.of(1, 200, weather), budget=LAVISH, max_connections=100)
    for weather in ("calm", "storm", "outage", "slow", "lossy")
)
POOR = evolve(OUTAGE, budget=RetryBudget())


@pytest.mark.parametrize(
    ("rule", "plan", "mutant"),
    [
        ("I1 one end", LOSSY, once_per_call(raises_something_else)),
        ("I2 ok was applied", CALM, once_per_call(takes_any_404_for_deleted)),
        ("I2 reads are right", CALM, once_per_call(caches_reads())),
        ("I3 refused was not applied", LOSSY, once_per_call(says_refused_when_unknown)),
        ("I4 nothing else was applied", CALM, on_the_wire(sends_another_year)),
        ("I5 last asked is last applied", CALM, once_per_call(writes_behind())),
        ("I6 one in flight", CALM, on_the_wire(sends_updates_twice)),
        ("I7 creates once", LOSSY, once_per_call(repeats_everything)),
        (
            "I7 deletes stay deleted",
            LOSSY,
            once_per_call(says_not_found_after_a_lost_answer),
        ),
        ("I7 one idempotency key", STORM, on_each_attempt(makes_a_key_per_attempt)),
        ("I8 attempts and budget", OUTAGE, policy(stop=stop_never)),
        ("I8 attempts and budget", POOR, spends_what_it_likes),
        ("I8 Retry-After", STORM, on_each_attempt(hides_retry_after)),
        ("I8 waits are spread", STORM, policy(wait=lambda state: 0.02)),
        ("I9 deadlines", SLOW, once_per_call(forgets_the_deadline)),
        ("I9 attempt timeouts", evolve(SLOW, calls=40), once_per_call(forgets_the_attempt_timeout)),
        ("I9 cancelled at once", SLOW, once_per_call(swallows_cancel)),
        ("I10 no secret shows", LOSSY, on_the_wire(puts_the_key_into_an_error)),
        ("I10 no secret shows", CALM, on_the_wire(logs_the_body)),
        ("I10 nothing goes elsewhere", STORM, on_the_wire(follows_redirects)),
        ("I11 nothing is left", CALM, keeps_three_permits),
        ("I11 nothing is left", LOSSY, on_the_wire(leaves_a_task_behind)),
        ("I13 facts", STORM, on_each_attempt(says_not_sent_when_lost)),
        ("I13 summed up", STORM, once_per_call(tells_of_the_last_attempt_only)),
    ],
)
async def test_a_broken_client_is_caught(rule, plan, mutant):
    found = set()
    for seed in range(3):  # faults are many, but where they hit depends on the timing
        found |= {name for name, _ in violations(await run(evolve(plan, seed=seed), mutant))}
        if rule in found:
            return
    pytest.fail(f"caught by {found or 'nothing'}")
