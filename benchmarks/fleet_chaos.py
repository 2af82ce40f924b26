"""Kills and freezes the parts of a fleet while it works, and shows that nothing is lost.

Run it with `python -m benchmarks.fleet_chaos`, or name some of the scenarios. Every figure comes
from the ledger of the sandbox that the updates were sent to. It needs the servers that
`.ci/servers` installs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable

import asyncpg

from tests.fleet.servers import Postgres, RabbitMq
from tests.fleet.world import Fleet, fleet

LEASE = 30.0
ROWS = {"workers_killed": 200_000, "redelivered": 1_000}


class World:
    """The servers, and the fleet of one scenario."""

    def __init__(self, postgres: Postgres, rabbitmq: RabbitMq, made: Fleet, rows: int) -> None:
        self.postgres, self.rabbitmq, self.fleet, self.rows = postgres, rabbitmq, made, rows
        self.cards = made.sandbox.seed(rows)
        made.write_input(self.cards)
        self.began = time.monotonic()

    def at(self, share: float) -> None:
        self.fleet.await_requests(int(self.rows * share))

    def finish(self, submitted: subprocess.Popen[bytes], patience: float = 900.0) -> float:
        submitted.wait(patience)
        return time.monotonic()

    def show(self, submitted: subprocess.Popen[bytes], *notes: str) -> None:
        seen = self.fleet.sandbox.evidence()
        said = self.fleet.output(submitted)
        account = json.loads(said[said.index("{") : said.rindex("}") + 1])
        print(
            f"  {self.rows:,} rows in {time.monotonic() - self.began:.0f} s: "
            f"{self.rows - seen.right:,} lost, {account['ok']:,} accounted for as ok, "
            f"{account['remaining']:,} remaining; {seen.repeats:,} repeats, "
            f"at most {seen.most_at_once} at once for one card; exit {submitted.returncode}"
        )
        for note in notes:
            print(f"  {note}")
        assert seen.right == self.rows
        assert seen.most_at_once <= 1
        assert account["ok"] == self.rows, account


def workers_killed(world: World) -> None:
    """One of two worker groups is killed (SIGKILL) at 10, 50 and 95 %, and started again."""
    made = world.fleet
    groups = [made.start_worker("--rate", "off") for _ in range(2)]
    submitted = made.submit()
    notes: list[str] = []
    for place, share in enumerate((0.1, 0.5, 0.95)):
        world.at(share)
        victim = groups[place % 2]
        taken = kill_and_await_takeover(world, victim)
        notes.append(f"killed at {share:.0%}: its chunks were taken by others after {taken:.2f} s")
        groups[place % 2] = made.start_worker("--rate", "off")
    world.finish(submitted)
    world.show(submitted, *notes)


def kill_and_await_takeover(world: World, victim: subprocess.Popen[bytes]) -> float:
    """Kill a worker group, and return the seconds until one of its chunks was another's."""
    return asyncio.run(_kill_and_await_takeover(world, victim))


async def _kill_and_await_takeover(world: World, victim: subprocess.Popen[bytes]) -> float:
    connection = await asyncpg.connect(world.postgres.url)
    try:
        held = await connection.fetch(
            "SELECT number, fence FROM fleet_chunk c JOIN fleet_worker w ON w.id = c.holder "
            "WHERE c.state = 'open' AND w.name LIKE '%:' || $1",
            str(victim.pid),
        )
        fences = {row["number"]: row["fence"] for row in held}
        os.killpg(victim.pid, signal.SIGKILL)
        killed = time.monotonic()
        victim.wait()
        while time.monotonic() < killed + 60:
            for row in await connection.fetch("SELECT number, fence FROM fleet_chunk"):
                if row["number"] in fences and row["fence"] > fences[row["number"]]:
                    return time.monotonic() - killed
            await asyncio.sleep(0.01)
        return float("inf")
    finally:
        await connection.close()


def redelivered(world: World) -> None:
    """A worker is killed (SIGKILL) while another one has nothing to do."""
    made = world.fleet
    first = made.start_worker("--rate", "off")
    submitted = made.submit()
    world.at(0.2)
    made.start_worker("--rate", "off")
    made.await_workers(2)
    taken = kill_and_await_takeover(world, first)
    world.finish(submitted)
    world.show(submitted, f"its chunk was taken by the idle worker after {taken:.2f} s")


def broker_restarted(world: World) -> None:
    """RabbitMQ is killed at 30 % and started again after 5 seconds."""
    made = world.fleet
    for _ in range(2):
        made.start_worker("--rate", "off")
    submitted = made.submit()
    world.at(0.3)
    world.rabbitmq.kill()
    time.sleep(5)
    world.rabbitmq.start()
    back = time.monotonic()
    ended = world.finish(submitted)
    world.show(submitted, f"finished {ended - back:.0f} s after the broker was back")


def postgres_away(world: World) -> None:
    """PostgreSQL is killed at 30 % and away for 30 seconds."""
    made = world.fleet
    for _ in range(2):
        made.start_worker("--rate", "off")
    submitted = made.submit()
    world.at(0.3)
    world.postgres.kill()
    time.sleep(4)
    before = made.sandbox.count()
    time.sleep(26)
    meanwhile = made.sandbox.count() - before
    world.postgres.start()
    back = time.monotonic()
    ended = world.finish(submitted)
    world.show(
        submitted,
        f"{meanwhile} requests were sent in the last 26 s without a ledger",
        f"finished {ended - back:.0f} s after PostgreSQL was back",
    )


def coordinator_killed(world: World) -> None:
    """The coordinator is killed at 30 %, and run again as `reconcile` 10 seconds later."""
    made = world.fleet
    for _ in range(2):
        made.start_worker("--rate", "off")
    submitted = made.submit()
    world.at(0.3)
    submitted.kill()
    submitted.wait()
    time.sleep(10)
    again = made.start("fleet", "reconcile", "1", "--quiet", "--json")
    world.finish(again)
    world.show(again)


def worker_frozen(world: World) -> None:
    """A worker is frozen (SIGSTOP) for 60 seconds at 30 %, and woken."""
    made = world.fleet
    groups = [made.start_worker("--rate", "off") for _ in range(2)]
    submitted = made.submit()
    world.at(0.3)
    os.killpg(groups[0].pid, signal.SIGSTOP)
    frozen = time.monotonic()
    ended = None
    while time.monotonic() < frozen + 60:
        if ended is None and submitted.poll() is not None:
            ended = time.monotonic()
        time.sleep(0.1)
    before = made.sandbox.count()
    os.killpg(groups[0].pid, signal.SIGCONT)
    time.sleep(5)
    sent = made.sandbox.count() - before if ended is not None else None
    ended = ended or world.finish(submitted)
    world.show(
        submitted,
        f"finished {ended - frozen:.0f} s after it was frozen (lease {LEASE:.0f} s)",
        f"the woken worker sent {sent} requests" if sent is not None else "woken before the end",
    )


SCENARIOS: dict[str, Callable[[World], None]] = {
    each.__name__: each
    for each in (
        workers_killed,
        redelivered,
        broker_restarted,
        postgres_away,
        coordinator_killed,
        worker_frozen,
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("scenario", nargs="*", help=f"any of {', '.join(SCENARIOS)}")
    parser.add_argument("--rows", type=int, help="rows, instead of the usual number")
    options = parser.parse_args()
    for name in options.scenario or SCENARIOS:
        scenario = SCENARIOS[name]
        rows = options.rows or ROWS.get(name, 30_000)
        print(f"{name}: {scenario.__doc__}", flush=True)
        faults = "latency=1:seconds=0.2" if scenario is redelivered else ""
        with (
            Postgres() as postgres,
            RabbitMq() as rabbitmq,
            fleet(postgres, rabbitmq, faults=faults) as made,
        ):
            good = False
            try:
                scenario(World(postgres, rabbitmq, made, rows))
                good = True
            finally:
                for log in [] if good else sorted(made.directory.glob("*.log")):
                    print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")


if __name__ == "__main__":
    main()
