"""Turns an error answer into a typed error, inside the retries and outside the attempt level.

So middlewares of the attempt level see every answer as it came, and the retry layer sees errors.
"""

from __future__ import annotations

import time

from perfectpay_async.messages import Request, Response
from perfectpay_async.resilience.retry_after import parse_retry_after
from perfectpay_async.wire.errors import SUCCESS, error_from

from .pipeline import Next


def raise_for_error(call_next: Next) -> Next:
    """Return `call_next` with error answers raised as `ApiError` or `UnexpectedRedirect`."""

    async def judged(request: Request) -> Response:
        response = await call_next(request)
        if response.status in SUCCESS and b'"error"' not in response.body:
            return response  # this is all that a normal answer pays
        error = error_from(response)
        if error is None:
            return response
        error.retry_after = parse_retry_after(response.headers, time.time())
        try:
            raise error
        finally:
            del error  # its traceback holds this frame: a cycle

    return judged
