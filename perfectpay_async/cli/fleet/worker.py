"""`perfectpay fleet worker`: run chunks of whatever jobs there are."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import click
from yarl import URL

from perfectpay_async.cli.bulk.options import Pace, Target, address_options, pace_options
from perfectpay_async.cli.exits import ExitCode
from perfectpay_async.cli.signals import call_on_signals
from perfectpay_async.fleet import FleetWorker
from perfectpay_async.fleet.worker import GRACE

from .options import BROKER, REDIS, from_environment, opened_ledger, require_fleet, run
from .supervisor import supervise

_LOG: Final = logging.getLogger("perfectpay_async.fleet")


@click.command("worker")
@address_options
@pace_options
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes; one that dies is started again when there are several.",
)
@click.option(
    "--grace",
    type=click.FloatRange(0),
    default=GRACE,
    show_default=True,
    help="Seconds that cards under way have to end after SIGTERM.",
)
@click.option("--supervised", is_flag=True, hidden=True)
def worker(*, address: URL, pace: Pace, processes: int, grace: float, supervised: bool) -> int:
    """Run chunks of the jobs of this fleet, until SIGTERM or Ctrl-C.

    --rate is the limit of the whole fleet: say the same to all workers. Each takes an equal part of
    it, and the parts change as workers come and go.

    On SIGTERM it begins no more cards, ends those under way within --grace, saves, and gives its
    chunks back to the others.

    Exit codes: 0 ended by a signal, 2 wrong usage, 4 key missing, 7 the ledger or the broker
    cannot be used.
    """
    require_fleet()
    from_environment(BROKER)
    target = Target(address, pace)
    if processes > 1:
        target.client()  # what is wrong with the key is said once
        return run(supervise(_without_processes(sys.argv[1:]), processes, grace))
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    _LOG.setLevel(logging.INFO)
    return run(_work(target, grace, supervised=supervised))


async def _work(target: Target, grace: float, *, supervised: bool) -> int:
    from perfectpay_async.fleet.taskiq import CHUNKS_AT_ONCE, FleetBroker, serve

    stopping = asyncio.Event()
    pool = None
    if redis := os.environ.get(REDIS):
        from perfectpay_async.fleet.redis_rate import RedisRate

        pool = RedisRate(redis, target.address)
    async with opened_ledger() as ledger, target.client() as client:
        member = FleetWorker(
            client,
            ledger,
            rate=target.pace.rate,
            concurrency=target.pace.concurrency,
            chunks=CHUNKS_AT_ONCE,
            pool=pool,
        )

        def stop(_number: int = 0) -> None:
            if not stopping.is_set():
                _LOG.info("draining: cards under way have %.0f s to end", grace)
            stopping.set()
            member.drain(grace)

        async with member:
            watching = asyncio.create_task(_until_orphaned(stop)) if supervised else None
            with call_on_signals(stop):
                await serve(FleetBroker(from_environment(BROKER), target.address), member, stopping)
            if watching is not None:
                watching.cancel()
    return ExitCode.DONE


async def _until_orphaned(stop: object) -> None:
    """Stop when the supervisor has gone: it holds the other end of stdin."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    with suppress(asyncio.CancelledError):
        await reader.read()
        if callable(stop):
            stop()


def _without_processes(arguments: Sequence[str]) -> list[str]:
    """Return the arguments without `--processes N`, for one of the processes."""
    kept: list[str] = []
    skip = False
    for argument in arguments:
        if skip or argument.startswith("--processes="):
            skip = False
        elif argument == "--processes":
            skip = True
        else:
            kept.append(argument)
    return [*kept, "--supervised"]
