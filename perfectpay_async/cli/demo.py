"""`perfectpay demo`: everything at once, and the proof that it worked."""

from __future__ import annotations

import asyncio
import csv
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from attrs import frozen
from rich.console import Console

from perfectpay_async.bulk import Verdict, read_account
from perfectpay_async.bulk.counted import agreeing, counted
from perfectpay_async.bulk.jobs import JobStore
from perfectpay_async.bulk.report import Counts, no_counts
from perfectpay_async.bulk.rows import COLUMNS
from perfectpay_async.entities import CardExpiry
from perfectpay_async.sandbox import Fault, Ledger, Sandbox

from .consoles import stdout_console
from .exits import ExitCode
from .sandbox import parse_faults, this_month
from .signals import call_on_signals

FAULTS: Final = (
    "503=0.01,429=0.01:retry_after=1,reset_before=0.01,reset_after=0.01,latency=0.01:seconds=0.1"
)
_LOOK_EVERY: Final = 0.01
_WORDS: Final = {"reset_before": "reset before applying", "reset_after": "reset after applying"}


@frozen
class Claim:
    """Something the demo says about itself, and whether the ledger bears it out."""

    text: str
    holds: bool


@click.command()
@click.option(
    "--cards",
    type=click.IntRange(1, 1_000_000),
    default=2_000,
    show_default=True,
    help="How many cards get a new expiry.",
)
@click.option(
    "--faults", callback=parse_faults, default=FAULTS, help="What goes wrong; 5 % mixed by default."
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1_000),
    default=64,
    show_default=True,
    help="Cards under way at once.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Makes the faults repeatable.")
def demo(*, cards: int, faults: Sequence[Fault], concurrency: int, seed: int) -> int:
    """Update many expiring cards on a faulty server, and prove it.

    Starts a sandbox in this process, saves cards that expire this month, and makes the server fail
    now and then. Updates all cards with `perfectpay bulk run` in a process of its own, kills that
    in the middle, and resumes it from its journal. Then compares the server's own ledger with what
    was asked for. Nothing leaves this machine. Exits with 0 only when all is proven.
    """
    return asyncio.run(_demonstrate(cards, faults, concurrency, seed))


async def _demonstrate(cards: int, faults: Sequence[Fault], concurrency: int, seed: int) -> int:
    out = stdout_console()
    async with Sandbox(seed=seed, faults=faults) as server:
        old = this_month()
        ids = server.seed_cards(cards, expiry=old)
        out.print(
            f"A PerfectPay on {server.url} with {counted(cards, 'card')} that "
            f"{agreeing(cards, 'expires', 'expire')} in {'/'.join(old)}"
        )
        out.print(f"Faults to come: {_describe(faults) or 'none'}")
        wanted = dict(zip(ids, _new_expiries(cards), strict=True))
        with tempfile.TemporaryDirectory() as directory:
            runner = _Runner(server, Path(directory), concurrency)
            _write_csv(runner.file, wanted)
            code = await runner.run(out, server.ledger, kill_after=cards // 2)
            if runner.killed and not runner.interrupted:
                out.print(
                    f"Killed in the middle, after {counted(len(server.ledger.writes), 'write')}"
                )
                out.print("Resumed from the journal:\n")
                code = await runner.run(out, server.ledger)
            entries = JobStore(runner.state).jobs()
            counts = read_account(entries[0].path).counts if entries else no_counts()
    out.print(f"\nFaults injected: {_counts(server.ledger.faults()) or 'none'}")
    if not _print_proof(out, _prove(server.ledger, wanted, counts)) and code == ExitCode.DONE:
        return ExitCode.NOT_ALL_DONE
    return code


class _Runner:
    """Runs `perfectpay bulk run` as a process of its own, which can be killed.

    Args:
        server: Where to send it.
        directory: For the input and the journal.
        concurrency: Cards under way at once.

    Attributes:
        killed: Whether a process was killed; its exit code says so on some systems alone.
        interrupted: The signal that came and was handed on; 0 for none.
    """

    def __init__(self, server: Sandbox, directory: Path, concurrency: int) -> None:
        self.killed: bool = False
        self.interrupted: int = 0
        self.file: Path = directory / "expiries.csv"
        self.state: Path = directory / "jobs"
        self._environment = {**os.environ, "PERFECTPAY_API_KEY": server.api_key}
        # A server of our own has no limit to find: so it takes seconds, not a minute.
        self._command = [
            *(sys.executable, "-c", "from perfectpay_async.cli import main; main()"),
            *("bulk", "run", str(self.file), "--resume", "--base-url", server.url),
            *("--state-dir", str(self.state), "--concurrency", str(concurrency)),
            *("--rate", "off", "--max-failures", "1"),
        ]

    async def run(self, out: Console, ledger: Ledger, *, kill_after: int | None = None) -> int:
        """Begin the job, or go on with it.

        Args:
            out: Where its account goes.
            ledger: Tells how much has been written.
            kill_after: Kill the process when so much has been.

        Returns:
            The exit code of the process, or that of a signal which came meanwhile.
        """
        process = await asyncio.create_subprocess_exec(
            *self._command,
            *([] if kill_after is None else ["--quiet"]),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            env=self._environment,
            # In a session of its own, so that a Ctrl-C reaches it once, through this process.
            start_new_session=True,
        )
        ended = asyncio.create_task(process.communicate())
        enough = float("inf") if kill_after is None else kill_after

        def hand_on(number: int) -> None:
            self.interrupted = number
            with suppress(ProcessLookupError):
                process.send_signal(number)

        with call_on_signals(hand_on), suppress(ProcessLookupError):
            while len(ledger.writes) <= enough and not ended.done():
                await asyncio.wait([ended], timeout=_LOOK_EVERY)
            if not ended.done():
                process.kill()
                self.killed = True
        shown, _ = await ended
        out.print(shown.decode(), end="", markup=False)
        # A process that had hardly begun ends with a code of its own.
        return 128 + self.interrupted if self.interrupted else process.returncode or ExitCode.DONE


def _new_expiries(count: int) -> Iterable[CardExpiry]:
    """Return expiries that differ from one card to the next, so that a mix-up would show."""
    year = datetime.now(UTC).year
    return (CardExpiry(place % 12 + 1, year + 1 + place % 5) for place in range(count))


def _write_csv(file: Path, wanted: Mapping[str, CardExpiry]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        writer.writerows(
            (card, expiry.wire_month, expiry.wire_year) for card, expiry in wanted.items()
        )


def _prove(ledger: Ledger, wanted: Mapping[str, CardExpiry], counts: Counts) -> list[Claim]:
    asked = {card: (expiry.wire_month, expiry.wire_year) for card, expiry in wanted.items()}
    right = sum(ledger.expiry_of(card) == expiry for card, expiry in asked.items())
    writes = [
        (write.payment_method_id, (write.values["exp_month"], write.values["exp_year"]))
        for write in ledger.writes
        if write.operation == "payment_methods.update"
    ]
    repeats = len(writes) - len(set(writes))
    again = f" ({counted(repeats, 'repeat')} after lost answers and the kill)" if repeats else ""
    finished, ok = sum(counts.values()), counts[Verdict.OK]
    return [
        Claim(f"{right:,} of {len(asked):,} cards hold their new expiry", right == len(asked)),
        Claim(
            f"nothing was written but what the file says{again}",
            set(writes) <= set(asked.items()),
        ),
        Claim("never two requests were under way for one card", ledger.max_in_flight_per_id <= 1),
        Claim(
            f"{finished:,} rows are accounted for in the journal, and the {ok:,} called ok "
            "were applied",
            finished == len(asked) and ok <= right,
        ),
    ]


def _print_proof(out: Console, claims: Sequence[Claim]) -> bool:
    out.print("Proof, from the server's own ledger:")
    for claim in claims:
        mark = "[green]proven[/]" if claim.holds else "[bold red]FALSE [/]"
        out.print(f"  {mark}  {claim.text}")
    return all(claim.holds for claim in claims)


def _describe(faults: Sequence[Fault]) -> str:
    return ", ".join(f"{fault.probability:.0%} {_words(fault.name)}" for fault in faults)


def _counts(faults: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} x {_words(name)}" for name, count in sorted(faults.items()))


def _words(fault: str) -> str:
    return _WORDS.get(fault, fault)
