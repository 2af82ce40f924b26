"""The words in which the account of a job is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from attrs import frozen

from perfectpay_async.bulk.counted import agreeing, counted
from perfectpay_async.bulk.jobs import JobAccount, RunRecord
from perfectpay_async.bulk.report import Verdict

UNCOUNTED: Final = (
    "There were more requests than are counted: a {} was killed before it had noted its last ones."
)
"""What there is to say of a number of requests that is a lower bound, with what was killed."""

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60))


@frozen
class Headline:
    """What has to be known first.

    Attributes:
        good: Whether nothing is left to do.
        text: One sentence without its full stop.
    """

    good: bool
    text: str


def headline(account: JobAccount) -> Headline:
    """Return whether all rows were applied, and if not, what is missing."""
    rows = account.rows
    bad = ""
    if account.problem_count:
        have = agreeing(account.finished, "has", "have")
        be = agreeing(account.problem_count, "is", "are")
        ended = f"{counted(account.finished, 'row')} that {have} ended"
        bad = f"{account.problem_count:,} of {ended} {be} not ok"
    if account.running:
        ended = "the job is running" + ("" if rows is None else f" and {_left(account)}")
        return Headline(False, f"Not all rows were applied yet: {_joined(ended, bad)}")
    if account.remaining != 0:
        return Headline(False, f"Not all rows were applied: {_joined(_left(account), bad)}")
    if account.problem_count:
        unknown = account.counts[Verdict.UNKNOWN]
        wrong = account.problem_count - unknown
        not_applied = f"{wrong:,} of {rows:,} {agreeing(wrong, 'was', 'were')} not" if wrong else ""
        of = "" if wrong else f" of {rows:,}"
        not_known = f"of {unknown:,}{of} it is not known" if unknown else ""
        return Headline(False, f"Not all rows were applied: {_joined(not_applied, not_known)}")
    return Headline(True, _all_done(account))


def state(account: JobAccount) -> str:
    """Return the state of a job, and which newer one has replaced it."""
    newer = account.superseded_by
    if newer is None:
        return account.state
    before = "" if account.state == "superseded" else f"{account.state}, "
    return f"{before}superseded by {newer}"


def how_ended(account: JobAccount, run: RunRecord) -> str:
    """Return how a run ended."""
    if run.ending is not None:
        return printable(run.ending)
    return "under way" if account.running and run == account.runs[-1] else "killed"


def lower_bound(account: JobAccount) -> str:
    """Return what there is to say of the number of requests; empty when they were all counted."""
    if not account.requests_at_least:
        return ""
    return UNCOUNTED.format("run" if account.facts.fleet is None else "worker")


def moment(seconds: float) -> str:
    """Return a time in seconds since 1970 as people read it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def duration(seconds: float) -> str:
    """Return a span of time as people read it, such as `2 h 5 min`."""
    if seconds < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"  # noqa: PLR2004
    left, parts = round(seconds), list[str]()
    for name, size in _UNITS:
        many, left = divmod(left, size)
        if many or parts:
            parts.append(f"{many} {name}")
    if left and len(parts) == 1:
        parts.append(f"{left} s")
    return " ".join(part for part in parts[:2] if not part.startswith("0 "))


def number(value: int | None) -> str:
    """Return a count as people read it."""
    return "not known" if value is None else f"{value:,}"


def printable(text: str) -> str:
    """Return a text with all that does not show, or shows something else, written out."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def _left(account: JobAccount) -> str:
    if account.remaining is None:
        have = agreeing(account.finished, "has", "have")
        return f"{account.finished:,} {have} ended, and the input was not read to its end"
    have = agreeing(account.remaining, "has", "have")
    return f"{account.remaining:,} of {account.rows:,} {have} not ended"


def _all_done(account: JobAccount) -> str:
    skipped, rows = account.counts[Verdict.SKIPPED], account.rows
    if not rows:
        return "The input has no rows"
    every = agreeing(rows, "The only row was", f"All {rows:,} rows were")
    if skipped == rows:
        return f"{every} left out on purpose"
    if skipped:
        return f"All rows were applied, but for {skipped:,} of {rows:,} left out on purpose"
    return f"{every} applied"


def _joined(*parts: str) -> str:
    return ", and ".join(filter(None, parts))
