"""The commands, as processes of their own on real servers: killed, ended, started again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from perfectpay_async.bulk import Verdict, read_account
from perfectpay_async.sandbox import Sandbox
from perfectpay_async.sandbox.faults import Fault
from tests.fleet.conftest import new_ledger

COMMAND = (sys.executable, "-c", "from perfectpay_async.cli import main; main()")
PATIENCE = 120.0
WORKER = "perfectpay fleet worker"
# What `sitecustomize` does in each worker process of these tests: chunks of 100 rows, and nothing
# that is waited for for long. A chunk named by FATAL_CHUNK ends its worker.
CUSTOM = """
import os
from perfectpay_async.bulk import inspection
from perfectpay_async.fleet import recorder, slices, worker
from perfectpay_async.fleet.sql import worker_ledger
for module in (inspection, recorder, slices):
    module.CHUNK_ROWS = 100
worker.SETTLE = 0.2
if fatal := os.environ.get("FATAL_CHUNK"):
    worker_ledger.MAX_FUTILE, worker_ledger.SUSPECT = 3, 1
    read = worker._read_rows
    def read_or_die(taken):
        if taken.slice.number == int(fatal):
            os.kill(os.getpid(), 9)
        return read(taken)
    worker._read_rows = read_or_die
"""


class Commands:
    """Runs `perfectpay fleet` commands in process groups of their own."""

    def __init__(self, environment, directory):
        self.environment = environment
        self.directory = directory
        self.started = []

    async def start(self, *arguments, **more):
        log = (self.directory / f"{len(self.started)}.log").open("wb")
        with log:
            process = await asyncio.create_subprocess_exec(
                *COMMAND,
                "fleet",
                *arguments,
                env={**self.environment, **more},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def log(self, process):
        return (self.directory / f"{self.started.index(process)}.log").read_text()

    async def end(self, process):
        """Wait for the end of a command, and return its exit code and what it said."""
        async with asyncio.timeout(PATIENCE):
            said, _ = await process.communicate()
        return process.returncode, said.decode()

    async def run(self, *arguments):
        return await self.end(await self.start(*arguments))

    async def close(self):
        for process in self.started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()


@pytest.fixture
async def sandbox():
    # Slow, so that there is a middle in which things can happen.
    async with Sandbox(faults=[Fault.latency(seconds=0.02)]) as server:
        yield server


@pytest.fixture
async def commands(postgres, rabbitmq, sandbox, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(CUSTOM)
    made = Commands(
        {
            **os.environ,
            "PYTHONPATH": str(tmp_path),
            "PERFECTPAY_API_KEY": sandbox.api_key,
            "PERFECTPAY_BASE_URL": sandbox.url,
            "PERFECTPAY_STATE_DIR": str(tmp_path / "jobs"),
            "PERFECTPAY_FLEET_LEDGER": await new_ledger(postgres),
            "PERFECTPAY_FLEET_BROKER": rabbitmq.url,
        },
        tmp_path,
    )
    yield made
    await made.close()


@pytest.fixture
def write(sandbox, write_input):
    return lambda cards: write_input(sandbox.seed_cards(cards))


async def written(sandbox, count):
    async with asyncio.timeout(PATIENCE):
        while len(sandbox.ledger.writes) < count:  # noqa: ASYNC110 - the sandbox tells nobody
            await asyncio.sleep(0.01)


def kill(process):
    os.killpg(process.pid, signal.SIGKILL)


def assert_proven(sandbox, cards, said):
    """The sandbox's own ledger, and the account, say that every card was updated."""
    account = json.loads(said)
    methods = set(sandbox.store.methods)
    assert {write.payment_method_id for write in sandbox.ledger.writes} == methods
    assert len(methods) == cards
    assert (account["ok"], account["remaining"]) == (cards, 0)
    assert sandbox.ledger.max_in_flight_per_id == 1


def most_repeats(sandbox, file):
    """Return how often any row of a chunk was sent again, for each chunk of which one was."""
    cards = [line.partition(",")[0] for line in Path(file).read_text().splitlines()[1:]]
    times = Counter(write.payment_method_id for write in sandbox.ledger.writes)
    again = {}
    for place, card in enumerate(cards):
        if times[card] > 1:
            again[place // 100] = max(again.get(place // 100, 0), times[card] - 1)
    return again


async def test_a_worker_is_killed_and_nothing_is_lost(commands, sandbox, write, tmp_path):
    file = write(900)
    options = ("--rate", "off", "--concurrency", "8")
    first = await commands.start("worker", *options)
    second = await commands.start("worker", *options)
    submitted = await commands.start("submit", file, "--json")
    await written(sandbox, 300)
    kill(first)
    code, said = await commands.end(submitted)
    assert code == 0, commands.log(submitted)
    assert_proven(sandbox, 900, said)
    account = json.loads(said)
    assert account["requests_at_least"]
    assert 900 <= account["requests"] <= len(sandbox.ledger.requests)
    assert "a worker was killed before it had noted its last ones" in commands.log(submitted)
    # What came in the second before the kill, and was under way, is all that may be sent again.
    assert len(sandbox.ledger.writes) - 900 < 300
    second.terminate()
    assert (await commands.end(second))[0] == 0
    # The same report as on one machine.
    account = read_account(tmp_path / "jobs" / "cards-fleet-1.job")
    assert (account.state, account.counts[Verdict.OK]) == ("finished", 900)
    assert account.requests_at_least
    code, said = await commands.run("status", "--json")
    (job,) = json.loads(said)["jobs"]
    assert (job["state"], job["ok"], job["done"], job["chunks"]) == ("finished", 900, 9, 9)


async def test_a_drained_worker_repeats_nothing(commands, sandbox, write):
    file = write(500)
    options = ("--rate", "off", "--concurrency", "4")
    first = await commands.start("worker", *options)
    submitted = await commands.start("submit", file, "--json")
    await written(sandbox, 100)
    first.terminate()
    assert (await commands.end(first))[0] == 0, commands.log(first)
    assert "draining" in commands.log(first)
    assert len(sandbox.ledger.writes) < 500
    await commands.start("worker", *options)
    code, said = await commands.end(submitted)
    assert code == 0, commands.log(submitted)
    assert_proven(sandbox, 500, said)
    assert len(sandbox.ledger.writes) == 500
    account = json.loads(said)
    assert (account["requests"], account["requests_at_least"]) == (500, False)


async def test_a_refused_login_ends_the_commands_and_leaves_nothing(commands, write):
    broker = commands.environment["PERFECTPAY_FLEET_BROKER"]
    wrong = {"PERFECTPAY_FLEET_BROKER": broker.replace("guest:guest", "guest:s3cret")}
    for command in (["worker", "--processes", "2"], ["submit", write(3)]):
        process = await commands.start(*command, **wrong)
        assert (await commands.end(process))[0] == 7
        said = commands.log(process)
        assert "Error: the broker refuses the login" in said
        assert "s3cret" not in said
    _, said = await commands.run("status", "--json")
    assert json.loads(said)["jobs"] == []  # it can be submitted again


async def test_the_coordinator_is_killed_and_run_again(commands, sandbox, write):
    file = write(1_800)
    submitted_at = time.time()
    submitted = await commands.start("submit", file)
    async with asyncio.timeout(PATIENCE):
        queued = 0
        while queued < 16:  # the window: the other two chunks need a coordinator
            _, said = await commands.run("status", "--json")
            queued = sum(job["queued"] for job in json.loads(said)["jobs"])
    kill(submitted)
    await commands.end(submitted)
    hint = f"start one, with the same variables and the key: {WORKER} --base-url {sandbox.url}"
    assert hint in commands.log(submitted)
    code, said = await commands.run("submit", file)
    assert code == 6  # it is not begun twice
    await asyncio.sleep(3.0)
    idle = time.time() - submitted_at
    await commands.start("worker", "--rate", "off")
    await written(sandbox, 100)
    reconciled = await commands.start("reconcile", "1", "--json")
    code, said = await commands.end(reconciled)
    assert code == 0
    assert hint not in commands.log(reconciled)
    elapsed = json.loads(said)["elapsed"]
    assert 0 < elapsed < time.time() - submitted_at - idle + 1.0  # when there was no worker is none
    assert_proven(sandbox, 1_800, said)
    assert len(sandbox.ledger.writes) == 1_800


async def test_a_chunk_that_always_ends_its_worker_is_given_up(commands, sandbox, write, tmp_path):
    file = write(350)
    workers = await commands.start("worker", "--rate", "off", "--processes", "2", FATAL_CHUNK="1")
    submitted = await commands.start("submit", file, "--json")
    code, said = await commands.end(submitted)
    assert code == 1, commands.log(submitted)
    assert "1 chunk was given up" in commands.log(submitted)
    account = json.loads(said)
    assert (account["ok"], account["remaining"]) == (250, 100)  # the rest went on
    code, said = await commands.run("status", "1")
    assert "chunk 1 was given up: begun 3 times" in said
    workers.terminate()
    assert (await commands.end(workers))[0] == 0
    # Mended, it can be tried again.
    await commands.start("worker", "--rate", "off")
    code, said = await commands.run("reconcile", "1", "--json")
    assert code == 0
    assert_proven(sandbox, 350, said)
    # A death sends the other chunk of its worker again, from its last save on, and no further one.
    deaths = commands.log(workers).count("A worker process ended with -9")
    assert deaths == 3
    again = most_repeats(sandbox, file)
    assert 1 not in again
    # Only the first one had a neighbour: a chunk that has ended its worker is run alone.
    assert sum(again.values()) <= 1
    assert read_account(tmp_path / "jobs" / "cards-fleet-1.job").state == "finished"


async def test_the_rate_is_that_of_the_whole_fleet(commands, sandbox, write):
    file = write(120)
    for _ in range(2):
        await commands.start("worker", "--rate", "30")
    submitted = await commands.start("submit", file, "--json")
    code, said = await commands.end(submitted)
    assert code == 0, commands.log(submitted)
    assert_proven(sandbox, 120, said)
    assert json.loads(said)["elapsed"] > 0.9 * (120 - 2) / 30
