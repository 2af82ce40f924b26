"""Whether a refusal is the echo of the same call: an earlier attempt had done it already."""

from __future__ import annotations

from perfectpay_async.errors import PerfectPayError, RouteNotFound
from perfectpay_async.outcome import Outcome


def may_be_done(error: PerfectPayError, code: str | None = None) -> bool:
    """Return whether an earlier attempt may have done what the last one was refused for.

    Args:
        error: The refusal of the last attempt.
        code: The code by which the server says that it is done already; None when its status says
            so.
    """
    if isinstance(error, RouteNotFound) or (code is not None and error.code != code):
        return False
    return any(attempt.outcome is Outcome.UNKNOWN for attempt in error.attempts[:-1])
