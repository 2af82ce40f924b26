import asyncio
import json
import re
from contextlib import suppress

import pytest
from tenacity import stop_after_delay, wait_fixed

from perfectpay_async import (
    AttemptTimeout,
    CardExpiry,
    ClientClosedError,
    ConnectError,
    ConnectionLostError,
    DeadlineExceeded,
    NewCard,
    NotFound,
    Outcome,
    PerfectPay,
    PoolTimeout,
    RateLimited,
    ResponseDecodingError,
    RetryPolicy,
    ServerError,
    TlsError,
)
from perfectpay_async.testing import (
    Answer,
    MockTransport,
    VirtualClock,
    deleted,
    payment_method,
    payment_method_list,
)

CARD = NewCard("4242424242424242", CardExpiry(10, 2035), cvc="946", holder_name="Jane Doe")
ONCE = RetryPolicy(stop=lambda state: True)


@pytest.fixture
def mock():
    return MockTransport()


class TestAnswers:
    async def test_every_operation_understands_its_canned_answer(self, mock):
        mock.expect("payment_methods.create", payment_method("pm_1"))
        mock.expect("payment_methods.retrieve", payment_method("pm_1", nick_name="mine"))
        mock.expect("payment_methods.update", payment_method("pm_1", expiry_year="2036"))
        mock.expect("payment_methods.list", payment_method_list(payment_method("pm_1")))
        mock.expect("payment_methods.delete", deleted("pm_1"))
        methods = mock.client().payment_methods
        assert (await methods.create("cus_1", CARD)).card.last4 == "4242"
        assert (await methods.retrieve("pm_1")).card.nick_name == "mine"
        updated = await methods.update("pm_1", expiry=CardExpiry(10, 2036))
        assert updated.card.expiry == CardExpiry(10, 2036)
        (listed,) = await methods.list("cus_1")
        assert listed.default_payment_method_set
        assert listed.extra == {}
        assert (await methods.delete("pm_1")).deleted
        mock.verify()

    async def test_fields_that_are_not_of_the_card_go_to_the_method(self, mock):
        mock.allow("payment_methods.retrieve", payment_method("pm_1", metadata={"a": 1}, new=2))
        method = await mock.client().payment_methods.retrieve("pm_1")
        assert method.metadata == {"a": 1}
        assert method.extra == {"new": 2}

    async def test_steps_answer_one_request_each_in_order(self, mock):
        mock.expect("payment_methods.retrieve", payment_method("pm_1"), payment_method("pm_2"))
        methods = mock.client().payment_methods
        assert (await methods.retrieve("pm_1")).payment_method_id == "pm_1"
        assert (await methods.retrieve("pm_2")).payment_method_id == "pm_2"
        with pytest.raises(AssertionError, match=r"unexpected: .*retrieve .*/pm_3\), attempt 1"):
            await methods.retrieve("pm_3")

    async def test_what_is_expected_goes_before_what_is_allowed(self, mock):
        mock.allow("payment_methods.retrieve", payment_method("pm_1", nick_name="allowed"))
        mock.expect("payment_methods.retrieve", payment_method("pm_1", nick_name="expected"))
        methods = mock.client().payment_methods
        names = [(await methods.retrieve("pm_1")).card.nick_name for _ in range(3)]
        assert names == ["expected", "allowed", "allowed"]

    async def test_a_function_sees_the_request_and_may_be_async(self, mock):
        def echo(request):
            return payment_method(request.url.name)

        async def later(request):
            await asyncio.sleep(0)
            return echo

        mock.expect("payment_methods.retrieve", echo, later)
        methods = mock.client().payment_methods
        assert (await methods.retrieve("pm_7")).payment_method_id == "pm_7"
        assert (await methods.retrieve("pm_8")).payment_method_id == "pm_8"

    async def test_headers_arrive(self, mock):
        answer = Answer.json(payment_method("pm_1"), headers={"X-Request-Id": "req_1"})
        mock.expect("payment_methods.retrieve", answer)
        method = await mock.client().payment_methods.retrieve("pm_1")
        assert method.response.request_id == "req_1"
        assert method.response.headers["content-type"] == "application/json"


class TestTargets:
    async def test_a_route_with_a_name_in_braces_takes_any_one_segment(self, mock):
        mock.allow("GET /payment_methods/{id}", lambda request: payment_method(request.url.name))
        methods = mock.client().payment_methods
        await methods.retrieve("pm_1")
        await methods.retrieve("pm_2")
        with pytest.raises(AssertionError, match=r"unexpected: payment_methods\.update"):
            await methods.update("pm_1", nick_name="x")
        assert len(mock.requests_of("GET /payment_methods/pm_2")) == 1
        assert len(mock.requests_of("payment_methods.retrieve")) == 2
        assert mock.requests_of("POST /payment_methods/{id}") == []

    async def test_a_route_that_is_not_modelled(self, mock):
        mock.expect("POST /customers", {"customer_id": "cus_9"})
        response = await mock.client().request("POST", "/customers", json={"name": "Ida"})
        assert response.json() == {"customer_id": "cus_9"}
        (request,) = mock.requests
        assert json.loads(request.body) == {"name": "Ida"}

    @pytest.mark.parametrize("target", ["GET payment_methods", "get /x", "payment methods.list"])
    def test_what_is_neither_is_refused(self, mock, target):
        with pytest.raises(ValueError, match="is neither an operation"):
            mock.allow(target, {})


class TestFailures:
    @pytest.mark.parametrize(
        ("step", "error", "outcome"),
        [
            (ConnectError, ConnectError, Outcome.NOT_SENT),
            (PoolTimeout, PoolTimeout, Outcome.NOT_SENT),
            (TlsError, TlsError, Outcome.NOT_SENT),
            (ConnectionLostError, ConnectionLostError, Outcome.UNKNOWN),
            (AttemptTimeout, AttemptTimeout, Outcome.UNKNOWN),
            (Answer.rate_limited(), RateLimited, Outcome.REFUSED),
            (Answer.error(503), ServerError, Outcome.UNKNOWN),
            (Answer.error(404, "HE_02"), NotFound, Outcome.REFUSED),
            (Answer.bad_json(), ResponseDecodingError, Outcome.UNKNOWN),
        ],
        ids=lambda value: getattr(value, "__name__", None),
    )
    async def test_each_class_of_failure(self, mock, step, error, outcome):
        mock.expect("payment_methods.create", step)
        client = mock.client(retry=ONCE)
        with pytest.raises(error) as caught:
            await client.payment_methods.create("cus_1", CARD)
        assert type(caught.value) is error
        assert caught.value.outcome is outcome
        assert caught.value.operation == "payment_methods.create"
        mock.verify()

    async def test_an_error_object_keeps_its_facts_and_is_not_shared(self, mock):
        error = ConnectionLostError("the cable was cut", outcome=Outcome.NOT_SENT)
        mock.allow("payment_methods.list", error)
        with pytest.raises(ConnectionLostError, match="the cable was cut") as caught:
            await mock.client(retry=ONCE).payment_methods.list("cus_1")
        assert caught.value is not error
        assert caught.value.outcome is Outcome.NOT_SENT
        assert error.attempts == ()

    async def test_a_failure_is_retried_as_in_life(self, mock):
        mock.expect("payment_methods.retrieve", ConnectError, payment_method("pm_1"))
        with VirtualClock():
            method = await mock.client().payment_methods.retrieve("pm_1")
        (attempt,) = method.response.earlier_attempts
        assert attempt.error == "ConnectError"

    async def test_a_create_with_an_unknown_outcome_is_not(self, mock):
        mock.expect("payment_methods.create", ConnectionLostError)
        with pytest.raises(ConnectionLostError):
            await mock.client().payment_methods.create("cus_1", CARD)
        assert len(mock.requests) == 1


class TestTime:
    async def test_retry_after_is_waited_for(self, mock):
        mock.expect(
            "payment_methods.list", Answer.rate_limited(retry_after=20), payment_method_list()
        )
        with VirtualClock() as clock:
            await mock.client().payment_methods.list("cus_1")
        assert 20 <= clock.elapsed < 30

    async def test_no_answer_ends_at_the_attempt_timeout(self, mock):
        mock.allow("payment_methods.list", Answer.never())
        client = mock.client(attempt_timeout=4, deadline=100)
        with VirtualClock() as clock, pytest.raises(AttemptTimeout) as caught:
            await client.payment_methods.list("cus_1")
        assert len(caught.value.attempts) == 3
        assert 12 <= clock.elapsed < 20
        assert 12 <= caught.value.elapsed < 20

    async def test_or_at_the_deadline(self, mock):
        mock.allow("payment_methods.list", Answer.never())
        client = mock.client(attempt_timeout=10, deadline=15)
        with VirtualClock() as clock, pytest.raises(DeadlineExceeded) as caught:
            await client.payment_methods.list("cus_1")
        assert caught.value.outcome is Outcome.UNKNOWN
        assert 15 <= clock.elapsed < 20

    async def test_a_slow_answer_is_in_time_or_not(self, mock):
        slow = Answer.json(payment_method_list(), delay=3)
        mock.expect("payment_methods.list", slow, slow)
        with VirtualClock() as clock:
            await mock.client().payment_methods.list("cus_1")
            assert 3 <= clock.elapsed < 10
            with pytest.raises(AttemptTimeout):
                await mock.client(attempt_timeout=2, retry=ONCE).payment_methods.list("cus_1")

    async def test_a_deadline_that_has_passed_sends_nothing(self, mock):
        with pytest.raises(DeadlineExceeded) as caught:
            await mock.client(deadline=1e-12).payment_methods.list("cus_1")
        assert caught.value.outcome is Outcome.NOT_SENT
        assert mock.requests == []

    async def test_a_stop_strategy_by_time_goes_by_the_same_clock(self, mock):
        mock.allow("payment_methods.list", ConnectError)
        policy = RetryPolicy(stop=stop_after_delay(100), wait=wait_fixed(30))
        client = mock.client(retry=policy, deadline=1000)
        with VirtualClock() as clock, pytest.raises(ConnectError) as caught:
            await client.payment_methods.list("cus_1")
        assert len(caught.value.attempts) == 5
        assert 120 <= clock.elapsed < 140

    async def test_a_function_of_the_test_may_raise_its_own_timeout(self, mock):
        def late(request):
            raise TimeoutError("mine")

        mock.expect("payment_methods.list", late)
        with pytest.raises(TimeoutError, match="mine"):
            await mock.client().payment_methods.list("cus_1")

    async def test_a_cancelled_call_leaves_nothing_behind(self, mock):
        mock.allow("payment_methods.list", Answer.never())
        task = asyncio.create_task(mock.client().payment_methods.list("cus_1"))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(mock.close(drain=120), 60)


class TestClosing:
    async def test_a_closed_client_refuses(self, mock):
        client = mock.client()
        await client.close()
        with pytest.raises(ClientClosedError) as caught:
            await client.payment_methods.list("cus_1")
        assert caught.value.outcome is Outcome.NOT_SENT

    async def test_what_is_under_way_may_end_in_its_time(self, mock):
        mock.expect("payment_methods.list", Answer.json(payment_method_list(), delay=3))
        client = mock.client()
        with VirtualClock():
            task = asyncio.create_task(client.payment_methods.list("cus_1"))
            await asyncio.sleep(1)
            await client.close(drain=5)
            assert task.done()
            assert len(await task) == 0

    async def test_or_is_cut_off(self, mock):
        mock.expect("payment_methods.list", Answer.json(payment_method_list(), delay=30))
        client = mock.client()
        with VirtualClock():
            task = asyncio.create_task(client.payment_methods.list("cus_1"))
            await asyncio.sleep(1)
            await client.close(drain=5)
            with pytest.raises(ClientClosedError) as caught:
                await task
        assert caught.value.outcome is Outcome.UNKNOWN


class TestVerify:
    async def test_an_expectation_that_was_not_met_is_named_with_its_count(self, mock):
        mock.expect("payment_methods.list", {}, {}, {})
        mock.allow("payment_methods.retrieve", {})
        with pytest.raises(AssertionError, match=r"never came: payment_methods\.list, 3 more"):
            mock.verify()

    async def test_an_unexpected_call_is_reported_though_the_code_swallows_it(self, mock):
        with suppress(Exception):
            await mock.client().payment_methods.list("cus_1")
        with pytest.raises(AssertionError, match=r"unexpected: payment_methods\.list"), mock:
            pass

    async def test_the_block_does_not_hide_another_failure(self, mock):
        mock.expect("payment_methods.list", {})
        with pytest.raises(KeyError), mock:
            raise KeyError

    @pytest.mark.parametrize(
        ("step", "message"),
        [
            (NotFound, r"NotFound is made of an answer: .*Answer\.error\(404"),
            (ServerError("no"), "ServerError is made of an answer"),
            (ResponseDecodingError, r"Answer\.bad_json\(\)"),
            (503, "not int"),
            ("text", "not str"),
            (None, "not NoneType"),
            (Answer, "an object of Answer, not the class"),
            (dict, "an object of dict, not the class"),
        ],
    )
    def test_what_is_no_step_is_refused(self, mock, step, message):
        with pytest.raises(TypeError, match=message):
            mock.expect("payment_methods.list", step)

    async def test_what_a_function_returns_is_checked_too(self, mock):
        mock.expect("payment_methods.list", lambda request: 503)
        with pytest.raises(TypeError, match="not int"):
            await mock.client().payment_methods.list("cus_1")

    def test_no_step_is_refused(self, mock):
        with pytest.raises(ValueError, match="needs an answer"):
            mock.expect("payment_methods.list")


async def test_secrets_stay_masked(mock):
    mock.expect("payment_methods.create", payment_method("pm_1"))
    client = PerfectPay("snd_planted_77", base_url="https://api.example.com", transport=mock)
    await client.payment_methods.create("cus_1", CARD)
    (request,) = mock.requests
    assert request.headers["api-key"] == "snd_planted_77"
    assert json.loads(request.body)["payment_method_data"]["card"]["card_cvc"] == "946"
    shown = f"{request!r} {vars(mock)!r}"
    for planted in ("snd_planted_77", "4242424242424242"):
        assert planted not in shown
    assert not re.search(r"\b946\b", shown)  # an address may have these digits in it
