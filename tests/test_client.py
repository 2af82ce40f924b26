import asyncio
import math
import pickle
import traceback

import pytest
from yarl import URL

from perfectpay_async import (
    ConfigurationError,
    InvalidRequestError,
    Middlewares,
    NotFound,
    Outcome,
    PerfectPay,
    RequestOptions,
    Response,
    RetryBudget,
    RetryPolicy,
    Secret,
    ServerError,
    pass_through,
)

ROOT = "http://127.0.0.1:9"
METHOD = {"payment_method_id": "pm_1"}


class Answers:
    """A transport that answers from a list and keeps what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.closed = 0

    async def send(self, request):
        self.requests.append(request)
        status, body = (
            self.answers.pop(0) if self.answers else (200, b'{"payment_method_id":"pm_1"}')
        )
        return Response(status, {}, body, 0.0, request)

    async def close(self, *, drain=0.0):
        self.closed += 1
        self.drained = drain


def make(transport, **settings):
    settings.setdefault("base_url", ROOT)
    settings.setdefault("retry", RetryPolicy(wait=lambda state: 0.0))
    return PerfectPay("snd_key", transport=transport, **settings)


class TestSettings:
    @pytest.mark.parametrize(
        ("settings", "sentence"),
        [
            ({"api_key": ""}, "api_key must be a non-empty string"),
            ({"environment": None}, "choose where to send the calls"),
            ({"environment": "live"}, "environment must be"),
            ({"deadline": 0}, "deadline must be a number of seconds above 0"),
            ({"deadline": "10"}, "deadline must be a number of seconds above 0"),
            ({"attempt_timeout": math.nan}, "attempt_timeout must be a number"),
            ({"attempt_timeout": True}, "attempt_timeout must be a number"),
            ({"dialect": "stripe"}, "dialect must be 'perfectpay' or 'hyperswitch'"),
            ({"max_connections": 0}, "max_connections must be a whole number from 1"),
            ({"connect_timeout": -1}, "connect_timeout must be a number of seconds above 0"),
            ({"rate_limit": 40}, "rate_limit must be a RateLimit, such as"),
            ({"middlewares": [len]}, "middlewares must be a Middlewares, such as"),
        ],
    )
    def test_each_rule_has_its_sentence(self, settings, sentence):
        with pytest.raises(ConfigurationError, match=sentence):
            PerfectPay(**{"api_key": "snd_key", "environment": "sandbox", **settings})

    async def test_an_endless_deadline_can_be_asked_for(self):
        transport = Answers()
        await make(transport, deadline=math.inf).payment_methods.retrieve("pm_1")
        assert transport.requests[0].deadline == math.inf


class TestFromEnv:
    @pytest.fixture(autouse=True)
    def clean(self, monkeypatch):
        for name in ("API_KEY", "BASE_URL", "ENVIRONMENT"):
            monkeypatch.delenv(f"PERFECTPAY_{name}", raising=False)

    def test_key_and_environment(self, monkeypatch):
        monkeypatch.setenv("PERFECTPAY_API_KEY", "snd_key")
        monkeypatch.setenv("PERFECTPAY_ENVIRONMENT", "production")
        assert repr(PerfectPay.from_env()) == "<PerfectPay https://api.perfectpay.ai>"

    def test_an_address_wins_over_the_environment_and_arguments_over_both(self, monkeypatch):
        monkeypatch.setenv("PERFECTPAY_API_KEY", "snd_key")
        monkeypatch.setenv("PERFECTPAY_ENVIRONMENT", "production")
        monkeypatch.setenv("PERFECTPAY_BASE_URL", ROOT)
        assert ROOT in repr(PerfectPay.from_env())
        assert "sandbox" in repr(PerfectPay.from_env(environment="sandbox"))

    def test_a_missing_key_is_named(self):
        with pytest.raises(ConfigurationError, match="PERFECTPAY_API_KEY is not set"):
            PerfectPay.from_env(environment="sandbox")

    @pytest.mark.parametrize("make", [PerfectPay, PerfectPay.from_env])
    def test_no_frame_of_a_refusal_shows_the_key(self, make):
        with pytest.raises(ConfigurationError) as caught:
            make(api_key="snd_planted_83613", base_url="http://example.com")
        stack = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
        frames = [frame for frame in stack if "/tests/" not in frame.filename]
        assert frames
        assert "snd_planted_83613" not in "".join(str(frame.locals) for frame in frames)

    def test_a_missing_address_is_named(self, monkeypatch):
        monkeypatch.setenv("PERFECTPAY_API_KEY", "snd_key")
        with pytest.raises(ConfigurationError, match="choose where to send the calls"):
            PerfectPay.from_env()


class TestPathOfACall:
    async def test_the_levels_run_in_the_documented_order(self):
        trace = []

        def note(name):
            async def middleware(request, call_next):
                keys = {"api-key", "Idempotency-Key"} & request.headers.keys()
                trace.append((name, request.attempt, sorted(keys)))
                return await call_next(request)

            return middleware

        transport = Answers((503, b""))
        client = make(
            transport, middlewares=Middlewares(call=[note("call")], attempt=[note("attempt")])
        )
        await client.payment_methods.update("pm_1", nick_name="x")
        assert trace == [
            ("call", 1, ["Idempotency-Key"]),
            ("attempt", 1, ["Idempotency-Key", "api-key"]),
            ("attempt", 2, ["Idempotency-Key", "api-key"]),
        ]

    async def test_the_attempt_level_sees_error_answers_and_the_call_level_errors(self):
        seen = []

        async def call(request, call_next):
            try:
                return await call_next(request)
            except ServerError as error:
                seen.append(error.status)
                raise

        async def attempt(request, call_next):
            response = await call_next(request)
            seen.append(response.status)
            return response

        client = make(Answers((501, b"")), middlewares=Middlewares(call=[call], attempt=[attempt]))
        with pytest.raises(ServerError):
            await client.payment_methods.retrieve("pm_1")
        assert seen == [501, 501]

    async def test_headers_added_on_an_attempt_do_not_pile_up(self):
        async def tag(request, call_next):
            assert "X-Tag" not in request.headers
            return await call_next(request.with_header("X-Tag", str(request.attempt)))

        transport = Answers((503, b""), (503, b""))
        client = make(transport, middlewares=Middlewares(attempt=[tag]))
        await client.payment_methods.retrieve("pm_1")
        assert [request.headers["X-Tag"] for request in transport.requests] == ["1", "2", "3"]

    async def test_every_default_can_be_dropped_or_replaced(self):
        async def signed(request, call_next):
            return await call_next(request.with_header("X-Signature", "abc"))

        transport = Answers((503, b""))
        client = make(
            transport,
            middlewares=Middlewares(
                auth=signed, idempotency=pass_through, retry=pass_through, logging=pass_through
            ),
        )
        with pytest.raises(ServerError) as caught:
            await client.payment_methods.update("pm_1", nick_name="x")
        (request,) = transport.requests
        assert request.headers["X-Signature"] == "abc"
        assert not {"api-key", "Idempotency-Key"} & request.headers.keys()
        assert caught.value.operation == "payment_methods.update"

    async def test_the_key_may_come_from_an_async_function(self):
        async def provide():
            return Secret("snd_rotated")

        transport = Answers()
        client = PerfectPay(provide, base_url=ROOT, transport=transport)
        await client.payment_methods.retrieve("pm_1")
        assert transport.requests[0].headers["api-key"] == "snd_rotated"

    async def test_retry_after_reaches_the_error(self):
        class Throttling(Answers):
            async def send(self, request):
                return Response(429, {"retry-after": "90"}, b"slow down", 0.0, request)

        with pytest.raises(Exception, match="slow down") as caught:
            await make(Throttling()).payment_methods.retrieve("pm_1")
        assert caught.value.retry_after == 90

    async def test_the_budget_is_shared_and_readable(self):
        client = make(Answers((503, b"")), retry_budget=RetryBudget(available=20))
        await client.payment_methods.retrieve("pm_1")
        view = client.with_options(deadline=1)
        assert view.retry_budget is client.retry_budget
        assert (client.retry_budget.available, client.retry_budget.retries) == (20, 1)


class TestOptions:
    async def test_a_view_shares_everything_but_its_defaults(self):
        transport = Answers()
        client = make(transport)
        view = client.with_options(deadline=2.0, headers={"Accept-Language": "de"})
        await client.payment_methods.retrieve("pm_1")
        await view.payment_methods.retrieve("pm_1")
        first, second = transport.requests
        assert first.deadline - first.started == pytest.approx(30.0)
        assert second.deadline - second.started == pytest.approx(2.0)
        assert "Accept-Language" not in first.headers
        assert second.headers["Accept-Language"] == "de"

    async def test_options_of_a_call_win_over_the_view(self):
        transport = Answers((503, b""))
        view = make(transport).with_options(deadline=2.0, attempt_timeout=1.0)
        options = RequestOptions(deadline=5.0, retry=RetryPolicy(stop=lambda state: True))
        with pytest.raises(ServerError):
            await view.payment_methods.retrieve("pm_1", options=options)
        (request,) = transport.requests
        assert request.deadline - request.started == pytest.approx(5.0)
        assert request.attempt_timeout == 1.0

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"deadline": -1}, "deadline must be"),
            ({"retry": 5}, "retry must be a RetryPolicy"),
            ({"idempotency_key": ""}, "idempotency_key must be"),
            ({"idempotency_key": "a\nb"}, "idempotency_key must be"),
            ({"headers": {"Authorization": "x"}}, "Authorization is set by the client itself"),
            ({"headers": {"API-Key": "x"}}, "API-Key is set by the client itself"),
            (
                {"headers": {"Transfer-Encoding": "chunked"}},
                "Transfer-Encoding is set by the client",
            ),
            ({"headers": {"expect": "100-continue"}}, "expect is set by the client itself"),
            ({"headers": {"X-A": "a\r\nX-B: b"}}, "without line ends"),
            ({"headers": {"X A": "a"}}, "without line ends"),
        ],
    )
    def test_each_rule_has_its_sentence(self, options, sentence):
        with pytest.raises(ConfigurationError, match=sentence):
            RequestOptions(**options)


class TestRequest:
    async def test_an_unmodelled_route_passes_the_whole_pipeline(self):
        transport = Answers((200, b'{"customer_id":"cus_1"}'))
        client = make(transport, base_url=f"{ROOT}/prefix")
        response = await client.request(
            "post", "/customers/ä b", json={"name": "Ada"}, query={"limit": "2"}
        )
        assert response.json() == {"customer_id": "cus_1"}
        (request,) = transport.requests
        assert request.url == URL(f"{ROOT}/prefix/customers/%C3%A4%20b?limit=2", encoded=True)
        assert request.body == b'{"name":"Ada"}'
        assert {"api-key", "Idempotency-Key", "Content-Type"} <= request.headers.keys()

    @pytest.mark.parametrize(
        ("method", "repeatable", "sent"), [("GET", None, 2), ("POST", None, 1), ("POST", True, 2)]
    )
    async def test_only_what_is_harmless_is_repeated(self, method, repeatable, sent):
        transport = Answers((503, b""))
        call = make(transport).request(method, "/x", repeatable=repeatable)
        if sent == 1:
            with pytest.raises(ServerError):
                await call
        else:
            await call
        assert len(transport.requests) == sent

    @pytest.mark.parametrize(
        ("method", "path", "json", "sentence"),
        [
            ("STEAL", "/x", None, "method must be one of"),
            ("GET", "x", None, "path must start with a slash"),
            ("GET", "//host/x", None, "path must start with a slash"),
            ("GET", "/a/../b", None, "path must start with a slash"),
            ("GET", "/x?a=1", None, "path must hold no query"),
            ("POST", "/x", object(), "values that JSON has"),
        ],
    )
    async def test_what_cannot_be_sent_is_refused(self, method, path, json, sentence):
        transport = Answers()
        with pytest.raises(InvalidRequestError, match=sentence) as caught:
            await make(transport).request(method, path, json=json)
        assert caught.value.outcome is Outcome.NOT_SENT
        assert not transport.requests

    async def test_an_error_names_no_path(self):
        with pytest.raises(NotFound) as caught:
            await make(Answers((404, b""))).request("GET", "/customers/cus_1")
        assert "cus_1" not in str(caught.value)


class TestLifecycle:
    async def test_leaving_the_block_closes_the_transport(self):
        transport = Answers()
        async with make(transport):
            assert transport.closed == 0
        assert transport.closed == 1

    async def test_the_time_to_drain_is_passed_on(self):
        transport = Answers()
        await make(transport).close(drain=2.5)
        assert transport.drained == 2.5

    def test_a_client_is_not_pickled(self):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(make(Answers()))

    async def test_a_cancelled_call_ends_at_once(self):
        class Silent(Answers):
            async def send(self, request):
                await asyncio.Event().wait()

        task = asyncio.create_task(make(Silent()).payment_methods.retrieve("pm_1"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
