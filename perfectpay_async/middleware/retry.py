"""Repeats a failed attempt when it may help, cannot harm, and still fits into the deadline.

tenacity's strategy objects decide when to stop, how long to wait and what to repeat; the loop that
drives them is here. tenacity's own `AsyncRetrying` keeps its state per thread, so one object
shared by concurrent calls mixes them up, and it costs as much as a third of a request on every
success. This loop costs nothing until an attempt has failed.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, cast

from attrs import evolve

from perfectpay_async.errors import DeadlineExceeded, PerfectPayError, RateLimited, TransportError
from perfectpay_async.http.pipeline import Next
from perfectpay_async.messages import Request, Response
from perfectpay_async.outcome import Attempt, GaveUp, Outcome
from perfectpay_async.resilience.budget import RetryBudget
from perfectpay_async.resilience.policy import RetryPolicy

from .logging import extras

if TYPE_CHECKING:
    from tenacity import RetryCallState

LOGGER: Final = logging.getLogger("perfectpay_async.retry")

# The server's wait is stretched by up to a tenth, so that all those it sent away at one moment do
# not come back at one moment.
_SPREAD: Final = 0.1


class Retry:
    """The retry middleware: everything inside it happens once per attempt.

    Args:
        policy: What to repeat, when and how often. A call's own policy takes its place.
        budget: Tokens shared by all calls, but for those whose policy brings its own.
        uniform: Draws from an interval; injected by tests.
        sleep: Waits; injected by tests.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        budget: RetryBudget,
        *,
        uniform: Callable[[float, float], float] = random.uniform,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._policy = policy
        self._budget = budget
        self._uniform = uniform
        self._sleep = sleep

    async def __call__(self, request: Request, call_next: Next) -> Response:
        """Send the request on until it succeeds or must not be repeated."""
        try:
            response = await call_next(request)
        except Exception as error:
            failure = error
        else:
            budget = (request.retry or self._policy).budget or self._budget
            budget.refund(budget.success_refund)
            return response
        try:
            return await self._repeat(request, call_next, failure)
        finally:
            del failure  # its traceback holds this frame: a cycle

    async def _repeat(self, request: Request, call_next: Next, failure: Exception) -> Response:
        from tenacity import RetryCallState  # imported already, with the policy

        now = asyncio.get_running_loop().time
        policy = request.retry or self._policy
        budget = policy.budget or self._budget
        state = RetryCallState(cast("Any", None), None, (request,), {})
        state.start_time = request.started
        attempt_started = request.started
        attempts: list[Attempt] = []
        spent = 0
        try:
            while True:
                ended = now()
                state.set_exception((type(failure), failure, None))
                state.outcome_timestamp = ended  # tenacity's own clock is not that of the loop
                attempts.append(
                    _record(request, failure, attempt_started, ended, len(attempts) + 1)
                )
                gave_up, wait = await self._decide(policy, state, request, failure, ended)
                if gave_up is None:
                    gave_up, spent = _pay(budget, failure)
                if gave_up is not None:
                    _complete(failure, attempts, gave_up, request, ended)
                    raise failure
                attempts[-1] = evolve(attempts[-1], wait=wait)
                _log_retry(request, attempts[-1], wait)
                state.idle_for += wait
                state.upcoming_sleep = wait
                await self._sleep(wait)
                state.prepare_for_next_attempt()
                attempt_started = now()
                try:
                    response = await call_next(request.for_attempt(state.attempt_number))
                except Exception as error:
                    failure = error
                else:
                    budget.refund(spent)
                    return evolve(response, earlier_attempts=tuple(attempts))
        finally:
            del failure, state  # as above

    async def _decide(
        self,
        policy: RetryPolicy,
        state: RetryCallState,
        request: Request,
        failure: Exception,
        now: float,
    ) -> tuple[GaveUp | None, float]:
        """Return why it is over, or None and the seconds to wait."""
        wanted = policy.retry(state)
        if inspect.isawaitable(wanted):
            wanted = await wanted
        if not wanted:
            return GaveUp.NOT_RETRYABLE, 0.0
        if not _is_safe(request, failure):
            return GaveUp.UNSAFE, 0.0
        if policy.stop(state):
            return GaveUp.ATTEMPTS, 0.0
        wait = float(policy.wait(state))
        asked = failure.retry_after if isinstance(failure, PerfectPayError) else None
        if asked is not None:
            if asked > policy.max_retry_after:
                return GaveUp.RETRY_AFTER, 0.0
            wait = max(wait, asked) + self._uniform(0.0, _SPREAD * asked)
        if now + wait >= request.deadline:
            return GaveUp.DEADLINE, 0.0
        return None, wait


def _pay(budget: RetryBudget, failure: Exception) -> tuple[GaveUp | None, int]:
    paid = budget.take(throttled=isinstance(failure, RateLimited))
    return (GaveUp.BUDGET, 0) if paid is None else (None, paid)


def _outcome_of(failure: Exception) -> Outcome:
    # A middleware may raise anything at any point: the worst is assumed.
    return failure.outcome if isinstance(failure, PerfectPayError) else Outcome.UNKNOWN


def _is_safe(request: Request, failure: Exception) -> bool:
    # What was refused or never sent has changed nothing.
    return request.operation.repeatable or _outcome_of(failure) is not Outcome.UNKNOWN


def _record(
    request: Request, failure: Exception, started: float, ended: float, number: int
) -> Attempt:
    facts = failure if isinstance(failure, PerfectPayError) else None
    return Attempt(
        number=number,
        started=started - request.started,
        elapsed=ended - started,
        error=type(failure).__name__,
        outcome=_outcome_of(failure),
        status=facts.status if facts else None,
        request_id=facts.request_id if facts else None,
    )


def _complete(
    failure: Exception, attempts: list[Attempt], gave_up: GaveUp, request: Request, now: float
) -> None:
    """Give the error the facts of the whole call."""
    if not isinstance(failure, PerfectPayError):
        return
    failure.attempts = tuple(attempts if _was_attempted(failure) else attempts[:-1])
    failure.elapsed = now - request.started
    failure.gave_up = gave_up
    # One attempt that may have been applied makes the whole call uncertain, and one that was
    # refused says more than one that was never sent.
    seen = {attempt.outcome for attempt in attempts}
    failure.outcome = next(
        outcome
        for outcome in (Outcome.UNKNOWN, Outcome.REFUSED, Outcome.NOT_SENT)
        if outcome in seen
    )


def _was_attempted(failure: PerfectPayError) -> bool:
    # What is neither sent nor an error of the transport was ended on its way there, as by a client
    # that is closed or a wait that was too long.
    if failure.outcome is not Outcome.NOT_SENT or isinstance(failure, TransportError):
        return True
    return isinstance(failure, DeadlineExceeded) and failure.connecting


def _log_retry(request: Request, attempt: Attempt, wait: float) -> None:
    if not LOGGER.isEnabledFor(logging.INFO):
        return
    LOGGER.info(
        "%s %s: attempt %d ended with %s (status %s); next attempt in %.3f s",
        request.operation.method,
        request.operation.route,
        attempt.number,
        attempt.error,
        attempt.status,
        wait,
        extra=extras(
            request,
            status=attempt.status,
            outcome=attempt.outcome.value,
            error=attempt.error,
            attempt=attempt.number,
            elapsed=attempt.elapsed,
            wait=wait,
            request_id=attempt.request_id,
        ),
    )
