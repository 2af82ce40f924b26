"""What a row of a bulk run may cost more than a bare update, in calls of Python functions.

A run reads less of an answer than a bare update does, which pays for most of its account. The
limits are above what was counted (3.3, and 16.5 with journal and rate control), because a slow
machine asks the rate control more often. A change that passes one of them has put work on the path
of every row.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from datetime import UTC, datetime

import pytest

from benchmarks.bulk_overhead import ANSWER
from perfectpay_async import CardExpiry, PerfectPay, Response
from perfectpay_async.bulk import BulkJob, ExpiryRow, JobFacts
from perfectpay_async.bulk import controller as controller_module
from perfectpay_async.bulk.inspection import inspect_rows

ROWS = 2_000
EXPIRY = CardExpiry(12, 2099)


class InTheNextTurn:
    async def send(self, request):
        await asyncio.sleep(0)
        return Response(200, {}, ANSWER % request.url.raw_parts[-2].encode(), 0.0, request)

    async def close(self, *, drain=0.0):
        pass


@pytest.fixture
async def client(monkeypatch):
    monkeypatch.setattr(controller_module, "START", 1e9)  # no slow start
    async with PerfectPay("snd_x", environment="sandbox", transport=InTheNextTurn()) as client:
        yield client


@pytest.fixture
def rows():
    return [ExpiryRow(n, f"pm_{n}", EXPIRY) for n in range(1, ROWS + 1)]


@pytest.fixture
def job(tmp_path, rows):
    path = tmp_path / "a.job"
    prints = inspect_rows(rows, today=datetime.now(UTC).date()).fingerprints
    with BulkJob.create(path, JobFacts(rows=ROWS), prints) as job:
        yield job


@pytest.fixture
async def bare(client, rows):
    async def loop():
        for row in rows:
            await client.payment_methods.update(row.payment_method_id, expiry=row.expiry)

    await client.payment_methods.update("pm_0", expiry=EXPIRY)  # fills the caches
    return await functions_per_row(loop)


async def functions_per_row(work):
    """Count in all threads: that of the journal works for the rows too."""
    calls = 0

    def profile(_frame, event, _argument):
        nonlocal calls
        calls += event == "call"

    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        await asyncio.create_task(work())
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return calls / ROWS


async def test_the_account_of_a_row(client, rows, bare):
    async def run():
        assert (await client.bulk.update_expiries(rows, rate=None)).ok == ROWS

    assert await functions_per_row(run) - bare < 6


async def test_with_journal_and_rate_control(client, rows, bare, job):
    async def run():
        assert (await client.bulk.update_expiries(rows, rate=float("inf"), job=job)).ok == ROWS

    assert await functions_per_row(run) - bare < 30
