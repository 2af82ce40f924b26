"""What the parts of a call cost by themselves, so that a regression is found where it is.

    python -m benchmarks.parts

Each figure is the best of several runs on this machine: compare them with each other, and with the
same on the revision before. In the middle of a call a part costs up to twice as much, because the
processor's caches are full of something else.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
import timeit
import uuid
from collections.abc import Awaitable, Callable
from itertools import cycle
from typing import Any, cast

from tenacity import RetryCallState, wait_none
from yarl import URL

from perfectpay_async import (
    CardExpiry,
    Middlewares,
    PerfectPay,
    RateLimit,
    Request,
    Response,
    RetryPolicy,
    ServerError,
)
from perfectpay_async.bulk import ExpiryRow, controller
from perfectpay_async.bulk.chunks import fingerprint
from perfectpay_async.bulk.keys import RowKeys
from perfectpay_async.bulk.pace import Pace
from perfectpay_async.entities import check_payment_method_id, quote_segment
from perfectpay_async.http.timer import Timer, Timers
from perfectpay_async.jsontext import decode_json, encode_json
from perfectpay_async.middleware.idempotency import _random_key
from perfectpay_async.resilience.budget import RetryBudget
from perfectpay_async.resilience.limiter import Gcra
from perfectpay_async.resources.payment_methods import UPDATE
from perfectpay_async.wire.codec import decode_payment_method, decode_payment_method_list
from perfectpay_async.wire.dialects import expiry_text, update_body

from .answers import ANSWERS
from .contenders.ours_with_middlewares import nothing
from .counting import Instant

ROOT = URL("https://api.example")
HEADERS = {"Accept": "a", "Accept-Encoding": "b", "User-Agent": "c", "Content-Type": "d"}
EXPIRY = CardExpiry(12, 2031)
REQUEST = Request(UPDATE, ROOT, HEADERS, None, 0.0, 1.0, 1.0)
ONE = Response(200, {}, ANSWERS["payment_methods"], 0.0, REQUEST)
LIST = Response(200, {}, ANSWERS["customers/cus_100"], 0.0, REQUEST)


def _show(name: str, microseconds: float) -> None:
    print(f"{name:58} {microseconds:9.2f} us")


def _time(name: str, part: Callable[[], Any], number: int = 5_000) -> None:
    part()
    _show(name, min(timeit.repeat(part, number=number, repeat=7)) / number * 1e6)


async def _time_awaited(
    name: str, part: Callable[[], Awaitable[object]], number: int = 1_000
) -> None:
    times: list[float] = []
    for _ in range(7):
        began = time.perf_counter()
        for _ in range(number):
            await part()
        times.append((time.perf_counter() - began) / number * 1e6)
    _show(name, min(times))


class FailsAtFirst(Instant):
    """Of two attempts the first one fails."""

    def __init__(self) -> None:
        self._status = cycle((503, 200))

    async def send(self, request: Request) -> Response:
        return Response(next(self._status), {}, ONE.body, 0.0, request)


async def _time_async_parts() -> None:
    loop = asyncio.get_running_loop()

    timers = Timers()

    def timer() -> None:
        with Timer(timers, loop, loop.time() + 10):
            pass

    _time("timer of an attempt, alone", timer)
    with Timer(timers, loop, loop.time() + 5):
        _time("timer of an attempt, among others", timer)

    async def standard() -> None:
        async with asyncio.timeout_at(loop.time() + 10):  # noqa: ASYNC100 - its own cost
            pass

    await _time_awaited("  the same by asyncio.timeout_at", standard, 5_000)

    async def time_update(name: str, transport: Instant, **settings: Any) -> None:
        client = PerfectPay("snd_x", base_url=str(ROOT), transport=transport, **settings)
        methods = client.payment_methods
        await _time_awaited(name, lambda: methods.update("pm_bench", expiry=EXPIRY))

    await time_update("update, all but the transport", Instant())
    five = Middlewares(call=[nothing] * 3, attempt=[nothing] * 2)
    await time_update("  with five middlewares more", Instant(), middlewares=five)
    fast = RateLimit(requests_per_second=1e9, burst=1e9, max_in_flight=1_000)
    await time_update("  with a rate limit that never waits", Instant(), rate_limit=fast)
    at_once = RetryPolicy(wait=wait_none())
    await time_update("  of which the first attempt fails", FailsAtFirst(), retry=at_once)
    await _time_pace()


async def _time_pace() -> None:
    controller.START = 1e9  # type: ignore[misc]  # no slow start
    pace = Pace(float("inf"), 64)

    async def answer(_request: Request) -> Response:
        return ONE

    await _time_awaited("bulk: rate control, one request", lambda: pace(REQUEST, answer))


def _time_retry_decision() -> None:
    policy = RetryPolicy()
    failure = ServerError("planned")
    state = RetryCallState(cast("Any", None), None, (REQUEST,), {})
    state.set_exception((type(failure), failure, None))
    _time(
        "retry decision: repeat it? enough? how long to wait?",
        lambda: (policy.retry(state), policy.stop(state), policy.wait(state)),
    )
    budget = RetryBudget()
    _time(
        "retry budget, paid and refunded", lambda: budget.refund(budget.take(throttled=False) or 0)
    )


def main() -> None:
    """Measure the parts one after another."""
    path = "/payment_methods/pm_bench/update"
    _time("URL of a call", lambda: ROOT.with_path(path, encoded=True))
    _time("check an id", lambda: check_payment_method_id("pm_bench"))
    _time("quote an id", lambda: quote_segment("pm_bench"))
    _time("a request with one header more", lambda: REQUEST.with_header("api-key", "snd_x"))
    _time("idempotency key", _random_key)
    _time("  the same by uuid.uuid4", lambda: str(uuid.uuid4()))
    _time("  its random bytes alone", lambda: os.urandom(16))
    body = update_body("perfectpay", expiry=EXPIRY)
    _time("body of an update, made", lambda: encode_json(update_body("perfectpay", expiry=EXPIRY)))
    _time("  its encoding alone", lambda: encode_json(body))
    _time("  kept", lambda: expiry_text("perfectpay", EXPIRY))
    limiter = Gcra(1e9)
    _time("limiter, one start", lambda: limiter.start(time.monotonic()))
    _time_retry_decision()
    _time("JSON of a method, strict", lambda: decode_json(ONE.body))
    _time("  the same by json.loads, not strict", lambda: json.loads(ONE.body))
    _time("entity of a method, with its JSON", lambda: decode_payment_method(ONE, "pm_bench"))
    _time("JSON of 100 methods, strict", lambda: decode_json(LIST.body), 20)
    _time("  the same by json.loads, not strict", lambda: json.loads(LIST.body), 20)
    _time("entities of 100 methods, with their JSON", lambda: decode_payment_method_list(LIST), 20)
    _time_pydantic()
    rows = [ExpiryRow(number, f"pm_{number:020d}", EXPIRY) for number in range(1_000)]
    keys = RowKeys("job", 1)
    _time("bulk: idempotency key of a row", lambda: keys(rows[0]))
    _time("bulk: fingerprint of 1,000 rows", lambda: fingerprint(rows), 20)
    asyncio.run(_time_async_parts())


def _time_pydantic() -> None:
    try:
        from .pydantic_models import Methods
    except ImportError:
        print("skipped: pydantic is not installed")
        return
    _time("  the same by pydantic", lambda: Methods.model_validate_json(LIST.body), 20)


if __name__ == "__main__":
    main()
