"""What became of the rows: one result each, and the account of a whole run."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from attrs import define, field, frozen

from perfectpay_async.errors import PerfectPayError

from .controller import RateFigures

MAX_PROBLEMS: Final = 1_000
"""So many rows that are not ok are kept in a report; all of them are counted."""


class Verdict(StrEnum):
    """How a row ended. Every row ends in exactly one of these.

    Attributes:
        OK: The server applied it.
        REJECTED: The server refused it for good; nothing was changed.
        EXHAUSTED: All attempts were turned away or never reached the server; nothing was changed,
            and running the row again may succeed.
        UNKNOWN: It may have been applied. Running the same row again does no harm.
        INVALID: The row breaks a rule and was not sent.
    """

    OK = "ok"
    REJECTED = "rejected"
    EXHAUSTED = "exhausted"
    UNKNOWN = "unknown"
    INVALID = "invalid"


@frozen
class RowResult:
    """How one row ended.

    Attributes:
        number: The row's number in the input.
        payment_method_id: Which card; None for a row that could not be read.
        verdict: How it ended.
        attempts: How many requests were sent for it.
        elapsed: Seconds from its start to its end, all waits included.
        status: HTTP status of the last answer.
        code: The server's error code, such as `HE_02`.
        request_id: The server's id of the last answer (`x-request-id`).
        message: Why it is not ok; empty when it is. Holds no expiry and no secret.
    """

    number: int
    payment_method_id: str | None
    verdict: Verdict
    attempts: int = 0
    elapsed: float = 0.0
    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    message: str = ""


@frozen(kw_only=True)
class BulkReport:
    """The account of a run.

    Attributes:
        ok: Rows that were applied.
        rejected: Rows that the server refused for good.
        exhausted: Rows that were turned away on every attempt; nothing was changed.
        unknown: Rows that may or may not have been applied.
        invalid: Rows that break a rule and were not sent.
        not_started: Rows that were never begun because the run stopped; None when the input does
            not tell how many are left.
        retried: Rows that needed more than one attempt, however they ended.
        attempts: Requests sent.
        elapsed: Seconds from start to end.
        problems: The first 1,000 results that are not ok.
        stopped_by: The error that ended the run early, such as a refused key.
        rate: What the rate control did, as it was in the end; None for a run without it.
    """

    ok: int
    rejected: int
    exhausted: int
    unknown: int
    invalid: int
    not_started: int | None
    retried: int
    attempts: int
    elapsed: float
    problems: tuple[RowResult, ...] = field(repr=False)
    stopped_by: PerfectPayError | None = None
    rate: RateFigures | None = None

    @property
    def rows(self) -> int:
        """Rows that have ended, one way or another."""
        return self.ok + self.problem_count

    @property
    def problem_count(self) -> int:
        """Rows that have ended without being applied for sure."""
        return self.rejected + self.exhausted + self.unknown + self.invalid

    @property
    def complete(self) -> bool:
        """Whether every row was applied."""
        return self.problem_count == 0 and self.not_started == 0

    @property
    def requests_per_second(self) -> float:
        """Requests sent per second, retries included."""
        return self.attempts / self.elapsed if self.elapsed else 0.0


@define
class Tally:
    """Adds results up. Pass `add` as `on_result` and `note_rate` as `on_rate` to watch a run.

    Attributes:
        counts: Rows per verdict.
        retried: Rows that needed more than one attempt.
        attempts: Requests sent.
        problems: The first results that are not ok.
        rate: What the rate control does; None before the first answer, or without it.
    """

    counts: dict[Verdict, int] = field(factory=lambda: dict.fromkeys(Verdict, 0))
    retried: int = 0
    attempts: int = 0
    problems: list[RowResult] = field(factory=list[RowResult])
    rate: RateFigures | None = None

    @property
    def rows(self) -> int:
        """Rows that have ended."""
        return sum(self.counts.values())

    def add(self, result: RowResult) -> None:
        """Add the result of one row."""
        self.counts[result.verdict] += 1
        self.attempts += result.attempts
        self.retried += result.attempts > 1
        if result.verdict is not Verdict.OK and len(self.problems) < MAX_PROBLEMS:
            self.problems.append(result)

    def note_rate(self, figures: RateFigures) -> None:
        """Keep the latest figures of the rate control."""
        self.rate = figures

    def report(
        self,
        *,
        elapsed: float,
        total: int | None,
        stopped_by: PerfectPayError | None = None,
    ) -> BulkReport:
        """Return the account so far.

        Args:
            elapsed: Seconds since the start.
            total: Rows of the input, or None when they cannot be known.
            stopped_by: The error that ended the run early.
        """
        return BulkReport(
            **{verdict.value: count for verdict, count in self.counts.items()},
            not_started=None if total is None else total - self.rows,
            retried=self.retried,
            attempts=self.attempts,
            elapsed=elapsed,
            problems=tuple(self.problems),
            stopped_by=stopped_by,
            rate=self.rate,
        )
