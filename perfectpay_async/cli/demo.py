"""`perfectpay demo`: everything at once, and the proof that it worked."""

from __future__ import annotations

import asyncio
import csv
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from attrs import frozen
from rich.console import Console

from perfectpay_async.bulk import BulkReport, read_csv
from perfectpay_async.bulk.rows import COLUMNS
from perfectpay_async.entities import CardExpiry
from perfectpay_async.sandbox import Fault, Ledger, Sandbox

from .account import print_account, print_problems
from .connect import bulk_client
from .consoles import stderr_console, stdout_console
from .exits import ExitCode
from .feed import Feed
from .sandbox import parse_faults, this_month
from .updating import update_cards

FAULTS: Final = (
    "503=0.01,429=0.01:retry_after=1,reset_before=0.01,reset_after=0.01,latency=0.01:seconds=0.1"
)
_ATTEMPTS: Final = 6
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

    Starts a sandbox in this process, saves cards that expire this month, makes the server fail now
    and then, updates all cards as `perfectpay bulk run` does, and compares the server's own ledger
    with what was asked for. Nothing leaves this machine. Exits with 0 only when all is proven.
    """
    return asyncio.run(_demonstrate(cards, faults, concurrency, seed))


async def _demonstrate(cards: int, faults: Sequence[Fault], concurrency: int, seed: int) -> int:
    out = stdout_console()
    async with Sandbox(seed=seed, faults=faults) as server:
        old = this_month()
        ids = server.seed_cards(cards, expiry=old)
        out.print(
            f"A PerfectPay on {server.url} with {cards:,} cards that expire in {'/'.join(old)}"
        )
        out.print(f"Faults to come: {_describe(faults) or 'none'}\n")
        wanted = dict(zip(ids, _new_expiries(cards), strict=True))
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "expiries.csv"
            _write_csv(file, wanted)
            async with bulk_client(server.api_key, server.url, concurrency) as client:
                ending = await update_cards(
                    client,
                    Feed(read_csv(file)),
                    total=cards,
                    concurrency=concurrency,
                    # A server of our own has no limit to find: so it takes seconds, not a minute.
                    rate=None,
                    attempts=_ATTEMPTS,
                    console=stderr_console(),
                )
    print_problems(stderr_console(), ending.report)
    print_account(out, ending.report)
    out.print(f"\nFaults injected: {_counts(server.ledger.faults()) or 'none'}")
    proven = _print_proof(out, _prove(server.ledger, wanted, ending.report))
    if ending.signal is None and not proven:
        return ExitCode.NOT_ALL_DONE
    return ending.exit_code


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


def _prove(ledger: Ledger, wanted: Mapping[str, CardExpiry], report: BulkReport) -> list[Claim]:
    asked = {card: (expiry.wire_month, expiry.wire_year) for card, expiry in wanted.items()}
    right = sum(ledger.expiry_of(card) == expiry for card, expiry in asked.items())
    writes = [
        (write.payment_method_id, (write.values["exp_month"], write.values["exp_year"]))
        for write in ledger.writes
        if write.operation == "payment_methods.update"
    ]
    repeats = len(writes) - len(set(writes))
    again = f" ({repeats:,} repeats after lost answers)" if repeats else ""
    return [
        Claim(f"{right:,} of {len(asked):,} cards hold their new expiry", right == len(asked)),
        Claim(
            f"nothing was written but what the file says{again}",
            set(writes) <= set(asked.items()),
        ),
        Claim("never two requests were under way for one card", ledger.max_in_flight_per_id <= 1),
        Claim(
            f"{report.rows:,} rows are accounted for, and the {report.ok:,} called ok were applied",
            report.rows == len(asked) and report.ok <= right,
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
