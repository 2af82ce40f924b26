"""One row of a bulk update: the call it makes, and what its end means."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias, cast

from perfectpay_async.drafts import maker_of
from perfectpay_async.entities import PaymentMethod, check_not_expired
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
from perfectpay_async.http.caller import Caller
from perfectpay_async.http.pipeline import Middleware
from perfectpay_async.messages import Response
from perfectpay_async.options import RequestOptions
from perfectpay_async.outcome import Outcome
from perfectpay_async.resilience.budget import RetryBudget
from perfectpay_async.resilience.policy import RetryPolicy
from perfectpay_async.resources.payment_methods import (
    UPDATE,
    PaymentMethods,
    today,
    update_path,
)
from perfectpay_async.wire.codec import check_payment_method
from perfectpay_async.wire.dialects import Dialect, expiry_text

from .clock import running_clock
from .pace import Pacing, StopAfterAttempts
from .report import RowResult, Verdict
from .rows import ExpiryRow
from .settings import RunSettings

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


Paced: TypeAlias = Callable[[Middleware, Middleware, RequestOptions], Caller]


def row_options(settings: RunSettings, pace: Pacing | None) -> RequestOptions:
    """Return the options of all calls of a run.

    Args:
        settings: The settings of the run.
        pace: Its pace; None when there is none.
    """
    # A bulk run cannot multiply the load of an outage: its workers wait before they repeat, and
    # there are never more of them. Refused retries would only fail the rows faster.
    budget = RetryBudget(retry_cost=0, throttled_cost=0)
    stop = StopAfterAttempts(settings.attempts, pace)
    return RequestOptions(retry=RetryPolicy(stop=stop, budget=budget), deadline=settings.deadline)


_make_result: Final = maker_of(RowResult)


class RunEnded(PerfectPayError):  # noqa: N818 - it never leaves `bulk`
    """The attempt was not made, because the run has ended."""


class FailedAfterLook(Exception):  # noqa: N818 - it never leaves `bulk`
    """The update of a card failed after the card had been looked at.

    Args:
        error: Why.
        looks: Requests that the look took.
    """

    def __init__(self, error: PerfectPayError, looks: int) -> None:
        super().__init__(error, looks)
        self.error = error
        self.looks = looks


class ExpiryUpdates:
    """Updates the expiry of one card at a time, as `PaymentMethods.update` does.

    Of an answer only its id is read: what the card looks like now, a run does not tell.

    Args:
        caller: Sends the calls, with the `row_options`.
        dialect: Form of the request bodies.
        deadline: Seconds for one row.
        key: Returns the idempotency key of a row.
        only_forward: Whether a card is looked at first, and left alone when it has this or a later
            expiry already.
    """

    def __init__(
        self,
        caller: Caller,
        dialect: Dialect,
        *,
        deadline: float,
        key: Callable[[ExpiryRow], str],
        only_forward: bool,
    ) -> None:
        self._caller = caller
        self._dialect: Dialect = dialect
        self._deadline = deadline
        self._key = key
        self._only_forward = only_forward
        self._now = running_clock()

    def __call__(self, row: ExpiryRow, began: float) -> Awaitable[RowResult]:
        """Update one card.

        Args:
            row: Which one, and how.
            began: Now, in the event loop's time.

        Raises:
            PerfectPayError: It was not applied, or not for sure; `failed` says what that means.
            FailedAfterLook: The same, after a look.
        """
        return self._after_look(row, began) if self._only_forward else self._update(row, began)

    def _update(
        self, row: ExpiryRow, began: float, looks: int = 0, options: RequestOptions | None = None
    ) -> Awaitable[RowResult]:
        # What is returned is the call itself: a coroutine around it would only wait for it.
        check_not_expired(row.expiry, today())
        return self._caller.call(
            UPDATE,
            update_path(row.payment_method_id),
            partial(self._applied, row, began, looks),
            body=expiry_text(self._dialect, row.expiry),
            options=options,
            idempotency_key=self._key(row),
        )

    async def _after_look(self, row: ExpiryRow, began: float) -> RowResult:
        method = await self._look(row)
        response = cast("Response", method.response)  # whatever was retrieved has its answer
        found = None if method.card is None else method.card.expiry
        if found is not None and not found < row.expiry:
            return self._result(row, Verdict.SKIPPED, began, response)
        looks = 1 + len(response.earlier_attempts)
        left = max(self._deadline - (self._now() - began), 1e-9)
        try:
            return await self._update(row, began, looks, RequestOptions(deadline=left))
        except PerfectPayError as error:
            raise FailedAfterLook(error, looks) from error

    async def _look(self, row: ExpiryRow) -> PaymentMethod:
        methods = PaymentMethods(self._caller)
        try:
            return await methods.retrieve(row.payment_method_id)
        except PerfectPayError as error:
            if error.outcome is Outcome.UNKNOWN:
                error.outcome = Outcome.NOT_SENT  # whatever became of the look, nothing was changed
            raise

    def _applied(self, row: ExpiryRow, began: float, looks: int, response: Response) -> RowResult:
        check_payment_method(response, row.payment_method_id)
        return self._result(row, Verdict.OK, began, response, looks)

    def _result(
        self,
        row: ExpiryRow,
        verdict: Verdict,
        began: float,
        response: Response,
        looks: int = 0,
    ) -> RowResult:
        return _make_result(
            row.number,
            row.payment_method_id,
            verdict,
            looks + 1 + len(response.earlier_attempts),
            self._now() - began,
            response.status,
            None,
            response.request_id,
            "",
            True,
            looks > 0,
        )


def ends_the_run(error: PerfectPayError) -> bool:
    """Return whether every other row would meet this error too."""
    return isinstance(error, _ENDS_THE_RUN)


def failed(row: ExpiryRow, error: PerfectPayError, elapsed: float, looks: int = 0) -> RowResult:
    """Return the result of a row that failed.

    Args:
        row: The row.
        error: Why.
        elapsed: Seconds from its start to its end.
        looks: Requests that a look at the card took before the update that failed.
    """
    return RowResult(
        row.number,
        row.payment_method_id,
        _verdict(error),
        attempts=looks + len(error.attempts),
        looked=looks > 0,
        elapsed=elapsed,
        status=error.status,
        code=error.code,
        request_id=error.request_id,
        message=error.message,
        settled=not ends_the_run(error) and not isinstance(error, RunEnded),
    )


def cut_short(row: ExpiryRow, error: BaseException, elapsed: float) -> RowResult:
    """Return the result of a row that was abandoned while it was under way."""
    return RowResult(
        row.number,
        row.payment_method_id,
        Verdict.UNKNOWN,
        attempts=1,
        elapsed=elapsed,
        message=f"ended by {type(error).__name__} while it was under way",
        settled=False,
    )


def _verdict(error: PerfectPayError) -> Verdict:
    if isinstance(error, InvalidRequestError):
        return Verdict.INVALID
    if error.outcome is Outcome.UNKNOWN:
        return Verdict.UNKNOWN
    if isinstance(error, ApiError) and not error.is_retryable:
        return Verdict.REJECTED
    return Verdict.EXHAUSTED
