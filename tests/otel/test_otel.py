import asyncio
import json
import re
import subprocess
import sys
from contextlib import suppress
from itertools import pairwise

import aiohttp
import pytest
from opentelemetry import baggage, context
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from perfectpay_async import (
    AttemptTimeout,
    CardExpiry,
    ConnectError,
    DeadlineExceeded,
    Middlewares,
    NewCard,
    NotFound,
    PerfectPay,
    PerfectPayError,
    RateLimit,
    RetryBudget,
    RetryPolicy,
    ServerError,
    UnexpectedRedirect,
    WaitFullJitter,
    pass_through,
)
from perfectpay_async.otel import instrumented
from perfectpay_async.sandbox import Fault
from perfectpay_async.testing import Answer, VirtualClock, payment_method, payment_method_list

EMPTY = payment_method_list()


def extras(record):
    return {name: value for name, value in vars(record).items() if name.startswith("perfectpay")}


QUICK = RetryPolicy(wait=WaitFullJitter(base=0.001))
RETRIEVE = "GET /payment_methods/{payment_method_id}"


class Telemetry:
    """What an SDK was given: finished spans and metric points."""

    def __init__(self):
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])

    def settings(self, **own):
        return instrumented(tracer_provider=self.tracers, meter_provider=self.meters, **own)

    @property
    def spans(self):
        return self.exporter.get_finished_spans()

    def of_kind(self, kind):
        return [span for span in self.spans if span.kind is kind]

    def metrics(self):
        data = self.reader.get_metrics_data()
        return {
            metric.name: metric
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def points(self, name):
        return list(self.metrics()[name].data.data_points)

    def everything(self):
        data = self.reader.get_metrics_data()
        return "".join(span.to_json() for span in self.spans) + (data.to_json() if data else "")


@pytest.fixture
def telemetry():
    return Telemetry()


@pytest.fixture
async def client(telemetry, perfectpay_sandbox):
    perfectpay_sandbox.seed_customer("cus_1")
    async with PerfectPay(
        perfectpay_sandbox.api_key,
        base_url=perfectpay_sandbox.url,
        retry=QUICK,
        **telemetry.settings(),
    ) as client:
        yield client


@pytest.fixture
def stalled(perfectpay_sandbox, perfectpay_faults):
    """From now on the server answers nothing; awaited, the function says when it has a request."""
    perfectpay_faults.add(Fault.stall(silent=True))

    async def has_a_request():
        while not perfectpay_sandbox.ledger.requests:  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0)

    return has_a_request


class TestSpans:
    async def test_a_success_is_a_call_with_one_attempt(
        self, client, telemetry, perfectpay_sandbox
    ):
        (name,) = perfectpay_sandbox.seed_cards(1)
        method = await client.payment_methods.retrieve(name)
        attempt, call = telemetry.spans
        port = int(perfectpay_sandbox.url.rpartition(":")[2])
        assert (call.name, call.kind) == ("payment_methods.retrieve", SpanKind.INTERNAL)
        assert dict(call.attributes) == {
            "perfectpay.operation": "payment_methods.retrieve",
            "perfectpay.attempts": 1,
            "server.address": "127.0.0.1",
            "server.port": port,
        }
        assert (attempt.name, attempt.kind) == (RETRIEVE, SpanKind.CLIENT)
        assert dict(attempt.attributes) == {
            "http.request.method": "GET",
            "http.response.header.x-request-id": (method.response.request_id,),
            "http.response.status_code": 200,
            "server.address": "127.0.0.1",
            "server.port": port,
            "url.template": "/payment_methods/{payment_method_id}",
        }
        assert attempt.parent.span_id == call.context.span_id
        assert call.parent is None
        assert {call.status.status_code, attempt.status.status_code} == {StatusCode.UNSET}
        assert call.start_time <= attempt.start_time <= attempt.end_time <= call.end_time

    async def test_a_retried_503_counts_its_resends(self, client, telemetry, perfectpay_faults):
        perfectpay_faults.add(Fault.status(503, operation="payment_methods.list", times=2))
        await client.payment_methods.list("cus_1")
        *attempts, call = telemetry.spans
        assert call.attributes["perfectpay.attempts"] == 3
        assert call.status.status_code is StatusCode.UNSET
        seen = [
            (
                span.attributes.get("http.request.resend_count"),
                span.attributes["http.response.status_code"],
                span.attributes.get("error.type"),
                span.status.status_code,
            )
            for span in attempts
        ]
        assert seen == [
            (None, 503, "503", StatusCode.ERROR),
            (1, 503, "503", StatusCode.ERROR),
            (2, 200, None, StatusCode.UNSET),
        ]
        assert {span.parent.span_id for span in attempts} == {call.context.span_id}

    async def test_a_failure_says_its_outcome_and_no_text(self, client, telemetry):
        with pytest.raises(NotFound):
            await client.payment_methods.retrieve("pm_gone")
        attempt, call = telemetry.spans
        assert attempt.attributes["error.type"] == "404"
        assert "perfectpay.attempts" not in attempt.attributes
        assert call.attributes["perfectpay.attempts"] == 1
        assert call.attributes["error.type"] == "NotFound"
        assert call.attributes["perfectpay.outcome"] == "refused"
        assert call.attributes["perfectpay.gave_up"] == "not_retryable"
        assert call.attributes["http.response.status_code"] == 404
        for span in (attempt, call):
            assert span.status.status_code is StatusCode.ERROR
            assert span.status.description is None
            assert span.events == ()

    async def test_a_timeout(self, client, telemetry, stalled, clock):
        once = client.with_options(attempt_timeout=5, retry=RetryPolicy(stop=lambda _: True))
        call = asyncio.create_task(once.payment_methods.list("cus_1"))
        await stalled()
        clock.advance(5)
        with pytest.raises(AttemptTimeout):
            await call
        attempt, call = telemetry.spans
        assert attempt.attributes["error.type"] == "AttemptTimeout"
        assert attempt.attributes["perfectpay.outcome"] == "unknown"
        assert "http.response.status_code" not in attempt.attributes
        assert call.attributes["error.type"] == "AttemptTimeout"

    async def test_a_cancelled_call_ends_both_spans(self, client, telemetry, stalled):
        call = asyncio.create_task(client.payment_methods.list("cus_1"))
        await stalled()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        attempt, call = telemetry.spans
        for span in (attempt, call):
            assert span.attributes["error.type"] == "CancelledError"
            assert span.status.status_code is StatusCode.ERROR
        (point,) = telemetry.points("perfectpay.client.call.duration")
        assert point.attributes["error.type"] == "CancelledError"

    async def test_concurrent_calls_have_their_own_parents(
        self, client, telemetry, perfectpay_sandbox, perfectpay_faults
    ):
        perfectpay_faults.add(Fault.status(503, probability=0.3))
        ids = perfectpay_sandbox.seed_cards(20)
        tracer = telemetry.tracers.get_tracer("test")

        async def handle(name):
            with tracer.start_as_current_span("handler") as span:
                with suppress(ServerError):
                    await client.payment_methods.retrieve(name)
                return span.get_span_context().span_id

        handlers = await asyncio.gather(*map(handle, ids))
        calls = {
            span.context.span_id: span
            for span in telemetry.of_kind(SpanKind.INTERNAL)
            if span.name != "handler"
        }
        assert sorted(span.parent.span_id for span in calls.values()) == sorted(handlers)
        attempts = telemetry.of_kind(SpanKind.CLIENT)
        assert len(attempts) > 20
        for span_id, call in calls.items():
            own = [span for span in attempts if span.parent.span_id == span_id]
            assert len(own) == call.attributes["perfectpay.attempts"]
            assert {span.context.trace_id for span in own} == {call.context.trace_id}
            counts = [span.attributes.get("http.request.resend_count", 0) for span in own]
            assert counts == list(range(len(own)))

    async def test_a_route_that_is_not_modelled_has_no_template(self, client, telemetry):
        await client.request("GET", "/customers/cus_1")
        attempt, call = telemetry.spans
        assert (attempt.name, call.name) == ("GET", "request")
        assert "url.template" not in attempt.attributes

    async def test_a_redirect_is_an_error_of_the_call(self, client, telemetry, perfectpay_faults):
        perfectpay_faults.add(Fault.redirect("https://elsewhere.example"))
        with pytest.raises(UnexpectedRedirect):
            await client.payment_methods.list("cus_1")
        attempt, call = telemetry.spans
        assert attempt.status.status_code is StatusCode.UNSET
        assert call.attributes["error.type"] == "UnexpectedRedirect"

    async def test_an_error_of_a_middleware_of_your_own(self, telemetry, perfectpay_mock):
        async def broken(request, call_next):
            raise KeyError("pm_planted")

        settings = telemetry.settings(middlewares=Middlewares(call=[broken]))
        with pytest.raises(KeyError):
            await perfectpay_mock.client(**settings).payment_methods.list("cus_1")
        (call,) = telemetry.spans
        assert call.attributes["error.type"] == "KeyError"
        assert "pm_planted" not in telemetry.everything()


class TestContext:
    async def test_each_attempt_sends_its_own_span_and_no_baggage(self, telemetry, perfectpay_mock):
        perfectpay_mock.expect(
            "payment_methods.retrieve", Answer.error(503), payment_method("pm_1")
        )
        token = context.attach(baggage.set_baggage("user", "planted_user"))
        try:
            with VirtualClock():
                client = perfectpay_mock.client(**telemetry.settings())
                await client.payment_methods.retrieve("pm_1")
        finally:
            context.detach(token)
        attempts = telemetry.of_kind(SpanKind.CLIENT)
        for request, span in zip(perfectpay_mock.requests, attempts, strict=True):
            expected = f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-0"
            assert request.headers["traceparent"].startswith(expected)
            assert "baggage" not in request.headers
            assert "planted_user" not in str(dict(request.headers))
        assert "planted_user" not in telemetry.everything()

    async def test_without_an_sdk_nothing_is_sent_and_nothing_breaks(self, perfectpay_mock):
        perfectpay_mock.expect("payment_methods.retrieve", payment_method("pm_1"))
        await perfectpay_mock.client(**instrumented()).payment_methods.retrieve("pm_1")
        assert "traceparent" not in perfectpay_mock.requests[0].headers

    async def test_log_lines_are_written_inside_the_span_of_the_call(
        self, telemetry, perfectpay_mock
    ):
        from opentelemetry.trace import get_current_span

        seen = []

        async def logging(request, call_next):
            seen.append(get_current_span().name)
            return await call_next(request)

        perfectpay_mock.expect("payment_methods.retrieve", payment_method("pm_1"))
        settings = telemetry.settings(middlewares=Middlewares(logging=logging))
        await perfectpay_mock.client(**settings).payment_methods.retrieve("pm_1")
        assert seen == ["payment_methods.retrieve"]

    async def test_your_own_middlewares_run_inside_and_stay(self, telemetry, perfectpay_mock):
        seen = []

        async def call(request, call_next):
            seen.append("call")
            return await call_next(request)

        async def attempt(request, call_next):
            seen.append(sorted({"traceparent", "api-key", "Idempotency-Key"} & {*request.headers}))
            return await call_next(request)

        chosen = Middlewares(call=[call], attempt=[attempt], idempotency=pass_through)
        perfectpay_mock.expect("payment_methods.update", payment_method("pm_1"))
        client = perfectpay_mock.client(**telemetry.settings(middlewares=chosen))
        await client.payment_methods.update("pm_1", nick_name="x")
        assert seen == ["call", ["api-key", "traceparent"]]


class TestMetrics:
    async def test_the_duration_of_requests_follows_the_conventions(
        self, client, telemetry, perfectpay_faults
    ):
        perfectpay_faults.add(Fault.status(503, operation="payment_methods.list", times=1))
        await client.payment_methods.list("cus_1")
        metric = telemetry.metrics()["http.client.request.duration"]
        assert metric.unit == "s"
        failed, succeeded = sorted(
            metric.data.data_points,
            key=lambda point: -point.attributes["http.response.status_code"],
        )
        assert failed.attributes["error.type"] == "503"
        assert dict(succeeded.attributes) == {
            "http.request.method": "GET",
            "http.response.status_code": 200,
            "server.address": "127.0.0.1",
            "server.port": failed.attributes["server.port"],
            "url.template": "/customers/{customer_id}/payment_methods",
        }
        assert succeeded.explicit_bounds == (
            0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
        )  # fmt: skip

    async def test_calls_and_retries(self, telemetry, perfectpay_mock):
        perfectpay_mock.expect("payment_methods.list", ConnectError, Answer.rate_limited(20), EMPTY)
        with VirtualClock():
            client = perfectpay_mock.client(deadline=100, **telemetry.settings())
            await client.payment_methods.list("cus_1")
        (call,) = telemetry.points("perfectpay.client.call.duration")
        assert call.count == 1
        assert 20 <= call.sum < 30
        assert call.attributes == {
            "perfectpay.operation": "payment_methods.list",
            "server.address": "127.0.0.1",
            "server.port": 80,
        }
        assert call.explicit_bounds[-3:] == (15, 30, 60)
        (retries,) = telemetry.points("perfectpay.client.retries")
        assert retries.value == 2
        assert retries.attributes == call.attributes

    async def test_the_retry_budget_is_seen_to_run_out(self, telemetry, perfectpay_mock):
        perfectpay_mock.allow("payment_methods.list", Answer.error(503))
        budget = RetryBudget(capacity=20)
        client = perfectpay_mock.client(**telemetry.settings(retry_budget=budget))
        assert client.retry_budget is budget
        with VirtualClock(), pytest.raises(ServerError):
            await client.payment_methods.list("cus_1")
        (tokens,) = telemetry.points("perfectpay.client.retry_budget.available")
        assert tokens.value == budget.available == 6
        (call,) = telemetry.points("perfectpay.client.call.duration")
        assert call.attributes["perfectpay.gave_up"] == "budget"
        assert call.attributes["perfectpay.outcome"] == "unknown"

    async def test_the_wait_for_the_rate_limit(self, telemetry, perfectpay_mock):
        perfectpay_mock.allow("payment_methods.list", EMPTY)
        settings = telemetry.settings(rate_limit=RateLimit(requests_per_second=0.1))
        with VirtualClock():
            client = perfectpay_mock.client(deadline=15, **settings)
            first, second, third = await asyncio.gather(
                *(client.payment_methods.list("cus_1") for _ in range(3)), return_exceptions=True
            )
        assert isinstance(third, DeadlineExceeded)
        assert (len(first), len(second)) == (0, 0)
        (wait,) = telemetry.points("perfectpay.client.rate_limit.wait")
        assert wait.count == 3
        assert 20 < wait.sum < 40  # the second's turn comes after 10 s, the third's deadline is 15
        requests = telemetry.points("http.client.request.duration")
        assert sum(point.count for point in requests) == 2
        assert sum(point.sum for point in requests) < 8

    async def test_without_a_rate_limit_there_is_none(self, telemetry):
        assert telemetry.settings()["rate_limit"] is None

    async def test_two_clients_share_the_instruments_in_silence(
        self, telemetry, perfectpay_mock, caplog
    ):
        perfectpay_mock.allow("payment_methods.list", EMPTY)
        for _ in range(2):
            await perfectpay_mock.client(**telemetry.settings()).payment_methods.list("cus_1")
        (call,) = telemetry.points("perfectpay.client.call.duration")
        assert call.count == 2
        assert [record for record in caplog.records if "opentelemetry" in record.name] == []


class TestLeaks:
    async def test_nothing_that_is_planted_is_exported(
        self, telemetry, perfectpay_sandbox, perfectpay_faults, caplog
    ):
        caplog.set_level("DEBUG")
        key, holder, number = "snd_planted_key_61", "Planted Holder", "5555555555554444"
        perfectpay_sandbox.api_key = key
        perfectpay_sandbox.seed_customer("cus_planted")
        card = NewCard(number, CardExpiry(10, 2035), cvc="738", holder_name=holder)
        settings = telemetry.settings(rate_limit=RateLimit(10_000))
        async with PerfectPay(
            key, base_url=perfectpay_sandbox.url, retry=QUICK, **settings
        ) as client:

            async def all_operations():
                methods = client.payment_methods
                saved = await methods.create("cus_planted", card, metadata={"a": "planted_meta"})
                name = saved.payment_method_id
                await methods.list("cus_planted")
                await methods.update(name, nick_name="planted_nick")
                await client.request("GET", "/customers/cus_planted", query={"q": "planted_query"})
                await methods.delete(name)
                return name

            secret_ids = [await all_operations()]
            methods = client.with_options(attempt_timeout=0.1).payment_methods
            for fault in (
                Fault.status(503),
                Fault.status(500, body=f"no {number} {key} cus_planted"),
                Fault.reset_after(),
                Fault.stall(),
                Fault.bad_json(),
                Fault.status(404),
            ):
                perfectpay_faults.clear()
                perfectpay_faults.add(fault)
                for call in (
                    methods.retrieve("pm_planted"),
                    methods.list("cus_planted"),
                    methods.create("cus_planted", card),
                ):
                    with pytest.raises(PerfectPayError):
                        await call
        exported = telemetry.everything()
        assert exported.count("http.client.request.duration") == 1
        assert len(telemetry.spans) > 50
        everything = exported + caplog.text + json.dumps([extras(one) for one in caplog.records])
        planted = [key, number, holder, "pm_planted", "cus_planted", "planted_", *secret_ids]
        assert [value for value in planted if value in everything] == []
        assert not re.search(r"(?<![\w.-])738(?![\w.-])", everything)  # the CVC, not part of a time

    async def test_an_instrumented_aiohttp_adds_no_span_with_the_url(
        self, telemetry, perfectpay_sandbox
    ):
        (name,) = perfectpay_sandbox.seed_cards(1)
        AioHttpClientInstrumentor().instrument(tracer_provider=telemetry.tracers)
        try:
            async with PerfectPay(
                perfectpay_sandbox.api_key, base_url=perfectpay_sandbox.url, **telemetry.settings()
            ) as client:
                await client.payment_methods.retrieve(name)
            assert len(telemetry.spans) == 2
            assert name not in telemetry.everything()
            async with aiohttp.ClientSession() as session:
                await session.get(perfectpay_sandbox.url)
            assert len(telemetry.spans) == 3  # the application's own requests are seen as before
        finally:
            AioHttpClientInstrumentor().uninstrument()


def test_it_works_where_nothing_else_is_instrumented():
    script = (
        "import sys; sys.modules['opentelemetry.instrumentation'] = None\n"
        "from perfectpay_async.otel import instrumented; instrumented()"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


def test_the_client_never_imports_it():
    script = (
        "from perfectpay_async import PerfectPay; PerfectPay('snd_x', environment='sandbox')\n"
        "import sys; assert not [name for name in sys.modules if 'opentelemetry' in name]"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


async def test_attempts_of_a_call_do_not_overlap(client, telemetry, perfectpay_faults):
    perfectpay_faults.add(Fault.status(503, times=2))
    await client.payment_methods.list("cus_1")
    for earlier, later in pairwise(telemetry.of_kind(SpanKind.CLIENT)):
        assert earlier.end_time <= later.start_time
