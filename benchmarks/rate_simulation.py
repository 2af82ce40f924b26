"""How the rate control of bulk runs behaves while the server's limit changes. No sockets, no waits.

Run it with `python benchmarks/rate_simulation.py`; `--plot FILE` draws the curves when matplotlib
is installed. Several clients share a server that lets a number of requests per second through
(counted over the last second, as the sandbox does) and answers 429 to the rest. The contender is
what most scripts do: 64 workers that repeat after a full-jitter backoff.

Capacity is what the limit leaves to the clients: of a limit of 80/s with 20 live calls/s, 60/s; and
never more than the clients' ceilings.

`--bounds` shows what any client can reach beside live calls at random times: how many of them one
at a constant rate disturbs, and one that sees each free place of the server's count.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from perfectpay_async.bulk.controller import Controller
from perfectpay_async.bulk.pace import BURST
from perfectpay_async.resilience.limiter import Gcra

LATENCY = (0.02, 0.06)
WORKERS = 64
PATIENCE = 60.0  # a gate is never closed for longer

Phase = tuple[float, float]  # seconds, requests per second


@dataclass
class Outcome:
    """What happened, in total and per second of the simulation."""

    limit: list[float]
    delivered: list[int] = field(init=False)
    rejected: list[int] = field(init=False)
    live: list[int] = field(init=False)
    live_rejected: list[int] = field(init=False)

    def __post_init__(self) -> None:
        seconds = len(self.limit)
        self.delivered, self.rejected = [0] * seconds, [0] * seconds
        self.live, self.live_rejected = [0] * seconds, [0] * seconds


class World:
    """The clock, the server, and the events to come."""

    def __init__(self, phases: list[Phase], seed: int) -> None:
        self.now = 0.0
        self.random = random.Random(seed)
        self.length = sum(seconds for seconds, _ in phases)
        ends = itertools.accumulate(seconds for seconds, _ in phases)
        self._phases = list(zip(ends, (limit for _, limit in phases), strict=True))
        self._admitted: deque[float] = deque()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.outcome = Outcome([self.limit(n + 0.5) for n in range(math.ceil(self.length))])

    def limit(self, at: float) -> float:
        return next((limit for end, limit in self._phases if at < end), 0.0)

    def free_places(self) -> float:
        """Return how many more requests would be let through now."""
        while self._admitted and self._admitted[0] <= self.now - 1.0:
            self._admitted.popleft()
        return self.limit(self.now) - len(self._admitted)

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._order), event))

    def run(self) -> Outcome:
        while self._events and self._events[0][0] < self.length:
            self.now, _, event = heapq.heappop(self._events)
            event()
        return self.outcome

    def request(self, answered: Callable[[bool], None], *, live: bool = False) -> None:
        """Send a request; `answered` is called with whether it was let through."""
        travel = self.random.uniform(*LATENCY) / 2
        self.after(travel, lambda: self._arrive(travel, answered, live=live))

    def _arrive(self, travel: float, answered: Callable[[bool], None], *, live: bool) -> None:
        passes = self.free_places() > 0
        if passes:
            self._admitted.append(self.now)
        outcome, second = self.outcome, int(self.now)
        if live:
            outcome.live[second] += 1
            outcome.live_rejected[second] += not passes
        else:
            outcome.delivered[second] += passes
            outcome.rejected[second] += not passes
        self.after(travel, lambda: answered(passes))


Kind = Callable[[World, float], object]
"""Makes a client with a ceiling."""


class Adaptive:
    """A client whose requests pass the controller; there is always a further row."""

    def __init__(self, world: World, ceiling: float) -> None:
        self._world = world
        self._control = Controller(ceiling, WORKERS, now=0.0, uniform=world.random.uniform)
        self._schedule = Gcra(self._control.rate(0.0))
        self._flying = 0
        self._wakes_at = math.inf
        world.after(world.random.uniform(0, 0.1), self._go)

    def _go(self) -> None:
        now = self._world.now
        self._wakes_at = math.inf
        while True:
            rate = self._control.rate(now)
            self._schedule.change(now, rate, 1 + BURST * rate)
            wait = self._control.hold(now)
            if self._control.gate_open:
                if self._flying >= self._control.cap(now):
                    return  # an answer calls again
                wait = max(wait, self._schedule.delay(now))
            if wait == math.inf:
                return  # the answer to the probe calls again
            if wait > 0:
                self._wake_in(wait)
                return
            self._schedule.take(now)
            self._flying += 1
            ticket = self._control.send(now)
            self._world.request(lambda passed, ticket=ticket: self._answered(ticket, passed))  # type: ignore[misc]

    def _wake_in(self, seconds: float) -> None:
        at = self._world.now + min(seconds, PATIENCE)
        if at < self._wakes_at:
            self._wakes_at = at
            self._world.after(seconds, lambda: self._go() if self._wakes_at == at else None)

    def _answered(self, ticket: object, passed: bool) -> None:
        self._flying -= 1
        if passed:
            self._control.delivered(ticket, self._world.now)  # type: ignore[arg-type]
        else:
            self._control.throttled(ticket, self._world.now)  # type: ignore[arg-type]
        self._go()


class Backoff:
    """A client with a fixed number of workers that repeat after a full-jitter backoff."""

    def __init__(self, world: World, _ceiling: float) -> None:
        self._world = world
        for _ in range(WORKERS):
            world.after(world.random.uniform(0, 0.1), lambda: self._send(0))

    def _send(self, throttled: int) -> None:
        self._world.request(lambda passed: self._answered(0 if passed else throttled + 1))

    def _answered(self, throttled: int) -> None:
        bound = min(8.0, 2.0 ** (throttled - 1)) if throttled else 0.0
        self._world.after(self._world.random.uniform(0.0, bound), lambda: self._send(throttled))


class Constant:
    """A client that learns nothing."""

    def __init__(self, rate: float, world: World, _ceiling: float) -> None:
        self._world = world
        self._gap = 1 / rate
        self._send()

    def _send(self) -> None:
        self._world.request(lambda _passed: None)
        self._world.after(self._gap, self._send)


class Seer:
    """A client that sees the server's count, and sends while more than some places are free."""

    def __init__(self, spare: int, world: World, _ceiling: float) -> None:
        self._world = world
        self._spare = spare
        self._flying = 0
        self._look()

    def _look(self) -> None:
        while self._world.free_places() - self._flying > self._spare:
            self._flying += 1
            self._world.request(self._answered)
        self._world.after(0.002, self._look)

    def _answered(self, _passed: bool) -> None:
        self._flying -= 1


def simulate(
    kind: Kind,
    phases: list[Phase],
    *,
    clients: int,
    ceiling: float,
    live: float,
    arrivals: str,
    seed: int,
) -> Outcome:
    world = World(phases, seed)
    for _ in range(clients):
        kind(world, ceiling)

    def call() -> None:
        world.request(lambda _passed: None, live=True)
        random_times = arrivals == "random"
        world.after(world.random.expovariate(live) if random_times else 1 / live, call)

    if live:
        world.after(0.0, call)
    return world.run()


@dataclass
class Scenario:
    """A story of limits, and who lives through it."""

    title: str
    phases: list[Phase]
    clients: int = 1
    ceiling: float = math.inf
    live: float = 0.0
    arrivals: str = "random"

    def usable(self, limit: float) -> float:
        return max(0.0, min(self.clients * self.ceiling, limit - self.live))


SCENARIOS = [
    Scenario(
        "8 clients, no ceiling: 400, 150, outage, 800 /s",
        [(60, 400), (60, 150), (30, 0), (60, 800)],
        clients=8,
    ),
    *(
        Scenario(
            f"1 client, ceiling 40/s, 20 live calls/s at {arrivals} times: 80, 40, 80 /s",
            [(60, 80), (60, 40), (60, 80)],
            ceiling=40.0,
            live=20.0,
            arrivals=arrivals,
        )
        for arrivals in ("regular", "random")
    ),
]
KINDS: dict[str, Kind] = {
    "adaptive": Adaptive,
    "64 workers, backoff": Backoff,
}


def report(scenario: Scenario, name: str, outcome: Outcome) -> None:
    second = 0
    shares: list[str] = []
    live_shares: list[str] = []
    for seconds, limit in scenario.phases:
        span = slice(second, second + int(seconds))
        usable = scenario.usable(limit) * seconds
        shares.append(f"{sum(outcome.delivered[span]) / usable:6.1%}" if usable else "     -")
        if scenario.live:
            live_shares.append(f"{sum(outcome.live_rejected[span]) / sum(outcome.live[span]):6.2%}")
        second += int(seconds)
    sent = sum(outcome.delivered) + sum(outcome.rejected)
    live = f"  live rejected {' '.join(live_shares)}" if live_shares else ""
    print(
        f"  {name:<27} used {' '.join(shares)}"
        f"  rejected {sum(outcome.rejected) / sent:6.2%} of {sent:,}{live}"
    )


def plot(results: list[tuple[Scenario, dict[str, Outcome]]], file: Path) -> None:
    import matplotlib as mpl  # type: ignore[import-not-found,unused-ignore]

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # type: ignore[import-not-found,unused-ignore]

    figure, rows = plt.subplots(
        len(results), len(KINDS), figsize=(11, 8.5), sharex="row", sharey="row", squeeze=False
    )
    for row, (scenario, outcomes) in zip(rows, results, strict=True):
        for axes, (name, outcome) in zip(row, outcomes.items(), strict=True):
            usable = [scenario.usable(limit) for limit in outcome.limit]
            axes.step(range(len(usable)), usable, where="post", color="0.4", label="usable")
            axes.plot(outcome.delivered, color="tab:green", label="delivered")
            axes.plot(outcome.rejected, color="tab:red", label="rejected")
            axes.set_title(f"{name}\n{scenario.title}", fontsize=8)
            axes.set_xlabel("seconds", fontsize=8)
            axes.set_ylabel("bulk requests / s", fontsize=8)
            axes.tick_params(labelsize=7)
            axes.legend(fontsize=7, loc="upper left")
    figure.tight_layout()
    figure.savefig(file, dpi=80)
    print(f"drawn: {file}")


def bounds(seed: int) -> None:
    limit, live, seconds = 40.0, 20.0, 600.0
    print(f"limit {limit:.0f}/s, {live:.0f} live calls/s at random times, {seconds:.0f} s")
    kinds: dict[str, Kind] = {}
    for rate in (13, 14, 15, 16, 17, 18):
        kinds[f"constant {rate}/s"] = partial(Constant, rate)
    for spare in (3, 4, 5, 6):
        kinds[f"sees the count, keeps {spare} free"] = partial(Seer, spare)
    for name, kind in kinds.items():
        scenario = Scenario(name, [(seconds, limit)], live=live)
        report(scenario, name, run(scenario, kind, seed))


def run(scenario: Scenario, kind: Kind, seed: int) -> Outcome:
    return simulate(
        kind,
        scenario.phases,
        clients=scenario.clients,
        ceiling=scenario.ceiling,
        live=scenario.live,
        arrivals=scenario.arrivals,
        seed=seed,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the curves as a PNG")
    parser.add_argument("--bounds", action="store_true", help="show what any client can reach")
    options = parser.parse_args()
    if options.bounds:
        bounds(options.seed)
        return
    results: list[tuple[Scenario, dict[str, Outcome]]] = []
    for scenario in SCENARIOS:
        print(scenario.title)
        outcomes = {name: run(scenario, kind, options.seed) for name, kind in KINDS.items()}
        for name, outcome in outcomes.items():
            report(scenario, name, outcome)
        results.append((scenario, outcomes))
    if options.plot:
        plot(results, options.plot)


if __name__ == "__main__":
    main()
