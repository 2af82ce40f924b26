"""How well a fleet keeps to its limit: four worker processes, with and without Redis.

Run it with `python -m benchmarks.fleet_rate`; it takes about four minutes. The figures come from
the ledger of the sandbox: the updates that it received in its worst second, and how much of the
limit was used, both after the slow start.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import ExitStack

from tests.fleet.servers import Postgres, RabbitMq, Redis
from tests.fleet.world import Fleet, fleet, worst_window

WORKERS = 4
SLOW_START = 8.0


def steady(_made: Fleet, _redis: Redis | None) -> None:
    """Nothing happens."""


def killed(made: Fleet, redis: Redis | None) -> None:
    """Redis is killed in the middle, and started again 8 seconds later."""
    if redis is None:
        raise ValueError("there is no Redis to kill")
    made.await_requests(made.sandbox.count() + 1)
    time.sleep(12)
    redis.kill()
    time.sleep(8)
    redis.start()


def come_and_go(made: Fleet, _redis: Redis | None) -> None:
    """Two workers are killed in the middle, and two others come."""
    made.await_requests(made.sandbox.count() + 1)
    time.sleep(12)
    for process in made.workers[:2]:
        process.kill()
    time.sleep(3)
    for _ in range(2):
        made.start_worker("--rate", made.rate)


def measure(
    name: str, happen: Callable[[Fleet, Redis | None], None], limit: float, *, pooled: bool
) -> None:
    with ExitStack() as stack:
        postgres = stack.enter_context(Postgres())
        rabbitmq = stack.enter_context(RabbitMq())
        redis = stack.enter_context(Redis()) if pooled else None
        made = stack.enter_context(fleet(postgres, rabbitmq, redis=redis))
        made.write_input(made.sandbox.seed(int(30 * limit)))
        made.rate = str(limit)
        made.workers = [made.start_worker("--rate", made.rate) for _ in range(WORKERS)]
        submitted = made.submit()
        happen(made, redis)
        submitted.wait(300)
        seen = made.sandbox.evidence()
        began = seen.times[0] + SLOW_START
        ending = seen.times[-1] - 3.0  # the last chunks are not for all workers
        inside = [at for at in seen.times if began <= at < ending]
        used = len(inside) / (ending - began) / limit
        print(
            f"{name}: worst second {worst_window(seen.times) / limit:.3f} of the limit of "
            f"{limit:.0f}/s, {used:.1%} of it used; {seen.requests:,} requests, "
            f"{seen.repeats:,} repeats, exit {submitted.returncode}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--limit", type=float, default=200.0, help="requests per second")
    limit = parser.parse_args().limit
    measure("static shares", steady, limit, pooled=False)
    measure("static shares, two workers killed and two new ones", come_and_go, limit, pooled=False)
    measure("pool in Redis", steady, limit, pooled=True)
    measure("pool in Redis, which is killed and comes back", killed, limit, pooled=True)


if __name__ == "__main__":
    main()
