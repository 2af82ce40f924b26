"""What the server says about when to come back.

Nothing is documented for this API, a gateway decides: so every form of RFC 9110 section 10.2.3 is
read, and `retry-after-ms`, and nothing is ever required.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any


def parse_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds the server asks to wait.

    Args:
        headers: The answer's headers, case-insensitive; a multi-valued mapping is read whole.
        now: The time of day as seconds since the epoch, for dates.

    Returns:
        Seconds, or None when there is no usable value. Of several values the longest counts.
        A date in the past gives 0.
    """
    if "retry-after" not in headers and "retry-after-ms" not in headers:
        return None
    waits = [_milliseconds(text) for text in _values(headers, "retry-after-ms")]
    waits += [_seconds_or_date(text, now) for text in _values(headers, "retry-after")]
    return max((wait for wait in waits if wait is not None), default=None)


def _values(headers: Any, name: str) -> Iterable[str]:
    if hasattr(headers, "getall"):
        values: Iterable[str] = headers.getall(name, ())
        return values
    return [headers[name]] if name in headers else []


def _milliseconds(text: str) -> float | None:
    seconds = _number(text)
    return None if seconds is None else seconds / 1000


def _seconds_or_date(text: str, now: float) -> float | None:
    seconds = _number(text)
    return _until(text, now) if seconds is None else seconds


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    # A negative wait is nonsense; an infinite one is finite enough to be refused as too long.
    return value if value >= 0 and not math.isnan(value) else None


def _until(text: str, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        # The obsolete asctime form carries no zone: HTTP dates are always UTC.
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - now)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
