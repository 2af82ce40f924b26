"""One run: a sandbox full of faults, a client, callers, and the evidence of what happened."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

from attrs import evolve
from tenacity import stop_after_attempt

from perfectpay_async import (
    Middlewares,
    PerfectPay,
    PerfectPayError,
    RequestOptions,
    RetryPolicy,
    WaitFullJitter,
)
from perfectpay_async.sandbox import Fault, Sandbox

from .evidence import Done, Evidence
from .plan import API_KEY, ATTEMPT_TIMEOUT, MAX_ATTEMPTS, Ask, Plan
from .watching import BEAT, Witness, beating, footprint, listening

Settings = dict[str, Any]
Mutant = Callable[[Settings], Settings]
"""Changes the settings of a client, to break it on purpose."""

PATIENCE: Final = 200
"""Beats after which what should have happened is given up: more time on a slow machine."""
UNHURRIED: Final = RequestOptions(idempotency_key="hold", deadline=60, attempt_timeout=60)


async def run(plan: Plan, mutant: Mutant = lambda settings: settings) -> Evidence:
    """Make all calls of a plan, and return the evidence."""
    before = footprint()
    with listening() as (logs, complaints):
        evidence = await _run(plan, mutant, logs, complaints, before)
        gc.collect()
        for _ in range(PATIENCE):
            evidence.after = footprint()
            if evidence.after == before:
                break
            await asyncio.sleep(BEAT)
    return evidence


async def _run(
    plan: Plan, mutant: Mutant, logs: list[str], complaints: list[str], before: dict[str, int]
) -> Evidence:
    witness = Witness()
    settings: Settings = {
        "middlewares": Middlewares(attempt=[witness]),
        "retry": RetryPolicy(
            stop=stop_after_attempt(MAX_ATTEMPTS),
            wait=WaitFullJitter(0.01, throttled_base=0.02, cap=0.08),
        ),
        "retry_budget": evolve(plan.budget),
        "attempt_timeout": ATTEMPT_TIMEOUT,
        "max_connections": plan.max_connections,
        "dialect": plan.dialect,
    }
    async with (
        Sandbox(api_key=API_KEY) as elsewhere,
        Sandbox(
            api_key=API_KEY,
            dialect=plan.dialect,
            rate_limit=plan.rate_limit,
            rate_limit_retry_after=0.05,
            seed=plan.seed,
        ) as sandbox,
        PerfectPay(API_KEY, base_url=sandbox.url, **mutant(settings)) as client,
        beating() as heartbeat,
    ):
        plan.cloud(sandbox, elsewhere.url)
        lanes = await _in_parallel(client, plan.lanes(sandbox), plan.workers)
        sandbox.faults.clear()
        sandbox.rate_limit = None
        held = await _hold(client, sandbox, plan.max_connections)
        usable = await _is_usable(client)
    witness.read(sandbox.ledger)
    for lane in lanes:
        for done in lane:
            done.sent = witness.sent[done.ask.key]
    return Evidence(
        plan=plan,
        lanes=lanes,
        ledger=sandbox.ledger,
        store=sandbox.store,
        elsewhere=elsewhere.ledger,
        heartbeat=heartbeat,
        budget=client.retry_budget,
        logs=logs,
        complaints=complaints,
        held=held,
        usable=usable,
        before=before,
    )


async def _in_parallel(
    client: PerfectPay, lanes: Iterable[list[Ask]], workers: int
) -> list[list[Done]]:
    queue = iter(lanes)
    finished: list[list[Done]] = []

    async def worker() -> None:
        for lane in queue:
            done = [await perform(client, ask) for ask in lane]
            finished.append(done)

    await asyncio.gather(*(worker() for _ in range(workers)))
    return finished


async def perform(client: PerfectPay, ask: Ask) -> Done:
    """Make one call, and cancel it when its caller has lost patience."""
    now = asyncio.get_running_loop().time
    done = Done(ask, now())

    async def timed() -> Any:
        done.began = now()
        try:
            return await _call(client, ask)
        finally:
            done.ended = now()

    task = asyncio.create_task(timed())
    await asyncio.wait({task}, timeout=ask.cancel_after)
    if task.cancel():
        done.cancelled = now()
        await _ended({task})
    if not task.done():
        done.error = TimeoutError("it did not end")
    elif task.cancelled():
        done.error = asyncio.CancelledError()
    elif (error := task.exception()) is not None:
        done.error = error
    else:
        done.result = task.result()
    return done


async def _call(client: PerfectPay, ask: Ask) -> Any:
    methods = client.payment_methods
    options = RequestOptions(idempotency_key=ask.key, deadline=ask.deadline)
    match ask.operation:
        case "create":
            assert ask.card is not None
            return await methods.create(
                ask.target, ask.card, on_unknown=ask.on_unknown, options=options
            )
        case "retrieve":
            return await methods.retrieve(ask.target, options=options)
        case "update":
            return await methods.update(ask.target, expiry=ask.expiry, options=options)
        case "delete":
            return await methods.delete(ask.target, options=options)
        case _:
            return await methods.list(ask.target, options=options)


async def _hold(client: PerfectPay, sandbox: Sandbox, most: int) -> int:
    """Ask for more than fits, have the server hold it all, and return what is under way at once."""
    sandbox.faults.add(Fault.stall())
    first = len(sandbox.ledger.requests)
    tasks = [
        asyncio.create_task(client.payment_methods.retrieve("pm_hold", options=UNHURRIED))
        for _ in range(most + 5)
    ]
    for _ in range(PATIENCE):
        if len(sandbox.ledger.requests) - first >= most:
            break
        await asyncio.sleep(BEAT)
    await asyncio.sleep(2 * BEAT)
    held = len(sandbox.ledger.requests) - first
    for task in tasks:
        task.cancel()
    await _ended(tasks)
    sandbox.faults.clear()
    return held


async def _ended(tasks: Collection[asyncio.Task[Any]]) -> None:
    for _ in range(PATIENCE):
        _, pending = await asyncio.wait(tasks, timeout=BEAT)
        if not pending:
            break


async def _is_usable(client: PerfectPay) -> bool:
    try:
        await client.payment_methods.retrieve("pm_hold", options=UNHURRIED)
    except PerfectPayError as error:
        return error.status == 404
    return False
