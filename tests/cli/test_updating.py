from __future__ import annotations

import asyncio
import os
import signal

import pytest

from perfectpay_async import CardExpiry, PerfectPay
from perfectpay_async.bulk import BulkJob, ExpiryRow
from perfectpay_async.cli import updating
from perfectpay_async.cli.updating import update_cards
from perfectpay_async.sandbox import Fault, Sandbox


@pytest.fixture
async def server():
    async with Sandbox() as server:
        yield server


@pytest.fixture
async def client(server):
    async with PerfectPay(server.api_key, base_url=server.url) as client:
        yield client


async def test_rows_that_do_not_end_in_the_grace_time_are_abandoned(
    server, client, monkeypatch, tmp_path
):
    monkeypatch.setattr(updating, "GRACE", 0.1)
    stalled, *others = server.seed_cards(6)
    server.faults.add(Fault.stall(id=stalled), Fault.latency(0.05))
    rows = [ExpiryRow(2, card, CardExpiry(12, 2031)) for card in (stalled, *others)]
    asyncio.get_running_loop().call_later(0.02, os.kill, os.getpid(), signal.SIGTERM)
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    with BulkJob(tmp_path / "cards.job") as job:
        ending = await update_cards(
            client, iter(rows), job=job, concurrency=3, rate=None, attempts=3, console=None
        )

    report = ending.report
    assert ending.exit_code == 143
    assert (report.ok, report.unknown, report.remaining) == (2, 0, None)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
