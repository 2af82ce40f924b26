"""Compare this library with the other ways of calling such an API.

python -m benchmarks            all of it, about three minutes
python -m benchmarks --quick    the two scenarios that the targets are about
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from .contenders import BASELINE, load
from .measure import Scenario, compare
from .report import Results, circumstances, plot, table, write_json
from .server import CLIENT_CORE, pin, running

QUICK = [Scenario("update", 32), Scenario("update", 256)]
ALL = [
    Scenario("update", 1),
    *QUICK,
    Scenario("update", 1_000),
    Scenario("retrieve", 32),
    Scenario("list 3", 32),
    Scenario("list 100", 32),
    Scenario("update", 32, failing=True),
    Scenario("update", 32, tls=True),
    Scenario("update", 32, same_card=True),
]
SLOW = 1_000  # microseconds of CPU for a request
ON_UVLOOP = (BASELINE, "perfectpay_async", "perfectpay_async[speed]")


def runners() -> dict[str, asyncio.Runner]:
    found = {"asyncio": asyncio.Runner(loop_factory=asyncio.new_event_loop)}
    try:
        import uvloop
    except ImportError:
        print("skipped: uvloop is not installed")
    else:
        found["uvloop"] = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    return found


def _too_slow(results: Results) -> dict[str, str]:
    """Return who would need minutes for a thousand in flight: its cost grows with their number."""
    return {
        figure.contender: "takes too long"
        for figures in results.values()
        for figure in figures
        if figure.microseconds > SLOW
    }


def main() -> None:
    """Start the server, measure, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only the scenarios of the targets")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, default=Path("benchmark.json"))
    parser.add_argument("--plot", type=Path, default=Path("benchmark.png"))
    options = parser.parse_args()
    contenders, skipped = load()
    loops = runners()
    results: Results = {}
    with running() as address:
        pin(CLIENT_CORE)
        facts = circumstances(address.kind)
        print(*(f"{name} {value}" for name, value in facts.items()), sep=", ")
        for name, reason in skipped.items():
            print(f"skipped: {name} ({reason})")
        for scenario in QUICK if options.quick else ALL:
            plain = {"asyncio": loops["asyncio"]}
            slow = _too_slow(results) if scenario.in_flight >= 1_000 else {}
            takes_part = [one for one in contenders if one.label not in slow]
            figures, failed = compare(scenario, takes_part, plain, address, options.rounds)
            failed |= slow
            if "uvloop" in loops and not (scenario.failing or scenario.tls):
                chosen = [one for one in contenders if one.label in ON_UVLOOP]
                both, _ = compare(scenario, chosen, loops, address, options.rounds)
                figures += [figure for figure in both if figure.loop == "uvloop"]
            results[scenario] = figures
            print(table({scenario: figures}))
            for name, reason in failed.items():
                print(f"  left out: {name} ({reason})")
    for runner in loops.values():
        runner.close()
    write_json(options.json, results, facts, skipped)
    print(f"\nwritten: {options.json}", end="")
    print(f", {options.plot}" if plot(options.plot, results) else "; no plot without matplotlib")


if __name__ == "__main__":
    main()
