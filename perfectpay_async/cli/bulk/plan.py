"""`perfectpay bulk plan`: what a run would do with a file, without sending anything."""

from __future__ import annotations

import json
from heapq import merge
from itertools import islice
from math import isnan
from typing import Final

import attrs
import click
from rich.console import Console

from perfectpay_async.bulk.counted import counted
from perfectpay_async.bulk.inspection import Inspection
from perfectpay_async.bulk.settings import RATE
from perfectpay_async.cli.consoles import stderr_console, stdout_console
from perfectpay_async.cli.exits import ExitCode

from .inputs import Source, duplicates_refused, input_options, open_input

SCHEMA: Final = 1
"""Version of the JSON plan. New keys may be added to it; a changed meaning makes a new one."""

_SHOWN: Final = 20
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def not_nan(
    _context: click.Context, _parameter: click.Parameter, value: float | None
) -> float | None:
    """Return the value of an option, or refuse it: the range that click checks lets NaN through.

    Raises:
        BadParameter: It is not a number.
    """
    if value is not None and isnan(value):
        raise click.BadParameter("it must be a number")
    return value


@click.command("plan")
@input_options
@click.option(
    "--rate",
    type=click.FloatRange(0, 1_000_000, min_open=True),
    callback=not_nan,
    default=RATE,
    show_default=True,
    help="Requests per second that the estimate counts on.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the plan as one JSON object.")
def plan(*, source: Source, rate: float, as_json: bool) -> int:
    """Check FILE and tell what a run would do; "-" reads standard input.

    Nothing is sent, and no key is needed. FILE is a CSV, JSONL or Parquet file with the columns
    payment_method_id, exp_month and exp_year, or payment_method_id and expiry.

    Exit codes: 0 all rows are good, 1 some are not and would not be sent, 2 wrong usage, 3 a run
    would refuse the input.
    """
    with open_input(source) as opened:
        inspection = opened.inspect(look_for_duplicates=True)
    refused = duplicates_refused(inspection, source)
    _print_details(stderr_console(), inspection, source.unit)
    if as_json:
        click.echo(_plan_json(inspection, source, rate, refused))
    else:
        _print_plan(stdout_console(), inspection, rate)
    if refused is not None:
        click.echo(f"Error: {refused}", err=True)
        return ExitCode.INPUT_REFUSED
    return ExitCode.DONE if inspection.good == inspection.rows else ExitCode.NOT_ALL_DONE


def _print_plan(console: Console, inspection: Inspection, rate: float) -> None:
    duration = _duration(inspection.good / rate)
    console.print(f"{counted(inspection.rows, 'row')}, about {duration} at {rate:,g} requests/s")
    for name, count, style in (
        ("to send", inspection.good, "green"),
        ("bad", inspection.bad, "red"),
        ("past expiry", inspection.past, "red"),
        ("duplicates", _duplicate_count(inspection), "yellow"),
    ):
        console.print(f"  {name:<11} {count:>11,}", style=style if count else "dim")


def _print_details(console: Console, inspection: Inspection, unit: str) -> None:
    problems = ((p.number, p.reason) for p in inspection.problems)
    found = inspection.duplicates.first if inspection.duplicates else ()
    repeats = ((d.number, f"is for the same card as {unit} {d.earlier}") for d in found)
    for number, text in islice(merge(problems, repeats), _SHOWN):
        console.print(f"{unit} {number}: {text}", markup=False)
    left = inspection.bad + inspection.past + _duplicate_count(inspection) - _SHOWN
    if left > 0:
        console.print(f"... and {left:,} more")


def _plan_json(inspection: Inspection, source: Source, rate: float, refused: str | None) -> str:
    found = inspection.duplicates
    return json.dumps(
        {
            "schema": SCHEMA,
            "format": source.format,
            "rows": inspection.rows,
            "to_send": inspection.good,
            "bad": inspection.bad,
            "past": inspection.past,
            "duplicates": _duplicate_count(inspection),
            "refused": refused,
            "rate": rate,
            "seconds": round(inspection.good / rate, 1),
            "problems": [
                {"number": problem.number, "reason": problem.reason}
                for problem in inspection.problems
            ],
            "duplicate_rows": [attrs.asdict(row) for row in found.first] if found else [],
        }
    )


def _duplicate_count(inspection: Inspection) -> int:
    return inspection.duplicates.count if inspection.duplicates else 0


def _duration(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < _DAY:
        return f"{seconds // _HOUR:.0f} h {seconds % _HOUR // _MINUTE:.0f} min"
    return f"{counted(int(seconds // _DAY), 'day')} {seconds % _DAY // _HOUR:.0f} h"
