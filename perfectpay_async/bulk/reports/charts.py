"""The charts of a report, as SVG that needs nothing from elsewhere. Colours come from the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from itertools import chain
from typing import Final, TypeAlias

from perfectpay_async.bulk.jobs import JobAccount

from .axes import Scale, TimeAxis
from .course import Span, Stretch, merged
from .words import duration, how_ended, moment

_TOP: Final = 22.0
_LEFT: Final = 46.0
_RIGHT: Final = 10.0
_BOTTOM: Final = 198.0
_LOW_BOTTOM: Final = 110.0
_FOOT: Final = 22.0
_DOT: Final = 2.0  # so wide, in pixels, is the shortest time that is drawn by itself
_CHARACTER: Final = 6.5  # its width, about
_LEAST_SHARE: Final = 0.006


_Value: TypeAlias = Callable[[Span], float | None]


def bar(parts: Sequence[tuple[str, int]]) -> str:
    """Draw counts side by side, each with a width by its share.

    Args:
        parts: The name and the count of each class; the names are classes of the page's style.
    """
    total = sum(count for _, count in parts)
    # What is rare must be seen too: a row that failed matters more than a hair of width.
    shares = [max(count / total, _LEAST_SHARE) if count else 0.0 for _, count in parts]
    pieces, at = list[str](), 0.0
    for (name, count), share in zip(parts, shares, strict=True):
        width = 1000 * share / sum(shares)
        title = f"<title>{escape(name)}: {count:,}</title>"
        if count:
            pieces.append(
                f'<rect class="{escape(name)}" x="{at:.1f}" width="{width:.1f}" height="28">'
                f"{title}</rect>"
            )
        at += width
    said = ", ".join(f"{count:,} {name}" for name, count in parts if count)
    return (
        '<svg class="bar" viewBox="0 0 1000 28" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(said)}">{"".join(pieces)}</svg>'
    )


def progress(account: JobAccount, course: Sequence[Stretch], width: float) -> str:
    """Draw how many rows had ended, over time.

    Args:
        account: The job.
        course: When it was at work; one stretch at least.
        width: Width of the picture, in pixels.
    """
    highest = max(finished for stretch in course for _, finished in stretch.points)
    scale = Scale(max(highest, account.rows or 0), _TOP, _BOTTOM)

    def draw(stretch: Stretch, place: Callable[[float], float]) -> str:
        points = _thinned([(place(at), scale(finished)) for at, finished in stretch.points])
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        bottom = scale(0)
        area = f"{points[0][0]:.1f},{bottom:.1f} {line} {points[-1][0]:.1f},{bottom:.1f}"
        return f'<polygon class="area" points="{area}"/><polyline class="rows" points="{line}"/>'

    title = "Rows that have ended, over time"
    return _chart(title, account, course, width=width, scale=scale, draw=draw)


def pace(account: JobAccount, course: Sequence[Stretch], width: float) -> str:
    """Draw requests per second, and how many the rate control granted.

    Args:
        account: The job.
        course: When it was at work; one stretch at least.
        width: Width of the picture, in pixels.
    """
    spans = _Spans(course, width)
    scale = Scale(max(spans.highest(_requests), spans.highest(_granted), 1.0), _TOP, _BOTTOM)

    def draw(stretch: Stretch, place: Callable[[float], float]) -> str:
        lines = {
            name: _points(spans.steps(stretch, value, place, scale))
            for name, value in (("granted", _granted), ("requests", _requests))
        }
        return "".join(
            f'<polyline class="{name}" points="{points}"/>' for name, points in lines.items()
        )

    title = "Requests per second, over time"
    return _chart(title, account, course, width=width, scale=scale, draw=draw)


def trouble(account: JobAccount, course: Sequence[Stretch], width: float) -> str:
    """Draw requests that were throttled and rows that failed, per second.

    Args:
        account: The job.
        course: When it was at work; one stretch at least.
        width: Width of the picture, in pixels.
    """
    spans = _Spans(course, width)
    scale = Scale(max(spans.highest(_throttled), spans.highest(_failed), 1.0), _TOP, _LOW_BOTTOM)

    def draw(stretch: Stretch, place: Callable[[float], float]) -> str:
        drawn = list[str]()
        for name, value in (("throttled", _throttled), ("failed", _failed)):
            points = spans.steps(stretch, value, place, scale)
            if any(y < scale(0) for _, y in points):
                closed = [(points[0][0], scale(0)), *points, (points[-1][0], scale(0))]
                drawn.append(f'<polygon class="{name}" points="{_points(closed)}"/>')
        return "".join(drawn)

    title = "Requests throttled and rows failed per second, over time"
    return _chart(title, account, course, width=width, scale=scale, draw=draw)


class _Spans:
    """What was done in each stretch, in spans wide enough to be seen."""

    def __init__(self, course: Sequence[Stretch], width: float) -> None:
        least = _DOT / TimeAxis(course, _LEFT, width - _RIGHT).scale
        self._spans = {stretch: list(merged(stretch.spans, least)) for stretch in course}

    def highest(self, value: _Value) -> float:
        """Return the highest value."""
        spans = chain.from_iterable(self._spans.values())
        return max((found for span in spans if (found := value(span)) is not None), default=0.0)

    def steps(
        self, stretch: Stretch, value: _Value, place: Callable[[float], float], scale: Scale
    ) -> list[tuple[float, float]]:
        """Return the line of the values in a stretch; each is level for as long as its span."""
        return [
            (x, scale(found))
            for span in self._spans[stretch]
            if (found := value(span)) is not None
            for x in (place(span.begin), place(span.end))
        ]


def _chart(
    title: str,
    account: JobAccount,
    course: Sequence[Stretch],
    *,
    width: float,
    scale: Scale,
    draw: Callable[[Stretch, Callable[[float], float]], str],
) -> str:
    axis, bottom = TimeAxis(course, _LEFT, width - _RIGHT), scale(0)
    height = bottom + _FOOT
    drawn = [
        *_runs(account, axis, bottom),
        *_lines(scale, width),
        *_gaps(axis, bottom),
        *(draw(stretch, _placing(stretch, left, axis.scale)) for stretch, left, _ in axis),
        *_times(axis, width, bottom),
    ]
    return (
        f'<svg class="chart" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" aria-label="{escape(title)}">{"".join(drawn)}</svg>'
    )


def _runs(account: JobAccount, axis: TimeAxis, bottom: float) -> Iterator[str]:
    """Draw when which run was at work."""
    numbers = set[int]()
    for stretch, left, right in axis:
        run = stretch.run
        name = f"run {run.number}"
        took = duration(stretch.end - stretch.begin)
        said = f"{name}: {moment(stretch.begin)}, {took}, {how_ended(account, run)}"
        yield _band("run", (left, right), bottom, said)
        if run.number in numbers:
            continue  # it goes on after a pause
        if numbers:
            yield _line("edge", (left, left), (_TOP - 14, bottom))
        numbers.add(run.number)
        if (len(name) + 1) * _CHARACTER < right - left:
            yield f'<text x="{left + 4:.1f}" y="{_TOP - 6:g}">{name}</text>'


def _gaps(axis: TimeAxis, bottom: float) -> Iterator[str]:
    """Draw when nothing ran, and for how long."""
    for gap in axis.gaps:
        took = duration(gap.seconds)
        yield _band("gap", (gap.left, gap.right), bottom, f"nothing ran for {took}")
        if gap.shortened and gap.right - gap.left > 2 * _CHARACTER:
            x, y = (gap.left + gap.right) / 2 + 4, (_TOP + bottom) / 2
            yield (
                f'<text class="pause" x="{x:.1f}" y="{y:.1f}" text-anchor="middle" '
                f'transform="rotate(-90 {x:.1f} {y:.1f})">{took}</text>'
            )


def _band(name: str, ends: tuple[float, float], bottom: float, said: str) -> str:
    left, right = ends
    return (
        f'<rect class="{name}" x="{left:.1f}" y="{_TOP:g}" width="{max(right - left, 0.5):.1f}" '
        f'height="{bottom - _TOP:g}"><title>{escape(said)}</title></rect>'
    )


def _line(name: str, x: tuple[float, float], y: tuple[float, float]) -> str:
    return f'<line class="{name}" x1="{x[0]:.1f}" x2="{x[1]:.1f}" y1="{y[0]:.1f}" y2="{y[1]:.1f}"/>'


def _lines(scale: Scale, width: float) -> Iterator[str]:
    """Draw the lines of a scale and its numbers."""
    for at, text in scale.ticks():
        yield (
            f"{_line('grid', (_LEFT, width - _RIGHT), (at, at))}"
            f'<text x="{_LEFT - 6:g}" y="{at + 4:.1f}" text-anchor="end">{text}</text>'
        )


def _times(axis: TimeAxis, width: float, bottom: float) -> Iterator[str]:
    """Draw round times below the chart."""
    for at, text in axis.ticks(_CHARACTER):
        half = len(text) * _CHARACTER / 2
        x = min(max(at, _LEFT + half - 8), width - half)
        yield (
            f"{_line('tick', (at, at), (bottom, bottom + 4))}"
            f'<text x="{x:.1f}" y="{bottom + 16:g}" text-anchor="middle">{text}</text>'
        )


def _placing(stretch: Stretch, left: float, scale: float) -> Callable[[float], float]:
    return lambda at: left + (at - stretch.begin) * scale


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Leave out points that could not be told from the one before."""
    kept = [points[0]]
    for point in points[1:-1]:
        if point[0] - kept[-1][0] >= _DOT:
            kept.append(point)
    return [*kept, points[-1]]


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _requests(span: Span) -> float:
    return span.requests / span.seconds


def _throttled(span: Span) -> float:
    return span.throttled / span.seconds


def _failed(span: Span) -> float:
    return span.failed / span.seconds


def _granted(span: Span) -> float | None:
    return span.granted if span.granted is not None and math.isfinite(span.granted) else None
