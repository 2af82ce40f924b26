import asyncio
import gc
from contextlib import suppress

import pytest
import tenacity
from tenacity import asyncio as tenacity_async

from perfectpay_async.errors import (
    BadRequest,
    ClientClosedError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    DeadlineExceeded,
    PerfectPayError,
    RateLimited,
    ServerError,
)
from perfectpay_async.middleware import Retry
from perfectpay_async.outcome import GaveUp, Outcome
from perfectpay_async.resilience.backoff import WaitFullJitter
from perfectpay_async.resilience.budget import RetryBudget
from perfectpay_async.resilience.policy import RetryPolicy


def server_error(status=503, retry_after=None):
    error = ServerError(f"the server answered {status}")
    error.status = status
    error.retry_after = retry_after
    return error


def rate_limited(retry_after=None):
    error = RateLimited("the server answered 429")
    error.status = 429
    error.retry_after = retry_after
    return error


class Script:
    """The rest of the pipeline: raises or returns what the script says, attempt by attempt."""

    def __init__(self, *steps):
        self.steps = list(steps)
        self.requests = []

    async def __call__(self, request):
        self.requests.append(request)
        step = self.steps.pop(0)
        if isinstance(step, BaseException):
            raise step
        return step


@pytest.fixture
def slept():
    return []


@pytest.fixture
def retry(slept):
    """Makes the middleware with the longest wait the jitter allows, and without sleeping."""

    def make(policy=None, budget=None):
        async def sleep(seconds):
            slept.append(pytest.approx(seconds))

        return Retry(
            policy or RetryPolicy(wait=WaitFullJitter(uniform=lambda low, high: high)),
            budget or RetryBudget(),
            uniform=lambda low, high: high,
            sleep=sleep,
        )

    return make


async def test_a_success_is_passed_on_untouched(retry, slept, make_request, make_response):
    request = make_request()
    response = make_response(request)
    assert await retry()(request, Script(response)) is response
    assert slept == []


async def test_attempts_are_numbered_and_the_failed_ones_told(
    retry, slept, make_request, make_response
):
    request = make_request()
    script = Script(server_error(), ConnectionLostError("lost"), make_response(request))
    response = await retry()(request, script)
    assert [sent.attempt for sent in script.requests] == [1, 2, 3]
    assert [attempt.error for attempt in response.earlier_attempts] == [
        "ServerError",
        "ConnectionLostError",
    ]
    assert [attempt.wait for attempt in response.earlier_attempts] == slept == [0.1, 0.2]


async def test_it_gives_up_after_three_attempts(retry, make_request):
    script = Script(*[server_error() for _ in range(3)])
    with pytest.raises(ServerError) as caught:
        await retry()(make_request(), script)
    error = caught.value
    assert error.gave_up is GaveUp.ATTEMPTS
    assert [attempt.number for attempt in error.attempts] == [1, 2, 3]
    assert error.attempts[-1].wait is None
    assert error.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_passing_statuses_are_repeated(retry, make_request, make_response, status):
    request = make_request()
    response = await retry()(request, Script(server_error(status), make_response(request)))
    assert len(response.earlier_attempts) == 1


@pytest.mark.parametrize("failure", [server_error(501), BadRequest("no")])
async def test_what_would_fail_again_is_not_repeated(retry, make_request, failure):
    with pytest.raises(PerfectPayError) as caught:
        await retry()(make_request(), Script(failure))
    assert caught.value.gave_up is GaveUp.NOT_RETRYABLE


class TestAnOperationThatIsNotRepeatable:
    @pytest.fixture
    async def create(self, make_request):
        return make_request(method="POST", name="payment_methods.create", repeatable=False)

    @pytest.mark.parametrize("failure", [server_error(), ConnectionLostError("lost")])
    async def test_is_never_repeated_after_an_unknown_outcome(self, retry, create, failure):
        with pytest.raises(PerfectPayError) as caught:
            await retry()(create, Script(failure))
        assert caught.value.gave_up is GaveUp.UNSAFE
        assert caught.value.outcome is Outcome.UNKNOWN

    async def test_not_even_when_the_users_strategy_asks_for_it(self, retry, create):
        eager = retry(RetryPolicy(retry=lambda state: True, wait=lambda state: 0))
        with pytest.raises(ServerError) as caught:
            await eager(create, Script(server_error()))
        assert caught.value.gave_up is GaveUp.UNSAFE

    @pytest.mark.parametrize("failure", [ConnectError("no route"), rate_limited()])
    async def test_is_repeated_when_it_cannot_have_been_applied(
        self, retry, create, make_response, failure
    ):
        response = await retry()(create, Script(failure, make_response(create)))
        assert response.earlier_attempts[0].outcome is not Outcome.UNKNOWN


class TestRetryAfter:
    async def test_the_longer_of_backoff_and_wish_plus_a_tenth(
        self, retry, slept, make_request, make_response
    ):
        request = make_request(deadline=100)
        await retry()(request, Script(rate_limited(3.0), make_response(request)))
        assert slept == [3.3]

    async def test_a_shorter_wish_leaves_the_backoff(
        self, retry, slept, make_request, make_response
    ):
        request = make_request()
        await retry()(request, Script(rate_limited(0.0), make_response(request)))
        assert slept == [1.0]

    async def test_too_long_a_wish_ends_the_call_at_once(self, retry, slept, make_request):
        with pytest.raises(RateLimited) as caught:
            await retry()(make_request(deadline=1e9), Script(rate_limited(61.0)))
        assert caught.value.gave_up is GaveUp.RETRY_AFTER
        assert caught.value.retry_after == 61.0
        assert slept == []

    async def test_no_wait_may_pass_the_deadline(self, retry, slept, make_request):
        with pytest.raises(RateLimited) as caught:
            await retry()(make_request(deadline=2.0), Script(rate_limited(3.0)))
        assert caught.value.gave_up is GaveUp.DEADLINE
        assert caught.value.retry_after == 3.0
        assert "the next wait would pass the deadline" in str(caught.value)
        assert slept == []


class TestTheOutcomeOfTheWholeCall:
    @pytest.mark.parametrize(
        ("failures", "outcome"),
        [
            ([ConnectionLostError("lost"), BadRequest("no")], Outcome.UNKNOWN),
            ([rate_limited(), ConnectError("no route"), rate_limited()], Outcome.REFUSED),
            ([ConnectError("no route")] * 3, Outcome.NOT_SENT),
        ],
    )
    async def test_is_the_most_uncertain_of_its_attempts(
        self, retry, make_request, failures, outcome
    ):
        with pytest.raises(PerfectPayError) as caught:
            await retry()(make_request(), Script(*failures))
        assert caught.value.outcome is outcome


class TestCallsWithoutAnAttempt:
    """What ends on its way to the transport is no attempt, and is not told as one."""

    @pytest.mark.parametrize(
        "failure",
        [
            ClientClosedError("the client is closed"),
            ConfigurationError("proxy must be an http:// or https:// address"),
            DeadlineExceeded("the deadline had passed", outcome=Outcome.NOT_SENT),
        ],
    )
    async def test_there_is_none(self, retry, make_request, failure):
        with pytest.raises(type(failure)) as caught:
            await retry()(make_request(), Script(failure))
        error = caught.value
        error.operation = "payment_methods.update"
        assert (error.attempts, error.outcome) == ((), Outcome.NOT_SENT)
        assert "; nothing was sent" in str(error)
        assert "attempt" not in str(error)

    async def test_those_before_are_told(self, retry, make_request):
        with pytest.raises(ClientClosedError) as caught:
            await retry()(make_request(), Script(server_error(), ClientClosedError("closed")))
        assert [attempt.error for attempt in caught.value.attempts] == ["ServerError"]
        assert caught.value.outcome is Outcome.UNKNOWN
        assert "it is unknown whether the server applied it; 1 attempt in" in str(caught.value)

    @pytest.mark.parametrize(
        "failure",
        [
            ConnectError("no route"),
            DeadlineExceeded("connecting", outcome=Outcome.NOT_SENT, connecting=True),
            DeadlineExceeded("the deadline passed while waiting for the answer"),
            ClientClosedError("while waiting for the answer", outcome=Outcome.UNKNOWN),
        ],
    )
    async def test_one_that_came_as_far_as_a_connection_is_one(self, retry, make_request, failure):
        with pytest.raises(type(failure)) as caught:
            await retry(RetryPolicy(stop=tenacity.stop_after_attempt(1)))(
                make_request(), Script(failure)
            )
        assert [attempt.error for attempt in caught.value.attempts] == [type(failure).__name__]


class TestBudget:
    """The vectors of AWS's standard retry mode: three attempts, jitter at its upper bound."""

    @pytest.fixture
    def policy(self):
        return RetryPolicy(wait=WaitFullJitter(0.05, uniform=lambda low, high: high))

    async def test_success_gives_the_last_retry_back(
        self, retry, slept, policy, make_request, make_response
    ):
        request, budget, seen = make_request(), RetryBudget(), []

        async def pipeline(sent):
            seen.append(budget.available)
            if sent.attempt < 3:
                raise server_error(500)
            return make_response(sent)

        await retry(policy, budget)(request, pipeline)
        assert seen == [500, 486, 472]
        assert budget.available == 486
        assert slept == [0.05, 0.1]

    async def test_failure_gives_nothing_back(self, retry, policy, make_request):
        budget = RetryBudget()
        with pytest.raises(ServerError):
            await retry(policy, budget)(make_request(), Script(*[server_error(502)] * 3))
        assert budget.available == 472

    async def test_it_ends_the_call_when_it_is_spent(self, retry, policy, make_request):
        budget = RetryBudget(available=14)
        script = Script(server_error(500), server_error(502))
        with pytest.raises(ServerError) as caught:
            await retry(policy, budget)(make_request(), script)
        assert len(script.requests) == 2
        assert (caught.value.status, caught.value.gave_up) == (502, GaveUp.BUDGET)
        assert budget.available == 0

    async def test_a_policy_may_bring_its_own(self, retry, make_request, make_response):
        own, shared = RetryBudget(retry_cost=0), RetryBudget(available=0)
        policy = RetryPolicy(wait=tenacity.wait_none(), budget=own)
        request = make_request()
        await retry(policy, shared)(request, Script(server_error(), make_response(request)))
        assert (own.retries, shared.available, shared.refused) == (1, 0, 0)

    async def test_an_empty_one_allows_no_retry(self, retry, policy, make_request):
        script = Script(server_error(500))
        with pytest.raises(ServerError) as caught:
            await retry(policy, RetryBudget(available=0))(make_request(), script)
        assert caught.value.gave_up is GaveUp.BUDGET
        assert "the retry budget is spent" in str(caught.value)


class TestTenacity:
    async def test_stop_wait_and_retry_are_the_users(
        self, retry, slept, make_request, make_response
    ):
        policy = RetryPolicy(
            stop=tenacity.stop_after_attempt(5) | tenacity.stop_after_delay(60),
            wait=tenacity.wait_fixed(0.25) + tenacity.wait_random(0, 0),
            retry=tenacity.retry_if_exception_type(BadRequest),
        )
        request = make_request()
        script = Script(*[BadRequest("no") for _ in range(4)], make_response(request))
        await retry(policy)(request, script)
        assert slept == [0.25] * 4

    async def test_an_async_strategy_is_awaited(self, retry, make_request, make_response):
        async def is_bad_request(failure):
            await asyncio.sleep(0)
            return isinstance(failure, BadRequest)

        policy = RetryPolicy(
            retry=tenacity_async.retry_if_exception(is_bad_request), wait=tenacity.wait_none()
        )
        request = make_request()
        await retry(policy)(request, Script(BadRequest("no"), make_response(request)))
        with pytest.raises(ServerError) as caught:
            await retry(policy)(request, Script(server_error()))
        assert caught.value.gave_up is GaveUp.NOT_RETRYABLE

    async def test_strategies_see_the_request_and_the_attempt(self, retry, make_request):
        seen = []

        def judge(state):
            seen.append((state.args[0].operation.name, state.attempt_number, state.idle_for))
            return True

        policy = RetryPolicy(retry=judge, wait=tenacity.wait_fixed(0.5))
        with pytest.raises(ServerError):
            await retry(policy)(make_request(), Script(*[server_error()] * 3))
        name = "payment_methods.retrieve"
        assert seen == [(name, 1, 0.0), (name, 2, 0.5), (name, 3, 1.0)]

    async def test_concurrent_calls_never_mix(self, make_request, make_response):
        async def judge(failure):
            await asyncio.sleep(0)
            return isinstance(failure, ServerError)

        shared = Retry(
            RetryPolicy(retry=tenacity_async.retry_if_exception(judge), wait=tenacity.wait_none()),
            RetryBudget(capacity=10_000),
        )

        async def one(number):
            request = make_request()
            response = make_response(request, body=str(number).encode())
            got = await shared(request, Script(server_error(), server_error(), response))
            return got.body, len(got.earlier_attempts)

        results = await asyncio.gather(*[one(number) for number in range(60)])
        assert results == [(str(number).encode(), 2) for number in range(60)]

    async def test_a_calls_own_policy_wins(self, retry, make_request):
        request = make_request(retry=RetryPolicy(stop=tenacity.stop_after_attempt(1)))
        script = Script(server_error())
        with pytest.raises(ServerError):
            await retry()(request, script)
        assert len(script.requests) == 1


class TestOtherFailures:
    async def test_an_error_of_a_users_middleware_passes_through(self, retry, make_request):
        with pytest.raises(LookupError, match="mine"):
            await retry()(make_request(), Script(LookupError("mine")))

    async def test_and_can_be_repeated_on_request(self, retry, make_request, make_response):
        policy = RetryPolicy(retry=tenacity.retry_if_exception_type(LookupError))
        request = make_request()
        response = await retry(policy)(request, Script(LookupError("mine"), make_response(request)))
        assert response.earlier_attempts[0].outcome is Outcome.UNKNOWN

    async def test_a_cancel_is_never_judged(self, retry, make_request):
        script = Script(asyncio.CancelledError())
        eager = retry(RetryPolicy(retry=lambda state: True))
        with pytest.raises(asyncio.CancelledError):
            await eager(make_request(), script)
        assert len(script.requests) == 1

    async def test_a_failed_call_leaves_no_garbage_cycle(self, retry, make_request):
        middleware = retry()

        async def pipeline(request):
            raise server_error()

        async def fail():
            with suppress(ServerError):
                await middleware(make_request(), pipeline)

        await fail()
        gc.collect()
        gc.disable()
        try:
            for _ in range(10):
                await fail()
            assert gc.collect() == 0
        finally:
            gc.enable()


async def test_a_retry_is_logged_without_ids(retry, make_request, make_response, caplog):
    request = make_request()
    with caplog.at_level("INFO", logger="perfectpay_async"):
        await retry()(request, Script(server_error(), make_response(request)))
    (message,) = caplog.messages
    assert message == (
        "GET /payment_methods/{payment_method_id}: attempt 1 ended with ServerError (status 503); "
        "next attempt in 0.100 s"
    )
