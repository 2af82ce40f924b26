"""What a journal holds of chunks and runs."""

from __future__ import annotations

from collections.abc import Collection

from attrs import define, field, frozen

from perfectpay_async.bulk.chunks import Bitmap
from perfectpay_async.bulk.report import Counts, Verdict, no_counts


@define
class ChunkState:
    """What is known of one chunk.

    Attributes:
        rows: Its rows; None until it has been read to its end once.
        seen: How many of its first rows the fingerprint is of.
        fingerprint: Proves that the same rows are read again; None when none were.
        bitmap: Its rows that have ended.
        skips: Those of them that were skipped.
        counts: How many ended how.
    """

    rows: int | None = None
    seen: int = 0
    fingerprint: bytes | None = None
    bitmap: Bitmap = field(factory=Bitmap)
    skips: Bitmap = field(factory=Bitmap)
    counts: Counts = field(factory=no_counts)

    @property
    def finished(self) -> int:
        """Rows that have ended."""
        return sum(self.counts.values())

    @property
    def complete(self) -> bool:
        """Whether all its rows have ended."""
        return self.finished == self.rows

    def mark(self, offset: int, verdict: Verdict) -> None:
        """Note how the row at that place of the chunk ended."""
        self.mark_all((offset,), verdict)

    def mark_all(self, offsets: Collection[int], verdict: Verdict) -> None:
        """Note how the rows at these places of the chunk ended: all alike."""
        self.bitmap.mark(*offsets)
        if verdict is Verdict.SKIPPED:
            self.skips.mark(*offsets)
        self.counts[verdict] += len(offsets)


@frozen
class RunRecord:
    """One run of a job.

    Attributes:
        number: Counts the runs of the job from 1.
        began: When it began, in seconds since 1970.
        seen: When it was last heard of.
        ending: How it ended; None for one that was killed, or that is under way.
        requests: Requests whose results are in the journal.
        retried: Rows for which a request was repeated.
    """

    number: int
    began: float
    seen: float
    ending: str | None = None
    requests: int = 0
    retried: int = 0

    @property
    def seconds(self) -> float:
        """How long it took; 0 when the clock was put back further."""
        return max(0.0, self.seen - self.began)


@frozen
class Sample:
    """What a run had done at one moment.

    Attributes:
        run: Number of the run.
        at: When, in seconds since 1970.
        finished: Rows of the job that had ended.
        failed: How many of them were not ok.
        requests: Requests of the run.
        throttled: How many of them were turned away because there were too many.
        granted: Requests per second that the rate control allowed; None without one.
    """

    run: int
    at: float
    finished: int
    failed: int
    requests: int
    throttled: int
    granted: float | None


@frozen
class ProblemGroup:
    """Rows that are not ok for the same reason.

    Attributes:
        verdict: How they ended.
        status: HTTP status of the last answer.
        code: The server's error code.
        message: Why they are not ok.
        rows: How many there are.
        first: The number of the first of them in the input.
    """

    verdict: Verdict
    status: int | None
    code: str | None
    message: str
    rows: int
    first: int
