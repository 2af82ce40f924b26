"""What a bulk run costs on top of a loop that awaits the same updates, and how fast it goes.

Run it with `python -m benchmarks.bulk_overhead`; `--plot FILE` draws requests per second against
the number in flight. The server is a small asyncio protocol in a process of its own that answers
each update with its id. The contenders take turns in rounds, in an order that is drawn for each.
The figure is the client's CPU time (user and system, the journal's thread included) per update,
over that of the bare loop in the same round: the median, and the quartiles. The first chunk of rows
is left out, with which the connections are made. The rate control begins at a rate that nothing
reaches: from 10 requests per second to the 6,000 of this server would take ten seconds of each run.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

from perfectpay_async import CardExpiry, PerfectPay
from perfectpay_async.bulk import BulkJob, ExpiryRow, JobFacts, controller
from perfectpay_async.bulk.chunks import CHUNK_ROWS
from perfectpay_async.bulk.inspection import inspect_rows

from .server import CLIENT_CORE, SERVER_CORE, pin

ANSWER = (
    b'{"payment_method_id":"%s","payment_method":"card","payment_method_type":"credit",'
    b'"customer_id":"cus_bench","merchant_id":"merchant_bench","card":{"last4_digits":"1111",'
    b'"expiry_month":"12","expiry_year":"31","saved_to_locker":true},'
    b'"created":"2031-01-02T03:04:05.678Z","last_used_at":"2031-01-02T03:04:05.678Z"}'
)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class _Server(asyncio.Protocol):
    """Answers each request that arrives; a request here always fits into one packet."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if isinstance(self._transport, asyncio.Transport) and data.startswith(b"POST "):
            body = ANSWER % data[: data.index(b"\r\n")].split(b"/")[2]
            self._transport.write(HEAD % len(body) + body)


def _serve(pipe: Connection) -> None:
    pin(SERVER_CORE)

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


class Contenders:
    """The ways of updating the same cards."""

    def __init__(
        self, client: PerfectPay, rows: int, in_flight: int, folder: Path, *, warm: int = 0
    ) -> None:
        expiry = CardExpiry(12, 2031)
        self._rows = [ExpiryRow(n + 2, f"pm_{n:020d}", expiry) for n in range(rows)]
        self._prints = inspect_rows(self._rows, today=datetime.now(UTC).date()).fingerprints
        self._client = client
        self._in_flight = in_flight
        self._folder = folder
        self._warm = warm
        self._cpu = 0.0

    async def timed(self, name: str) -> float:
        """Return the CPU seconds per update of a contender, its slow start left out."""
        await getattr(self, name)()
        return (time.process_time() - self._cpu) / (len(self._rows) - self._warm)

    def _source(self) -> Iterator[ExpiryRow]:
        for number, row in enumerate(self._rows):
            if number == self._warm:
                self._cpu = time.process_time()
            yield row

    async def loop(self) -> None:
        """A bare worker loop, as people write it: no account, no rate, no journal."""
        rows = self._source()

        async def worker() -> None:
            for row in rows:
                await self._client.payment_methods.update(row.payment_method_id, expiry=row.expiry)

        async with asyncio.TaskGroup() as group:
            for _ in range(self._in_flight):
                group.create_task(worker())

    async def account(self) -> None:
        """A bulk run that only accounts for every row."""
        await self._run(None, None)

    async def limited(self) -> None:
        """The same with limiter and controller; nothing bounds the rate but the server."""
        await self._run(None, float("inf"))

    async def journaled(self) -> None:
        """The same with a journal, and no rate control."""
        with self._job() as job:
            await self._run(job, None)

    async def everything(self) -> None:
        """With both."""
        with self._job() as job:
            await self._run(job, float("inf"))

    def _job(self) -> BulkJob:
        path = self._folder / f"{uuid.uuid4().hex}.job"
        return BulkJob.create(path, JobFacts(rows=len(self._rows)), self._prints)

    async def _run(self, job: BulkJob | None, rate: float | None) -> None:
        report = await self._client.bulk.update_expiries(
            self._source(), job=job, rate=rate, concurrency=self._in_flight
        )
        assert report.ok == len(self._rows), report


async def compare(url: str, rows: int, rounds: int, folder: Path) -> None:
    async with PerfectPay("snd_bench", base_url=url) as client:
        contenders = Contenders(client, rows, 64, folder, warm=CHUNK_ROWS)
        names = ("loop", "account", "limited", "journaled", "everything")
        times: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(rounds):
            for name in random.sample(names, len(names)):
                times[name].append(await contenders.timed(name))
        for name in names:
            ratios = [mine / bare for mine, bare in zip(times[name], times["loop"], strict=True)]
            low, ratio, high = statistics.quantiles(ratios, n=4)
            print(
                f"{name:<11} {statistics.median(times[name]) * 1e6:6.1f} us CPU an update, "
                f"{ratio:.2f} of the bare loop ({low:.2f} to {high:.2f})"
            )


async def speeds(url: str, rows: int, folder: Path) -> dict[int, float]:
    found: dict[int, float] = {}
    for in_flight in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_000):
        async with PerfectPay("snd_bench", base_url=url, max_connections=in_flight) as client:
            contenders = Contenders(client, rows, in_flight, folder)
            began = time.perf_counter()
            await contenders.journaled()
            found[in_flight] = rows / (time.perf_counter() - began)
            print(f"{in_flight:>5} in flight: {found[in_flight]:7,.0f} updates/s, journaled")
    return found


def plot(found: dict[int, float], file: Path) -> None:
    import matplotlib as mpl  # type: ignore[import-not-found,unused-ignore]

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # type: ignore[import-not-found,unused-ignore]

    figure, axes = plt.subplots(figsize=(7, 3.5))
    axes.plot(list(found), list(found.values()), marker="o", color="tab:green")
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(found), labels=[f"{in_flight:,}" for in_flight in found])
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("rows in flight at once (concurrency, and as many connections)")
    axes.set_ylabel("updates per second")
    axes.set_ylim(0, 1.1 * max(found.values()))
    axes.set_title("A bulk run with a journal, no rate control: one process, one core", fontsize=10)
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(file, dpi=90)
    print(f"drawn: {file}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--plot", type=Path, metavar="FILE")
    options = parser.parse_args()
    controller.START = 1e9  # type: ignore[misc]
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
    server.start()
    pin(CLIENT_CORE)
    try:
        url = f"http://127.0.0.1:{ours.recv()}"
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(compare(url, options.rows, options.rounds, Path(folder)))
            found = asyncio.run(speeds(url, options.rows // 2, Path(folder)))
        if options.plot:
            plot(found, options.plot)
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
