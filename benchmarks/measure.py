"""Measures contenders in turn: round after round, so that a machine that slows down slows for all.

The figure of record is the client's CPU time (user and system) for a request. It is compared with
what raw aiohttp needed in the same round, and the median of these ratios is what is reported.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack
from itertools import cycle, islice, repeat
from string import ascii_letters, digits
from typing import Any, Final, NamedTuple

from .contenders import BASELINE, Call, Contender
from .server import Address

SAMPLE_SECONDS = 0.12
FEWEST = 24


# Names as long as those in real ids, more of them than anybody caches: a program that calls the
# same URL again and again is only met in benchmarks.
_letters = random.Random(7)
NAMES: Final = ["".join(_letters.choices(ascii_letters + digits, k=20)) for _ in range(20_000)]


class Scenario(NamedTuple):
    """What is called, how many at once, and in which circumstances."""

    operation: str
    in_flight: int
    failing: bool = False
    tls: bool = False
    same_card: bool = False

    @property
    def label(self) -> str:
        extras = {
            ", 1 % failing": self.failing,
            ", TLS": self.tls,
            ", always the same card": self.same_card,
        }
        said = "".join(text for text, is_so in extras.items() if is_so)
        return f"{self.operation}, {self.in_flight} in flight{said}"

    def names(self) -> Iterator[str]:
        return repeat(NAMES[0]) if self.same_card else cycle(NAMES)

    def url(self, address: Address) -> str:
        return (address.tls_url if self.tls else address.url) + ("/failing" if self.failing else "")


class Figure(NamedTuple):
    """What one contender needed in one scenario."""

    contender: str
    loop: str
    ratio: float
    microseconds: float
    requests_per_second: float


class _Entry:
    """One contender on one event loop."""

    def __init__(self, contender: Contender, loop: str, runner: asyncio.Runner) -> None:
        self.contender = contender
        self.loop = loop
        self._runner = runner
        self._stack = AsyncExitStack()
        self.requests = FEWEST
        self.cpu: list[float] = []
        self.wall: list[float] = []

    def open(self, scenario: Scenario, address: Address) -> None:
        async def opened() -> Call:
            calls = await self._stack.enter_async_context(
                self.contender.open(scenario.url(address), address.trust)
            )
            await calls["update" if scenario.failing else scenario.operation](NAMES[0])
            return calls[scenario.operation]

        self._call = self._runner.run(opened())
        self._names = scenario.names()
        self.requests = max(FEWEST, scenario.in_flight)
        spent = self._sample(scenario) * self.requests  # warms up too
        self.requests = max(self.requests, int(self.requests * SAMPLE_SECONDS / spent))

    def measure(self, scenario: Scenario) -> None:
        began = time.perf_counter()
        self.cpu.append(self._sample(scenario))
        self.wall.append((time.perf_counter() - began) / self.requests)

    def close(self) -> None:
        self._runner.run(self._stack.aclose())

    def _sample(self, scenario: Scenario) -> float:
        """Return CPU seconds for a request."""
        names = islice(self._names, self.requests)

        async def worker() -> None:
            for name in names:
                try:
                    await self._call(name)
                except Exception:
                    if not scenario.failing:
                        raise

        async def all_of_them() -> float:
            began = time.process_time()
            async with asyncio.TaskGroup() as group:
                for _ in range(scenario.in_flight):
                    group.create_task(worker())
            return time.process_time() - began

        return self._runner.run(all_of_them()) / self.requests


def compare(
    scenario: Scenario,
    contenders: Iterable[Contender],
    runners: dict[str, asyncio.Runner],
    address: Address,
    rounds: int,
) -> tuple[list[Figure], dict[str, str]]:
    """Measure contenders in a scenario; the second result says who could not take part and why.

    The first of the runners has the plain loop, on which raw aiohttp is the measure of all.
    """
    entries: list[_Entry] = []
    failed: dict[str, str] = {}
    for contender in contenders:
        for loop, runner in runners.items():
            entry = _Entry(contender, loop, runner)
            try:
                entry.open(scenario, address)
            except Exception as error:  # noqa: BLE001 - a contender that cannot is left out
                failed[contender.label] = type(error).__name__
                entry.close()
            else:
                entries.append(entry)
    for _ in range(rounds):
        for entry in entries:
            entry.measure(scenario)
    for entry in entries:
        entry.close()
    base = next(entry for entry in entries if entry.contender.label == BASELINE)
    return [_figure(entry, base) for entry in entries], failed


def _figure(entry: Any, base: Any) -> Figure:
    pairs = zip(entry.cpu, base.cpu, strict=True)
    return Figure(
        entry.contender.label,
        entry.loop,
        statistics.median(own / raw for own, raw in pairs),
        statistics.median(entry.cpu) * 1e6,
        1 / statistics.median(entry.wall),
    )
