"""The course of a job over time: when it ran, how far it was, and how fast it went."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from typing import Final

from attrs import frozen

from perfectpay_async.bulk.jobs import JobAccount, RunRecord, Sample

_PAUSE: Final = 30.0
_PAUSE_RATIO: Final = 8.0


@frozen
class Span:
    """What was done between two moments of a run.

    Attributes:
        begin: In seconds since 1970.
        end: As well.
        requests: Requests that ended.
        throttled: How many of them were turned away.
        failed: Rows that ended without being applied.
        granted: Requests per second that the rate control allowed in the end; None without one.
    """

    begin: float
    end: float
    requests: int
    throttled: int
    failed: int
    granted: float | None

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.begin


@frozen
class Stretch:
    """A time in which a run was at work without a pause.

    Attributes:
        run: The run.
        points: Moments, in seconds since 1970, and how many rows had ended.
        spans: What was done between them.
    """

    run: RunRecord
    points: tuple[tuple[float, int], ...]
    spans: tuple[Span, ...]

    @property
    def begin(self) -> float:
        """When it began."""
        return self.points[0][0]

    @property
    def end(self) -> float:
        """When it ended."""
        return self.points[-1][0]


def throttled(account: JobAccount) -> int:
    """Return how many requests were turned away because there were too many."""
    return sum(
        max(sample.throttled for sample in samples) for _, samples in _by_run(account.samples)
    )


def stretches(account: JobAccount) -> list[Stretch]:
    """Return when the job was at work, in the order of time.

    A run in which nothing was heard of for long, as when the machine slept, makes several.
    """
    samples = {number: list(of_run) for number, of_run in _by_run(account.samples)}
    made: list[Stretch] = []
    finished, failed, latest = 0, 0, -math.inf
    for run in account.runs:
        taken = samples.get(run.number, [])
        if taken:  # a run of rows that had failed begins with fewer than had ended
            finished, failed = min(finished, taken[0].finished), min(failed, taken[0].failed)
        first = Sample(run.number, run.began, finished, failed, 0, 0, None)
        last = taken[-1] if taken else first
        moments = [first, *taken]
        if run.seen > last.at:
            moments.append(
                Sample(run.number, run.seen, last.finished, last.failed, last.requests,
                       last.throttled, last.granted)
            )  # fmt: skip
        for part in _without_pauses(moments):
            stretch = _stretch(run, part, latest)
            latest = stretch.end
            made.append(stretch)
        finished, failed = last.finished, last.failed
    return made


def merged(spans: Iterable[Span], seconds: float) -> Iterator[Span]:
    """Join spans so that each, but perhaps the last, takes at least so many seconds."""
    open_span: Span | None = None
    for span in spans:
        open_span = span if open_span is None else _joined(open_span, span)
        if open_span.seconds >= seconds:
            yield open_span
            open_span = None
    if open_span is not None:
        yield open_span


def _by_run(samples: Iterable[Sample]) -> Iterator[tuple[int, Iterator[Sample]]]:
    return groupby(samples, lambda sample: sample.run)


def _without_pauses(moments: list[Sample]) -> Iterator[list[Sample]]:
    """Split at pauses: where far longer nothing was entered than is usual."""
    part = moments[:1]
    usual = 1.0
    for before, after in pairwise(moments):
        wait = after.at - before.at
        if wait > max(_PAUSE, _PAUSE_RATIO * usual):
            yield part
            part = []
        elif wait > 0:
            usual = max(1.0, wait)
        part.append(after)
    yield part


def _stretch(run: RunRecord, moments: list[Sample], latest: float) -> Stretch:
    # A clock that was put back must not turn the course round.
    times = list[float]()
    for sample in moments:
        latest = max(latest, sample.at)
        times.append(latest)
    spans = tuple(
        Span(
            begin,
            end,
            max(0, after.requests - before.requests),
            max(0, after.throttled - before.throttled),
            max(0, after.failed - before.failed),
            after.granted,
        )
        for (before, begin), (after, end) in pairwise(zip(moments, times, strict=True))
        if end > begin
    )
    points = zip(times, (sample.finished for sample in moments), strict=True)
    return Stretch(run, tuple(points), spans)


def _joined(first: Span, second: Span) -> Span:
    return Span(
        first.begin,
        second.end,
        first.requests + second.requests,
        first.throttled + second.throttled,
        first.failed + second.failed,
        second.granted,
    )
