"""Makes a request out of an operation and sends it through the pipeline."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from attrs import evolve
from yarl import URL

from perfectpay_async._version import __version__
from perfectpay_async.errors import PerfectPayError, ResponseDecodingError
from perfectpay_async.messages import Operation, Response, make_request
from perfectpay_async.options import RequestOptions
from perfectpay_async.outcome import Attempt
from perfectpay_async.secrets import MaskedBytes, Secret

from .pipeline import Next

_HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": f"perfectpay-async/{__version__}",
}
_JSON: Final = {"Content-Type": "application/json"}

T = TypeVar("T")


class Caller:
    """Where a call starts: knows the root of the API, the pipeline and the default options.

    Args:
        pipeline: The composed middlewares with the transport at their end.
        root: Root of the API; a path prefix is kept.
        options: Defaults for all calls; a timeout that is left out there is none.
    """

    def __init__(self, pipeline: Next, root: URL, options: RequestOptions) -> None:
        self._pipeline = pipeline
        self._root = root
        self._prefix = root.raw_path.rstrip("/")
        self._options = options
        self._headers: Mapping[str, str] = {**_HEADERS, **options.headers}
        self._json_headers: Mapping[str, str] = {**self._headers, **_JSON}

    def with_options(self, options: RequestOptions) -> Caller:
        """Return a caller on the same pipeline with other defaults."""
        return Caller(self._pipeline, self._root, options.over(self._options))

    def through(self, pipeline: Next) -> Caller:
        """Return a caller with the same defaults on another pipeline."""
        return Caller(pipeline, self._root, self._options)

    def until(self, options: RequestOptions | None) -> Callable[[], RequestOptions]:
        """Return a function that gives the options of the next of several calls.

        The calls share one deadline, which starts now: each gets what is left of it.
        """
        chosen = self._options if options is None else options.over(self._options)
        now = asyncio.get_running_loop().time
        end = now() + (chosen.deadline or math.inf)
        # A call that has no time left at all ends at once with DeadlineExceeded, as it should.
        return lambda: evolve(chosen, deadline=max(end - now(), 1e-9))

    async def call(
        self,
        operation: Operation,
        path: str,
        decode: Callable[[Response], T],
        *,
        query: Mapping[str, str] | None = None,
        body: MaskedBytes | None = None,
        sensitive: Iterable[Secret] = (),
        options: RequestOptions | None = None,
        idempotency_key: str | None = None,
    ) -> T:
        """Send one call through the pipeline.

        Args:
            operation: What it does.
            path: Percent-encoded path below the root, starting with a slash.
            decode: Makes the result of the call out of its answer.
            query: Query parameters.
            body: The encoded JSON body.
            sensitive: Values in the body that are masked wherever the server echoes them.
            options: Settings of this call alone.
            idempotency_key: Instead of the one of the options, and not checked.

        Returns:
            What `decode` makes of the answer, which has a success status.

        Raises:
            PerfectPayError: The call failed; `outcome` says what that means.
        """
        chosen = self._options
        headers = self._headers if body is None else self._json_headers
        if options is not None:
            chosen = options.over(chosen)
            if options.headers:
                headers = {**headers, **options.headers}
        url = self._root.with_path(self._prefix + path, encoded=True)
        started = asyncio.get_running_loop().time()
        request = make_request(
            operation,
            url.with_query(query) if query else url,
            headers,
            body,
            started,
            started + (chosen.deadline or math.inf),
            chosen.attempt_timeout or math.inf,
            1,
            chosen.idempotency_key if idempotency_key is None else idempotency_key,
            chosen.retry,
            tuple(sensitive),
        )
        try:
            response = await self._pipeline(request)
        except PerfectPayError as error:
            error.operation = operation.name
            raise
        try:
            return decode(response)
        except ResponseDecodingError as error:
            _complete(error, response, asyncio.get_running_loop().time() - started)
            raise


def _complete(error: ResponseDecodingError, response: Response, elapsed: float) -> None:
    """Give an error that came up after the retries the facts of the whole call."""
    earlier = response.earlier_attempts
    error.operation = response.request.operation.name
    error.elapsed = elapsed
    error.status, error.request_id = response.status, response.request_id
    error.attempts = (
        *earlier,
        Attempt(
            number=len(earlier) + 1,
            started=elapsed - response.elapsed,
            elapsed=response.elapsed,
            error=type(error).__name__,
            outcome=error.outcome,
            status=response.status,
            request_id=response.request_id,
        ),
    )
