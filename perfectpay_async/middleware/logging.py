"""A log line per call, made only of what may be shown: no ids, headers or bodies."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Final

from perfectpay_async.errors import PerfectPayError
from perfectpay_async.http.pipeline import Next
from perfectpay_async.messages import Request, Response

LOGGER: Final = logging.getLogger("perfectpay_async")


class LogCalls:
    """Logs how each call ended: successes at DEBUG, failures at INFO.

    Logger `perfectpay_async`. A failure is no warning here, because it is raised as well: whoever
    catches it knows how bad it is. Nothing is computed while the level is off.

    Each record has its facts as attributes too, for structured logs: `perfectpay_operation`,
    `perfectpay_method`, `perfectpay_route`, `perfectpay_status`, `perfectpay_outcome`,
    `perfectpay_error`, `perfectpay_attempts`, `perfectpay_gave_up`, `perfectpay_elapsed` (seconds)
    and `perfectpay_request_id`; None stands for what a call does not have.
    """

    __slots__ = ()

    def __call__(self, request: Request, call_next: Next) -> Awaitable[Response]:
        """Send the request on, and log the end of the call."""
        if not LOGGER.isEnabledFor(logging.INFO):
            return call_next(request)
        return self._logged(request, call_next)

    async def _logged(self, request: Request, call_next: Next) -> Response:
        operation = request.operation
        try:
            response = await call_next(request)
        except PerfectPayError as error:
            elapsed = asyncio.get_running_loop().time() - request.started
            LOGGER.info(
                "%s %s failed: %s, status %s, outcome %s, %d attempts, %.3f s, request id %s",
                operation.method,
                operation.route,
                type(error).__name__,
                error.status,
                error.outcome,
                len(error.attempts),
                elapsed,
                error.request_id,
                extra=extras(
                    request,
                    status=error.status,
                    outcome=error.outcome.value,
                    error=type(error).__name__,
                    attempts=len(error.attempts),
                    gave_up=error.gave_up and error.gave_up.value,
                    elapsed=elapsed,
                    request_id=error.request_id,
                ),
            )
            raise
        if LOGGER.isEnabledFor(logging.DEBUG):
            elapsed = asyncio.get_running_loop().time() - request.started
            attempts = len(response.earlier_attempts) + 1
            LOGGER.debug(
                "%s %s: status %d, attempt %d, %.3f s, request id %s",
                operation.method,
                operation.route,
                response.status,
                attempts,
                elapsed,
                response.request_id,
                extra=extras(
                    request,
                    status=response.status,
                    outcome=None,
                    error=None,
                    attempts=attempts,
                    gave_up=None,
                    elapsed=elapsed,
                    request_id=response.request_id,
                ),
            )
        return response


def extras(request: Request, **facts: str | float | None) -> dict[str, str | float | None]:
    """Return the attributes of a log record.

    Their names have a prefix: a plain `request_id` would make `logging` raise a KeyError in an
    application whose own record factory sets one.
    """
    operation = request.operation
    own = {"operation": operation.name, "method": operation.method, "route": operation.route}
    return {f"perfectpay_{name}": fact for name, fact in (own | facts).items()}
