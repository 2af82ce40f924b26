"""What became of the rows: one result each, and the account of a whole run."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from itertools import islice
from typing import Final, TypeAlias

from attrs import define, field, frozen

from perfectpay_async.drafts import Draftable
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
        SKIPPED: The row was left out on purpose: a later row is for the same card, the card has
            this or a later expiry already, or another shard takes it.
    """

    OK = "ok"
    REJECTED = "rejected"
    EXHAUSTED = "exhausted"
    UNKNOWN = "unknown"
    INVALID = "invalid"
    SKIPPED = "skipped"

    __hash__ = str.__hash__  # at a third of the cost of an enum's; every row is counted by it


FAILED: Final = (Verdict.REJECTED, Verdict.EXHAUSTED, Verdict.UNKNOWN)
"""What became of rows that were sent and are not known to be applied."""

NO_PROBLEM: Final = (Verdict.OK, Verdict.SKIPPED)
"""What became of rows that nobody has to look at."""

Counts: TypeAlias = dict[Verdict, int]


def no_counts() -> Counts:
    """Return a count of 0 for each verdict."""
    return dict.fromkeys(Verdict, 0)


@frozen
class RowResult(Draftable):
    """How one row ended.

    Attributes:
        number: The row's number in the input.
        payment_method_id: Which card; None for a row without an id that keeps the rules.
        verdict: How it ended.
        attempts: How many requests were sent for it, or tried to be; a look at the card counts.
        elapsed: Seconds from its start to its end, all waits included.
        status: HTTP status of the last answer.
        code: The server's error code, such as `HE_02`.
        request_id: The server's id of the last answer (`x-request-id`).
        message: Why it is not ok; empty when it is. Holds no expiry and no secret.
        settled: False when the run ended before the row could: a job runs it again.
        looked: Whether the first of the attempts was a look (`only_forward`), and its update came
            after it; no journal keeps it.
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
    settled: bool = True
    looked: bool = False

    @property
    def retried(self) -> bool:
        """Whether a request was repeated. A look and an update are one request each."""
        return self.attempts > 1 + self.looked


@frozen(kw_only=True)
class BulkReport:
    """The account of a run, or, when it has a job, of the job.

    Attributes:
        ok: Rows that were applied.
        rejected: Rows that the server refused for good.
        exhausted: Rows that were turned away on every attempt; nothing was changed.
        unknown: Rows that may or may not have been applied.
        invalid: Rows that break a rule and were not sent.
        skipped: Rows that were left out on purpose.
        remaining: Rows that have not ended because the run did: never begun, or, in a job, cut
            short; resuming the job runs them. None when the input does not tell how many.
        earlier: Rows among these that earlier runs of the job had ended.
        retried: Rows for which a request was repeated, however they ended.
        attempts: Requests sent. This, `retried`, `elapsed` and `rate` are of this run alone.
        elapsed: Seconds from start to end.
        problems: The first 1,000 results that are not ok.
        stopped_by: The error that ended the run early, such as a refused key.
        rate: What the rate control did, as it was in the end; None for a run without it.
        attempts_at_least: Whether more were sent than `attempts` says: a worker of a fleet was
            killed, whose last ones nobody has counted.
    """

    ok: int
    rejected: int
    exhausted: int
    unknown: int
    invalid: int
    skipped: int
    remaining: int | None
    earlier: int
    retried: int
    attempts: int
    elapsed: float
    problems: tuple[RowResult, ...] = field(repr=False)
    stopped_by: PerfectPayError | None = None
    rate: RateFigures | None = None
    attempts_at_least: bool = False

    @property
    def rows(self) -> int:
        """Rows that have ended, one way or another."""
        return self.ok + self.problem_count + self.skipped

    @property
    def problem_count(self) -> int:
        """Rows that have ended without being applied for sure."""
        return self.rejected + self.exhausted + self.unknown + self.invalid

    @property
    def complete(self) -> bool:
        """Whether every row was applied, but for those left out on purpose."""
        return self.problem_count == 0 and self.remaining == 0

    @property
    def requests_per_second(self) -> float:
        """Requests sent per second, retries included."""
        return self.attempts / self.elapsed if self.elapsed else 0.0


@define
class Tally:
    """Adds results up.

    Attributes:
        counts: Rows per verdict.
        earlier: Rows among these that earlier runs of a job had ended.
        retried: Rows for which a request was repeated.
        attempts: Requests sent.
        problems: The first results that are not ok.
        rate: What the rate control does; None before the first answer, or without it.
    """

    counts: Counts = field(factory=no_counts)
    earlier: int = 0
    retried: int = 0
    attempts: int = 0
    problems: list[RowResult] = field(factory=list[RowResult])
    rate: RateFigures | None = None

    @property
    def rows(self) -> int:
        """Rows that have ended."""
        return sum(self.counts.values())

    @property
    def failed(self) -> int:
        """Rows that were sent and are not known to be applied."""
        return sum(self.counts[verdict] for verdict in FAILED)

    def resume(self, counts: Counts, problems: Iterable[tuple[int, RowResult]]) -> None:
        """Begin with what earlier runs of a job have counted.

        Args:
            counts: Rows per verdict.
            problems: The results that are not ok, with their positions.
        """
        self.counts = dict(counts)
        self.earlier = self.rows
        self.problems = [result for _, result in islice(problems, MAX_PROBLEMS)]

    def add(self, result: RowResult) -> None:
        """Add the result of one row."""
        self.counts[result.verdict] += 1
        self.attempts += result.attempts
        self.retried += result.retried
        if result.verdict not in NO_PROBLEM and len(self.problems) < MAX_PROBLEMS:
            self.problems.append(result)

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
            remaining=None if total is None else total - self.rows,
            earlier=self.earlier,
            retried=self.retried,
            attempts=self.attempts,
            elapsed=elapsed,
            problems=tuple(self.problems),
            stopped_by=stopped_by,
            rate=self.rate,
            attempts_at_least=False,
        )
