"""`Bulk`: one operation on any number of cards, with an account of every row."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterable, Callable, Iterable, Sized
from typing import Final, TypeAlias

from perfectpay_async.errors import (
    ApiError,
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    InvalidRequestError,
    PerfectPayError,
    PermissionDenied,
    RouteNotFound,
    UnexpectedRedirect,
    WrongEventLoopError,
)
from perfectpay_async.http.pipeline import Middleware, pass_through
from perfectpay_async.options import RequestOptions
from perfectpay_async.outcome import Outcome
from perfectpay_async.resilience.budget import RetryBudget
from perfectpay_async.resilience.policy import RetryPolicy
from perfectpay_async.resources.payment_methods import UPDATE, PaymentMethods

from .controller import RateFigures
from .driver import Driver
from .pace import OnRate, Pace, StopAfterAttempts
from .report import BulkReport, RowResult, Tally, Verdict
from .rows import BadRow, ExpiryRow, Row, RowLike, Rows

RATE: Final = 40.0
"""Default ceiling in requests per second: half of the documented limit of 80, the other half is
left to live traffic."""

OnResult: TypeAlias = Callable[[RowResult], None]

# These are about the key, the address or the client and not about the row: every other row would
# meet them too.
_ENDS_THE_RUN: Final = (
    AuthenticationError,
    PermissionDenied,
    RouteNotFound,
    UnexpectedRedirect,
    ConfigurationError,
    ClientClosedError,
    WrongEventLoopError,
)
_KEY_SCHEME: Final = "perfectpay-async/bulk/1"


class Bulk:
    """Bulk operations of a client.

    Args:
        paced: Returns the client's payment methods with one more middleware, which each attempt
            passes before all others.
    """

    def __init__(self, paced: Callable[[Middleware], PaymentMethods]) -> None:
        self._paced = paced

    async def update_expiries(
        self,
        rows: Iterable[RowLike] | AsyncIterable[RowLike],
        *,
        concurrency: int = 64,
        rate: float | None = RATE,
        attempts: int = 6,
        deadline: float = 60.0,
        on_result: OnResult | None = None,
        on_rate: OnRate | None = None,
    ) -> BulkReport:
        """Give many cards a new expiry.

        The memory it takes does not depend on the length of the input. Never are two requests
        under way for one card: a further row for a card waits for the earlier one, so the last
        one wins.

        The rate finds itself: it starts at 10 requests per second, doubles each second up to
        `rate`, goes down when the server throttles (429) and up again when it does not. While the
        server refuses most requests nothing is sent but a probe now and then, and no row is begun.

        A refused key (401, 403), and whatever else every row would meet, ends the run: no more
        rows are begun, those under way are finished, and the report's `stopped_by` says why. To
        stop it yourself, end the iterator. When the task is cancelled, the rows under way are
        abandoned and given to `on_result` as unknown.

        Args:
            rows: `ExpiryRow`s, or pairs of a payment method id and a `CardExpiry`, from any
                iterable or async iterable, such as `read_csv(path)`.
            concurrency: Rows under way at once. More than the client's `max_connections` gains
                nothing.
            rate: Most requests per second, retries included; `math.inf` for no ceiling, where only
                the server's throttling bounds it. None turns the rate control off, for a server
                of your own, such as the sandbox.
            attempts: Most attempts for one row. A throttled one does not count while most are.
            deadline: Seconds for one row, with all its attempts and waits.
            on_result: Called in the event loop with every result as it comes; keep it short.
            on_rate: Called in the same way with the figures of the rate control, after each
                answer.

        Returns:
            The account of the run.

        Raises:
            ConfigurationError: `concurrency`, `rate`, `attempts` or `deadline` is out of range.
            InputRefused: `read_csv` met something that makes its whole input doubtful. The rows
                before that place have been sent.
            Exception: What `rows`, `on_result` or one of your middlewares raised. No more rows are
                begun then, and those under way are finished first.
        """
        _check_count("concurrency", concurrency)
        _check_count("attempts", attempts)
        _check_rate(rate)
        RequestOptions(deadline=deadline)  # refuses a bad value here and not at the first row
        tally = Tally()

        def note(figures: RateFigures) -> None:
            tally.note_rate(figures)
            if on_rate is not None:
                on_rate(figures)

        pace = None if rate is None else Pace(rate, concurrency, note)
        methods = self._paced(pace or pass_through)
        run = _Run(
            methods,
            rows,
            tally,
            pace=pace,
            attempts=attempts,
            deadline=deadline,
            on_result=on_result,
        )
        return await run.to_the_end(concurrency)


class _Run:
    """One bulk update, from its first row to its report."""

    def __init__(
        self,
        payment_methods: PaymentMethods,
        rows: Iterable[RowLike] | AsyncIterable[RowLike],
        tally: Tally,
        *,
        pace: Pace | None,
        attempts: int,
        deadline: float,
        on_result: OnResult | None,
    ) -> None:
        self._payment_methods = payment_methods
        self._pace = pace
        self._attempts = attempts
        # A bulk run cannot multiply the load of an outage: its workers wait before they repeat, and
        # there are never more of them. Refused retries would only fail the rows faster.
        self._budget = RetryBudget(retry_cost=0, throttled_cost=0)
        self._deadline = deadline
        self._on_result = on_result
        self._length = len(rows) if isinstance(rows, Sized) else None
        self._driver = Driver(Rows(rows), self._process)
        self._tally = tally
        self._stopped_by: PerfectPayError | None = None
        self._now = asyncio.get_running_loop().time

    async def to_the_end(self, concurrency: int) -> BulkReport:
        started = self._now()
        await self._driver.run(concurrency)
        return self._tally.report(
            elapsed=self._now() - started,
            total=self._driver.taken if self._driver.exhausted else self._length,
            stopped_by=self._stopped_by,
        )

    async def _process(self, row: Row) -> None:
        if isinstance(row, BadRow):
            result = RowResult(row.number, None, Verdict.INVALID, message=row.reason)
        else:
            if self._pace is not None:
                await self._pace.room()
                if self._driver.stopped:
                    return  # it was never begun
            result = await self._update(row)
        self._deliver(result)
        if result.verdict is Verdict.INVALID:
            await asyncio.sleep(0)  # nothing was awaited: a million such rows would hold the loop

    async def _update(self, row: ExpiryRow) -> RowResult:
        started = self._now()
        stop = StopAfterAttempts(self._attempts, self._pace)
        options = RequestOptions(
            retry=RetryPolicy(stop=stop, budget=self._budget),
            deadline=self._deadline,
            idempotency_key=_key(row),
        )
        try:
            method = await self._payment_methods.update(
                row.payment_method_id, expiry=row.expiry, options=options
            )
        except PerfectPayError as error:
            if isinstance(error, _ENDS_THE_RUN):
                self._stopped_by = self._stopped_by or error.with_traceback(None)
                self._driver.stop()
            return _failed(row, error, self._now() - started)
        except (asyncio.CancelledError, Exception) as error:
            self._deliver(
                RowResult(
                    row.number,
                    row.payment_method_id,
                    Verdict.UNKNOWN,
                    attempts=1,
                    elapsed=self._now() - started,
                    message=f"ended by {type(error).__name__} while it was under way",
                )
            )
            raise
        response = method.response
        return RowResult(
            row.number,
            row.payment_method_id,
            Verdict.OK,
            attempts=1 + (len(response.earlier_attempts) if response else 0),
            elapsed=self._now() - started,
            status=response.status if response else None,
            request_id=response.request_id if response else None,
        )

    def _deliver(self, result: RowResult) -> None:
        self._tally.add(result)
        if self._on_result is not None:
            self._on_result(result)


def _check_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{name} must be a whole number from 1")


def _check_rate(rate: object) -> None:
    if rate is None:
        return
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not rate > 0:
        raise ConfigurationError(
            "rate must be a number of requests per second above 0, or None for no rate control"
        )


def _key(row: ExpiryRow) -> str:
    """Return the idempotency key of a row: the same for the same change of the same card."""
    expiry = row.expiry
    parts = (_KEY_SCHEME, UPDATE.name, row.payment_method_id, expiry.wire_month, expiry.wire_year)
    # No part holds a line end: ids with control characters are never sent.
    digest = hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    # RFC 9562: version 8 is made in a way of one's own, and the variant is one of 8, 9, a and b.
    variant = "89ab"[int(digest[16], 16) % 4]
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def _failed(row: ExpiryRow, error: PerfectPayError, elapsed: float) -> RowResult:
    verdict = _verdict(error)
    return RowResult(
        row.number,
        row.payment_method_id,
        verdict,
        # An answer that cannot be read fails after the retries, which then recorded nothing.
        attempts=len(error.attempts) or int(verdict is not Verdict.INVALID),
        elapsed=elapsed,
        status=error.status,
        code=error.code,
        request_id=error.request_id,
        message=error.message,
    )


def _verdict(error: PerfectPayError) -> Verdict:
    if isinstance(error, InvalidRequestError):
        return Verdict.INVALID
    if error.outcome is Outcome.UNKNOWN:
        return Verdict.UNKNOWN
    if isinstance(error, ApiError) and not error.is_retryable:
        return Verdict.REJECTED
    return Verdict.EXHAUSTED
