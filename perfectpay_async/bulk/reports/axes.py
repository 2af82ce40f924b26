"""The axes of the charts: where a moment or a number is drawn, and what is written there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from attrs import frozen

from .course import Stretch

_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400
_STEPS: Final = (
    *(1, 2, 5, 10, 15, 30),
    *(_MINUTE * many for many in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * many for many in (1, 2, 3, 6, 12)),
    *(_DAY * many for many in (1, 2, 7, 14, 30)),
)
_CLOSE: Final = 0.02
_GAP: Final = 26.0
_GAPS_SHARE: Final = 0.3
_LINE: Final = 35.0  # between the lines of a scale, at least


@frozen
class Gap:
    """A time between two stretches, or from their pauses.

    Attributes:
        left: Where it begins on the axis.
        right: Where it ends.
        seconds: How long it is.
        shortened: Whether it is drawn shorter than it is.
    """

    left: float
    right: float
    seconds: float
    shortened: bool


class TimeAxis:
    """Places moments from left to right. Long gaps between stretches are shortened.

    Args:
        stretches: When the job was at work; one at least.
        left: Where the axis begins.
        right: Where it ends.
    """

    def __init__(self, stretches: Sequence[Stretch], left: float, right: float) -> None:
        width = right - left
        busy = sum(stretch.end - stretch.begin for stretch in stretches) or 1.0
        waits = [after.begin - before.end for before, after in pairwise(stretches)]
        short = [wait for wait in waits if wait <= _CLOSE * busy]
        many = len(waits) - len(short)
        gap_width = min(_GAP, _GAPS_SHARE * width / many) if many else 0.0
        self.scale: float = (width - gap_width * many) / (busy + sum(short))
        self.gaps: list[Gap] = []
        # Of each stretch: when it begins, and where.
        self._starts: list[tuple[Stretch, float]] = []
        at = left
        for stretch, wait in zip(stretches, [*waits, 0.0], strict=True):
            self._starts.append((stretch, at))
            at += (stretch.end - stretch.begin) * self.scale
            shortened = wait > _CLOSE * busy
            after = at + (gap_width if shortened else wait * self.scale)
            if wait > 0:
                self.gaps.append(Gap(at, after, wait, shortened))
            at = after

    def __iter__(self) -> Iterator[tuple[Stretch, float, float]]:
        """Iterate over the stretches and where they begin and end."""
        for stretch, left in self._starts:
            yield stretch, left, left + (stretch.end - stretch.begin) * self.scale

    def ticks(self, character: float) -> Iterator[tuple[float, str]]:
        """Iterate over round times: where they are, and what is written there.

        Args:
            character: How wide one is; so that they keep clear of each other.
        """
        long = self._starts[-1][0].end - self._starts[0][0].begin > _DAY

        def room(step: int) -> float:
            return (_form(step, long=long)[1] + 3) * character

        step = next((step for step in _STEPS if step * self.scale >= room(step)), _STEPS[-1])
        form, _ = _form(step, long=long)
        last = -math.inf
        for stretch, left in self._starts:
            for number in range(math.ceil(stretch.begin / step), int(stretch.end // step) + 1):
                at = left + (number * step - stretch.begin) * self.scale
                if at - last >= room(step):
                    yield at, f"{datetime.fromtimestamp(number * step, UTC):{form}}"
                    last = at


def _form(step: int, *, long: bool) -> tuple[str, int]:
    """Return the form of a time, and how many letters that makes."""
    if step >= _DAY:
        return "%d %b", 6
    if long and step >= _HOUR:
        return "%d %b %H:%M", 12
    return ("%H:%M", 5) if step >= _MINUTE else ("%H:%M:%S", 8)


class Scale:
    """Places numbers from 0 at the bottom to the highest at the top.

    Args:
        highest: The highest number to be placed.
        top: Where the highest line of the scale is.
        bottom: Where 0 is.
    """

    def __init__(self, highest: float, top: float, bottom: float) -> None:
        self._bottom = bottom
        most = max(1, int((bottom - top) / _LINE))
        self._step = _round_step(highest / most) if highest > 0 else 1.0
        self._lines = max(1, math.ceil(highest / self._step - 1e-9))
        self._factor = (bottom - top) / (self._lines * self._step)

    def __call__(self, number: float) -> float:
        """Return where a number is."""
        return self._bottom - number * self._factor

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Iterate over round numbers: where they are, and what is written there."""
        for line in range(self._lines + 1):
            yield self(line * self._step), _short(line * self._step)


def _round_step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= least * (1 - 1e-9))


def _short(number: float) -> str:
    for name, size in (("M", 1_000_000), ("k", 1_000)):
        if number >= 10 * size or (number >= size and name == "M"):
            return f"{number / size:g}{name}"
    return f"{number:,.10g}"
