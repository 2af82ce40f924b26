"""The retry policy: tenacity's `stop`, `wait` and `retry` strategies, with our defaults."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from perfectpay_async.errors import ConfigurationError, PerfectPayError

from .budget import RetryBudget

# Whoever makes a policy, as each client does, imports tenacity: importing the client does not.
if TYPE_CHECKING:
    from tenacity import RetryCallState


def _is_retryable(failure: BaseException) -> bool:
    return isinstance(failure, PerfectPayError) and failure.is_retryable


def _three_attempts() -> Callable[[RetryCallState], bool]:
    from tenacity import stop_after_attempt

    return stop_after_attempt(3)


def _full_jitter() -> Callable[[RetryCallState], float]:
    from .backoff import WaitFullJitter

    return WaitFullJitter()


def _retryable_failures() -> Callable[[RetryCallState], bool]:
    from tenacity import retry_if_exception

    return retry_if_exception(_is_retryable)


def _judges_failures(policy: object, attribute: Any, strategy: Any) -> None:
    import tenacity
    from tenacity.asyncio import retry as async_strategies

    if isinstance(
        strategy,
        tenacity.retry_any
        | tenacity.retry_all
        | async_strategies.retry_any
        | async_strategies.retry_all,
    ):
        for part in strategy.retries:
            _judges_failures(policy, attribute, part)
    if isinstance(
        strategy,
        tenacity.retry_if_result | tenacity.retry_if_not_result | async_strategies.retry_if_result,
    ):
        raise ConfigurationError(
            "retry: only failed attempts are judged, and they have no result; use "
            f"retry_if_exception or one of its kind instead of {type(strategy).__name__}"
        )


@frozen
class RetryPolicy:
    """When a failed attempt is repeated, how often, and after which wait.

    Each strategy is a tenacity object (or any callable of the same form) that is asked after a
    failed attempt, with a fresh `RetryCallState` whose `args[0]` is the `Request`.

    Whatever the strategies say, a retry never happens when it could do harm: an operation that is
    not repeatable (create) is not repeated while its outcome is unknown. A server's Retry-After
    is honoured on top of `wait`.

    Attributes:
        stop: Says when it is enough. Default: after three attempts.
        wait: Gives the seconds to wait. Default: full jitter, base 0.1 s (1 s when throttled),
            cap 8 s.
        retry: Says which failures to repeat, plain or async. Default: those with `is_retryable`.
        max_retry_after: Longest Retry-After to obey, in seconds; beyond it the call ends at once.
        budget: The retry budget of the calls with this policy, in place of the client's.

    Raises:
        ConfigurationError: `retry` judges results; only failures are ever judged.

    Examples:
        >>> from tenacity import stop_after_attempt, wait_fixed
        >>> policy = RetryPolicy(stop=stop_after_attempt(5), wait=wait_fixed(0.2))
    """

    stop: Callable[[RetryCallState], bool] = field(factory=_three_attempts)
    wait: Callable[[RetryCallState], float] = field(factory=_full_jitter)
    retry: Callable[[RetryCallState], bool | Awaitable[bool]] = field(
        factory=_retryable_failures, validator=_judges_failures
    )
    max_retry_after: float = 60.0
    budget: RetryBudget | None = None
