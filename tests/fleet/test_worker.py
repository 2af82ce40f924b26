from __future__ import annotations

import asyncio

from perfectpay_async.bulk import Verdict
from perfectpay_async.fleet import Ending, FleetWorker
from perfectpay_async.sandbox import Fault


async def messages_of(ledger, job, window=100):
    return await ledger.to_enqueue(job, window=window, stale=None)


class TestRunChunk:
    async def test_every_row_is_applied_and_accounted_for(self, client, sandbox, ledger, begin):
        job = await begin(2_500)
        messages = await messages_of(ledger, job)
        assert [(m.chunk, m.rows) for m in messages] == [(0, 1000), (1, 1000), (2, 500)]
        async with FleetWorker(client, ledger, rate=None) as worker:
            reports = [await worker.run_chunk(message) for message in messages]
        assert {report.ending for report in reports} == {Ending.DONE}
        progress = await ledger.progress(job.facts.id)
        assert progress.counts[Verdict.OK] == progress.requests == progress.rows == 2_500
        assert (progress.ended, progress.done, progress.queued) == (True, 3, 0)
        assert len(sandbox.ledger.writes) == 2_500
        assert sandbox.ledger.max_in_flight_per_id == 1
