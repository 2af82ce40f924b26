"""A bulk run that is killed every few seconds until it is done: nothing lost, little repeated.

Run it with `python benchmarks/bulk_kill.py`; 50,000 cards take some minutes. The sandbox runs in
this process, `perfectpay bulk run --resume` in one that gets SIGKILL. All figures come from the
server's ledger and the job's journal.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from perfectpay_async.bulk import Verdict, read_account
from perfectpay_async.sandbox import Sandbox

MONTH, YEAR = "12", "35"


async def run_until_done(
    server: Sandbox, file: Path, state: Path, every: float, in_flight: int
) -> list[tuple[int, int]]:
    """Return for each kill the requests that had been sent, and those under way."""
    command = [
        *(sys.executable, "-c", "from perfectpay_async.cli import main; main()"),
        *("bulk", "run", str(file), "--resume", "--base-url", server.url, "--rate", "off"),
        *("--state-dir", str(state), "--concurrency", str(in_flight), "--quiet"),
    ]
    environment = {**os.environ, "PERFECTPAY_API_KEY": server.api_key}
    kills: list[tuple[int, int]] = []
    while True:
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            code = await asyncio.wait_for(process.wait(), every)
        except TimeoutError:
            process.kill()
            requests = server.ledger.requests
            kills.append((len(requests), sum(r.finished is None for r in requests[-1_000:])))
            await process.wait()
        else:
            if code != 0:
                raise SystemExit(f"the run ended with {code}")
            return kills


async def measure(cards: int, every: float, in_flight: int) -> bool:
    async with Sandbox() as server:
        ids = server.seed_cards(cards)
        with tempfile.TemporaryDirectory() as directory:
            file, state = Path(directory) / "cards.csv", Path(directory) / "jobs"
            with file.open("w") as stream:
                stream.write("payment_method_id,exp_month,exp_year\n")
                stream.writelines(f"{card},{MONTH},{YEAR}\n" for card in ids)
            began = time.monotonic()
            kills = await run_until_done(server, file, state, every, in_flight)
            elapsed = time.monotonic() - began
            account = read_account(state / "cards-1.job")
            size = (state / "cards-1.job").stat().st_size
    ledger = server.ledger
    wrong = sum(ledger.expiry_of(card) != (MONTH, YEAR) for card in ids)
    repeats = len(ledger.requests) - cards
    print(f"{cards:,} cards, {in_flight} in flight, {len(kills)} kills, {elapsed:.0f} s")
    print(f"lost: {wrong}")
    print(
        f"accounted for: {account.finished:,} rows, {account.counts[Verdict.OK]:,} of them ok; "
        f"{account.state}, {len(account.runs)} runs, journal {size:,} bytes"
    )
    print(f"most requests under way for one card: {ledger.max_in_flight_per_id}")
    per_kill = repeats / len(kills) if kills else 0.0
    print(
        f"sent again: {repeats:,} in all, {per_kill:.0f} a kill; "
        f"under way at a kill: {[flying for _, flying in kills]}"
    )
    return not wrong and account.finished == cards


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--cards", type=int, default=50_000)
    parser.add_argument("--every", type=float, default=3.0, help="seconds from start to kill")
    parser.add_argument("--in-flight", type=int, default=64)
    options = parser.parse_args()
    sys.exit(not asyncio.run(measure(options.cards, options.every, options.in_flight)))


if __name__ == "__main__":
    main()
