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
            LOGGER.info(
                "%s %s failed: %s, status %s, outcome %s, %d attempts, %.3f s, request id %s",
                operation.method,
                operation.route,
                type(error).__name__,
                error.status,
                error.outcome,
                len(error.attempts),
                asyncio.get_running_loop().time() - request.started,
                error.request_id,
            )
            raise
        LOGGER.debug(
            "%s %s: status %d, attempt %d, %.3f s, request id %s",
            operation.method,
            operation.route,
            response.status,
            len(response.earlier_attempts) + 1,
            asyncio.get_running_loop().time() - request.started,
            response.request_id,
        )
        return response
