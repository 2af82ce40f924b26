"""A whole fleet on this machine for the measurements: real servers, a sandbox, worker processes.

The sandbox is a process of its own, so that it takes no time from the workers' processes, and its
ledger is the evidence: it does not depend on anything that the fleet says of itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

import attrs

from perfectpay_async import CardExpiry
from perfectpay_async.sandbox import FaultPlan, Sandbox
from tests.fleet.servers import Postgres, RabbitMq, Redis

WANTED = CardExpiry(12, 2031)
COMMAND = (sys.executable, "-c", "from perfectpay_async.cli import main; main()")


@attrs.frozen(kw_only=True)
class Evidence:
    """What the sandbox saw of a run.

    Attributes:
        requests: Updates that it received.
        cards: Cards that were updated.
        right: Cards that hold the expiry of the input.
        repeats: Updates of a card that had been updated before.
        most_at_once: Most requests under way at once for one card.
        worst_second: Most updates received in any second.
        times: When each update was received, by its clock (monotonic, that of the machine).
    """

    requests: int
    cards: int
    right: int
    repeats: int
    most_at_once: int
    worst_second: int
    times: Sequence[float]


class RemoteSandbox:
    """A sandbox in a process of its own."""

    def __init__(self, *, faults: str = "") -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, faults), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self.url, self.api_key = self._pipe.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()

    def ask(self, name: str, *arguments: Any) -> Any:
        self._pipe.send((name, arguments))
        return self._pipe.recv()

    def seed(self, cards: int) -> list[str]:
        found: list[str] = self.ask("seed", cards)
        return found

    def count(self) -> int:
        """Return how many updates it has received."""
        found: int = self.ask("count")
        return found

    def evidence(self) -> Evidence:
        found: Evidence = self.ask("evidence")
        return found

    def cpu(self) -> float:
        """Return the CPU seconds that it has taken."""
        found: float = self.ask("cpu")
        return found


def _serve(pipe: Connection, faults: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_serve_until_the_end(pipe, faults))


async def _serve_until_the_end(pipe: Connection, faults: str) -> None:
    loop = asyncio.get_running_loop()
    async with Sandbox(faults=FaultPlan.parse(faults)) as server:
        pipe.send((server.url, server.api_key))
        ended = asyncio.Event()

        def answer(name: str, arguments: Sequence[Any]) -> None:
            pipe.send(_ANSWERS[name](server, *arguments))

        def listen() -> None:
            with suppress(EOFError, OSError):
                while True:
                    name, arguments = pipe.recv()
                    loop.call_soon_threadsafe(answer, name, arguments)
            loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=listen, daemon=True).start()
        await ended.wait()


def _evidence(server: Sandbox) -> Evidence:
    updates = server.ledger.requests_of("payment_methods.update")
    times = sorted(request.received for request in updates)
    cards = Counter(
        write.payment_method_id
        for write in server.ledger.writes
        if write.operation == "payment_methods.update"
    )
    return Evidence(
        requests=len(updates),
        cards=len(cards),
        right=sum(
            server.ledger.expiry_of(card) == (WANTED.wire_month, WANTED.wire_year) for card in cards
        ),
        repeats=sum(cards.values()) - len(cards),
        most_at_once=server.ledger.max_in_flight_per_id,
        worst_second=worst_window(times),
        times=times,
    )


def worst_window(times: Sequence[float], seconds: float = 1.0) -> int:
    """Return the most of the times that lie within any such window."""
    worst = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - seconds:
            first += 1
        worst = max(worst, last - first + 1)
    return worst


_ANSWERS: Mapping[str, Any] = {
    "seed": lambda server, cards: server.seed_cards(cards),
    "count": lambda server: len(server.ledger.requests),
    "evidence": _evidence,
    "cpu": lambda _server: time.process_time(),
}


class Fleet:
    """The processes of a fleet, and what they need."""

    def __init__(
        self, stack: ExitStack, sandbox: RemoteSandbox, environment: dict[str, str]
    ) -> None:
        self.sandbox = sandbox
        self.environment = environment
        self.directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.environment["PERFECTPAY_STATE_DIR"] = str(self.directory / "jobs")
        self.input = self.directory / "cards.csv"
        self.rate = "off"
        self.workers: list[subprocess.Popen[bytes]] = []
        self._processes: list[subprocess.Popen[bytes]] = []

    def write_input(self, cards: Sequence[str]) -> None:
        with self.input.open("w") as stream:
            stream.write("payment_method_id,exp_month,exp_year\n")
            stream.writelines(f"{card},{WANTED.wire_month},{WANTED.wire_year}\n" for card in cards)

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[bytes]:
        """Start a command in a process group of its own; its output goes to a file."""
        log = (self.directory / f"{len(self._processes)}-{arguments[1]}.log").open("wb")
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            env={**self.environment, **more},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        self._processes.append(process)
        return process

    def start_worker(self, *arguments: str) -> subprocess.Popen[bytes]:
        return self.start("fleet", "worker", *arguments)

    def submit(self, *arguments: str) -> subprocess.Popen[bytes]:
        return self.start("fleet", "submit", str(self.input), "--quiet", "--json", *arguments)

    def await_workers(self, count: int, patience: float = 60.0) -> None:
        """Wait until so many workers are known to the ledger."""
        end = time.monotonic() + patience
        while True:
            found = subprocess.run(
                [*COMMAND, "fleet", "status", "--json"],
                env=self.environment,
                check=True,
                capture_output=True,
            )
            if len(json.loads(found.stdout)["workers"]) >= count:
                return
            if time.monotonic() > end:
                raise TimeoutError(f"no {count} workers in {patience} s")

    def output(self, process: subprocess.Popen[bytes]) -> str:
        place = self._processes.index(process)
        (log,) = self.directory.glob(f"{place}-*.log")
        return log.read_text(errors="replace")

    def await_requests(self, count: int, patience: float = 600.0) -> None:
        """Wait until the sandbox has received so many."""
        end = time.monotonic() + patience
        while self.sandbox.count() < count:
            if time.monotonic() > end:
                raise TimeoutError(f"no {count} requests in {patience} s")
            time.sleep(0.05)

    def close(self) -> None:
        for process in self._processes:
            for number in (signal.SIGCONT, signal.SIGTERM):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def fleet(
    postgres: Postgres, rabbitmq: RabbitMq, *, redis: Redis | None = None, faults: str = ""
) -> Iterator[Fleet]:
    """Give the servers a new ledger and queue, and start a sandbox."""
    with ExitStack() as stack:
        sandbox = stack.enter_context(RemoteSandbox(faults=faults))
        environment = {
            **os.environ,
            "PERFECTPAY_API_KEY": sandbox.api_key,
            "PERFECTPAY_BASE_URL": sandbox.url,
            "PERFECTPAY_FLEET_LEDGER": postgres.url,
            "PERFECTPAY_FLEET_BROKER": rabbitmq.url,
        }
        environment.pop("PERFECTPAY_ENVIRONMENT", None)
        if redis is not None:
            environment["PERFECTPAY_FLEET_REDIS"] = redis.url
        made = Fleet(stack, sandbox, environment)
        stack.callback(made.close)
        yield made
