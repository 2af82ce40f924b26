"""What a bulk run takes of memory, and how fast a large job is opened again.

Run it with `python benchmarks/bulk_memory.py`; it takes some minutes. Each run is a process of its
own that inspects a CSV file (duplicates looked for), makes a job, and updates every card through
the whole stack; a transport that answers at once takes the place of the network. The figure is the
peak of the resident memory. Then a journal of 10 million rows, half of them done, is opened.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from multidict import CIMultiDict

from perfectpay_async import PerfectPay, Request, Response
from perfectpay_async.bulk import BulkJob, JobFacts, Verdict, read_csv
from perfectpay_async.bulk.chunks import CHUNK_ROWS, Fingerprints
from perfectpay_async.bulk.inspection import inspect_rows
from perfectpay_async.bulk.jobs.journal import Journal

HEADERS = CIMultiDict({"x-request-id": "0190163d-8694-739b-aea5-966c26f8ad91"})


class AtOnce:
    """A transport that says yes."""

    async def send(self, request: Request) -> Response:
        await asyncio.sleep(0)
        card = request.url.raw_parts[-2]
        return Response(200, HEADERS, b'{"payment_method_id":"%s"}' % card.encode(), 0.0, request)

    async def close(self, *, drain: float = 0.0) -> None:
        """There is nothing to close."""


async def run(file: Path, journal: Path) -> None:
    inspection = inspect_rows(read_csv(file), today=datetime.now(UTC).date())
    facts = JobFacts(rows=inspection.rows)
    async with PerfectPay("snd_key", base_url="http://127.0.0.1:9", transport=AtOnce()) as client:
        with BulkJob.create(journal, facts, inspection.fingerprints) as job:
            began = time.monotonic()
            report = await client.bulk.update_expiries(read_csv(file), job=job, rate=None)
            elapsed = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"ok": report.ok, "seconds": elapsed, "peak": peak}))


def write(file: Path, rows: int) -> None:
    with file.open("w") as stream:
        stream.write("payment_method_id,exp_month,exp_year\n")
        stream.writelines(
            f"pm_{number:020d},{number % 12 + 1},{2031 + number % 5}\n" for number in range(rows)
        )


def measure(rows: int, directory: Path) -> float:
    file, journal = directory / f"{rows}.csv", directory / f"{rows}.job"
    write(file, rows)
    found = subprocess.run(
        [sys.executable, __file__, "--run", str(file), str(journal)],
        check=True,
        capture_output=True,
    )
    figures = json.loads(found.stdout)
    assert figures["ok"] == rows
    print(
        f"{rows:>12,} rows: peak {figures['peak'] / 1024:6.1f} MiB, "
        f"{rows / figures['seconds']:,.0f} rows/s, "
        f"journal {journal.stat().st_size / rows:.2f} bytes a row"
    )
    return float(figures["peak"])


def open_again(rows: int, directory: Path) -> None:
    path = directory / "large.job"
    chunks = -(-rows // CHUNK_ROWS)
    numbers = count()
    marks = b"".join(next(numbers).to_bytes(16, "big") for _ in range(chunks))
    BulkJob.create(path, JobFacts(rows=rows), Fingerprints(rows, marks)).close()
    journal = Journal(path)
    with journal.transaction():
        for number in range(chunks // 2):
            state = journal.chunk(number)
            state.counts[Verdict.OK] = CHUNK_ROWS
            journal.write_chunk(number, state)
    journal.close()
    began = time.perf_counter()
    with BulkJob(path) as job:
        done = sum(job.counts.values())
        elapsed = time.perf_counter() - began
    size = path.stat().st_size
    print(
        f"a journal of {rows:,} rows, {done:,} of them done: {size / 1e6:.1f} MB, "
        f"opened and counted in {elapsed * 1_000:.0f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--run", type=Path, nargs=2, metavar=("FILE", "JOURNAL"))
    options = parser.parse_args()
    if options.run:
        asyncio.run(run(*options.run))
        return
    with tempfile.TemporaryDirectory() as directory:
        peaks = [measure(rows, Path(directory)) for rows in options.rows]
        print(f"peak at the most rows, over that at the fewest: {peaks[-1] / peaks[0]:.2f}")
        open_again(10_000_000, Path(directory))


if __name__ == "__main__":
    main()
