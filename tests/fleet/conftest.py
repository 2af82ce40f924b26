"""Ledgers, servers and inputs for the tests of a fleet."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from yarl import URL

from perfectpay_async import PerfectPay
from perfectpay_async.fleet import FleetJob, FleetSettings, Ledger, enter_job, open_ledger, plan_job
from perfectpay_async.sandbox import Sandbox
from tests.fleet.servers import Postgres, RabbitMq, Redis, Server

Begin = Callable[..., Awaitable[FleetJob]]

_SCHEMAS = itertools.count(1)


def _started(kind: type[Server]) -> Iterator[Server]:
    if reason := kind.missing():
        pytest.skip(reason)
    with kind() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    yield from _started(Postgres)


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[Server]:
    yield from _started(RabbitMq)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Server]:
    yield from _started(Redis)


async def new_ledger(server: Postgres) -> str:
    """Make an empty place for a ledger, and return its address."""
    name = f"fleet_{next(_SCHEMAS)}"
    connection = await asyncpg.connect(server.url)
    try:
        await connection.execute(f"CREATE SCHEMA {name}")
    finally:
        await connection.close()
    return f"{server.url}?search_path={name}"


@pytest.fixture(params=["sqlite", "postgres"])
async def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty ledger, of each kind."""
    if request.param == "sqlite":
        return str(tmp_path / "fleet.db")
    return await new_ledger(request.getfixturevalue("postgres"))


@pytest.fixture
async def open_another(address: str) -> AsyncIterator[Callable[[], Awaitable[Ledger]]]:
    """Opens the ledger as a process of its own would."""
    opened: list[Ledger] = []

    async def open_it() -> Ledger:
        ledger = open_ledger(address)
        await ledger.prepare()
        opened.append(ledger)
        return ledger

    yield open_it
    for ledger in opened:
        await ledger.close()


@pytest.fixture
async def ledger(open_another: Callable[[], Awaitable[Ledger]]) -> Ledger:
    return await open_another()


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as server:
        yield server


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[PerfectPay]:
    async with PerfectPay(sandbox.api_key, base_url=sandbox.url) as client:
        yield client


@pytest.fixture
def write_input(tmp_path: Path) -> Callable[[list[str]], str]:
    """Writes a file that gives cards a new expiry."""

    def write(cards: list[str]) -> str:
        path = tmp_path / "cards.csv"
        lines = "".join(f"{card},12,31\n" for card in cards)
        path.write_text(f"payment_method_id,exp_month,exp_year\n{lines}")
        return str(path)

    return write


@pytest.fixture
def begin(sandbox: Sandbox, ledger: Ledger, write_input: Callable[[list[str]], str]) -> Begin:
    """Makes a job on a new file of so many cards, all of which the sandbox knows."""

    async def make(cards: int, *, supersede: bool = False) -> FleetJob:
        path = write_input(sandbox.seed_cards(cards))
        plan = plan_job(FleetSettings(location=path, format="csv"))
        return await enter_job(ledger, plan, URL(sandbox.url), supersede=supersede)

    return make
