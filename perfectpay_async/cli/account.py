"""The account of a run: for people, and as JSON for programs."""

from __future__ import annotations

import json
from typing import Final

import attrs
from rich.console import Console

from perfectpay_async.bulk import BulkReport, RateFigures, RowResult, Verdict
from perfectpay_async.bulk.counted import agreeing, counted
from perfectpay_async.cli.naming import renamed

SCHEMA: Final = 1
"""Version of the JSON account. New keys may be added to it; a changed meaning makes a new one."""

_SHOWN: Final = 20
_STYLES: Final = {
    Verdict.OK: "green",
    Verdict.REJECTED: "red",
    Verdict.EXHAUSTED: "red",
    Verdict.UNKNOWN: "yellow",
    Verdict.INVALID: "red",
    Verdict.SKIPPED: "cyan",
}


def print_account(console: Console, report: BulkReport) -> None:
    """Print the account for people."""
    rows = report.rows - report.earlier
    rate = rows / report.elapsed if report.elapsed else 0.0
    if report.earlier:
        console.print(f"{counted(report.earlier, 'row')} had ended in earlier runs")
    console.print(
        f"{counted(rows, 'row')} in {report.elapsed:.1f} s, {rate:,.0f} rows/s: "
        f"{counted(report.attempts, 'request')}, {report.requests_per_second:,.0f}/s, "
        f"{counted(report.retried, 'row')} retried"
    )
    if report.rate is not None:
        console.print(_rate(report.rate))
    for verdict in Verdict:
        count: int = getattr(report, verdict.value)
        style = _STYLES[verdict] if count else "dim"
        console.print(f"  {verdict.value:<11} {count:>11,}", style=style)
    if report.remaining != 0:
        left = "not counted" if report.remaining is None else f"{report.remaining:,}"
        console.print(f"  {'remaining':<11} {left:>11}", style="yellow")


def print_problems(console: Console, report: BulkReport, unit: str) -> None:
    """Print the first rows that are not ok, and why the run ended early.

    Args:
        console: Where to.
        report: The account.
        unit: What the numbers of the rows count, such as `line`.
    """
    for result in report.problems[:_SHOWN]:
        console.print(_problem(result, unit), markup=False)
    if (more := report.problem_count - _SHOWN) > 0:
        console.print(
            f"... and {counted(more, 'more row')} that {agreeing(more, 'is', 'are')} not ok"
        )
    if report.stopped_by is not None:
        console.print(f"Stopped: {renamed(report.stopped_by)}", markup=False, style="red")


def account_json(report: BulkReport, job: str) -> str:
    """Return the account of a job as one JSON object."""
    stopped_by = report.stopped_by
    return json.dumps(
        {
            "schema": SCHEMA,
            "job": job,
            "rows": None if report.remaining is None else report.rows + report.remaining,
            "finished": report.rows,
            **{verdict.value: getattr(report, verdict.value) for verdict in Verdict},
            "remaining": report.remaining,
            "earlier": report.earlier,
            "retried": report.retried,
            "requests": report.attempts,
            "requests_at_least": report.attempts_at_least,
            "elapsed": round(report.elapsed, 3),
            "requests_per_second": round(report.requests_per_second, 1),
            "rate": None if report.rate is None else _rate_json(report.rate),
            "stopped_by": None if stopped_by is None else type(stopped_by).__name__,
            "why": None if stopped_by is None else stopped_by.message,
            "problem_count": report.problem_count,
            "problems": [_problem_json(result) for result in report.problems],
        }
    )


def _rate(rate: RateFigures) -> str:
    return (
        f"  rate granted in the end {rate.granted:,.0f}/s; {counted(rate.cuts, 'cut')}, "
        f"gate closed for {rate.gate_seconds:.1f} s, {counted(rate.rejected, 'request')} throttled "
        f"({rate.rejected_share:.2%})"
    )


def _rate_json(rate: RateFigures) -> dict[str, object]:
    return {
        "granted": round(rate.granted, 1),
        "in_flight_cap": rate.in_flight_cap,
        "cuts": rate.cuts,
        "gate_seconds": round(rate.gate_seconds, 3),
        "throttled": rate.rejected,
        "throttled_share": round(rate.rejected_share, 5),
    }


def _problem_json(result: RowResult) -> dict[str, object]:
    # What a journal keeps: the problems of earlier runs come from there.
    return attrs.asdict(result, filter=lambda field, _: field.name not in {"settled", "looked"})


def _problem(result: RowResult, unit: str) -> str:
    card = "" if result.payment_method_id is None else f", {result.payment_method_id}"
    after = f" after {result.attempts} attempts" if result.attempts > 1 else ""
    quote = f" (request id {result.request_id})" if result.request_id else ""
    return f"{unit} {result.number}{card}: {result.verdict}{after}: {result.message}{quote}"
