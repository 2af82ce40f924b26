"""The middlewares that make spans and metrics, at both levels of the pipeline.

A call is an INTERNAL span and only an attempt is a CLIENT span, because an attempt is what the
conventions describe: one request on the wire, with `http.request.resend_count`. Two CLIENT spans
inside each other would make a backend count every request twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from attrs import define, field
from opentelemetry.metrics import MeterProvider, get_meter
from opentelemetry.trace import Span, SpanKind, StatusCode, TracerProvider, get_tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from perfectpay_async._version import __version__
from perfectpay_async.errors import PerfectPayError
from perfectpay_async.http.pipeline import Middleware, Next
from perfectpay_async.messages import Request, Response
from perfectpay_async.resilience.budget import RetryBudget

_SCHEMA: Final = "https://opentelemetry.io/schemas/1.23.1"  # where the HTTP conventions got stable
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_LONG_BUCKETS: Final = (*_BUCKETS, 15, 30, 60)
_FIRST_ERROR: Final = 400
# Baggage stays here: it is the application's own, and the server is somebody else's.
_PROPAGATOR: Final = TraceContextTextMapPropagator()


@define
class _Ending:
    """How a call or an attempt ended: a cancellation, unless something else is put in."""

    error: str | None = "CancelledError"
    facts: dict[str, str | int] = field(factory=dict[str, str | int])

    @property
    def attributes(self) -> dict[str, str | int]:
        return self.facts if self.error is None else {**self.facts, "error.type": self.error}


class Telemetry:
    """Spans and metrics of one client.

    Args:
        budget: The client's retry budget.
        tracer_provider: Where spans go; the global one by default.
        meter_provider: Where metrics go; the global one by default.
    """

    def __init__(
        self,
        budget: RetryBudget,
        tracer_provider: TracerProvider | None,
        meter_provider: MeterProvider | None,
    ) -> None:
        self._budget = budget
        self._tracer = get_tracer("perfectpay_async", __version__, tracer_provider, _SCHEMA)
        meter = get_meter("perfectpay_async", __version__, meter_provider, _SCHEMA)
        self._request_duration = meter.create_histogram(
            "http.client.request.duration",
            "s",
            "Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self._call_duration = meter.create_histogram(
            "perfectpay.client.call.duration",
            "s",
            "Duration of calls, with all attempts and waits.",
            explicit_bucket_boundaries_advisory=_LONG_BUCKETS,
        )
        self._wait = meter.create_histogram(
            "perfectpay.client.rate_limit.wait",
            "s",
            "Time that the client's own rate limit held an attempt back.",
            explicit_bucket_boundaries_advisory=_LONG_BUCKETS,
        )
        self._retries = meter.create_counter(
            "perfectpay.client.retries", "{retry}", "Attempts behind the first one of a call."
        )
        self._tokens = meter.create_gauge(
            "perfectpay.client.retry_budget.available", "{token}", "Tokens left for retries."
        )

    async def call(self, request: Request, call_next: Next) -> Response:
        """Send the request on in a span of the whole call."""
        attributes = {"perfectpay.operation": request.operation.name, **_server(request)}
        now = asyncio.get_running_loop().time
        ending = _Ending()
        try:
            with self._span(request.operation.name, SpanKind.INTERNAL, attributes, ending) as span:
                try:
                    response = await call_next(request)
                except PerfectPayError as error:
                    span.set_attribute("perfectpay.attempts", len(error.attempts))
                    raise
                ending.error = None
                span.set_attribute("perfectpay.attempts", len(response.earlier_attempts) + 1)
                return response
        finally:
            taken = now() - request.started
            self._call_duration.record(taken, {**attributes, **ending.attributes})
            self._tokens.set(self._budget.available, _server(request))

    async def attempt(self, request: Request, call_next: Next) -> Response:
        """Send the request on in a span of its own, with the trace context in its headers."""
        method, route = request.operation.method, request.operation.route
        attributes: dict[str, str | int] = {"http.request.method": method, **_server(request)}
        name = method
        if route.startswith("/"):  # a route that is not modelled has no template
            attributes["url.template"] = route
            name = f"{method} {route}"
        resent: dict[str, str | int] = {}
        if request.attempt > 1:
            resent = {"http.request.resend_count": request.attempt - 1}
            operation = {"perfectpay.operation": request.operation.name}
            self._retries.add(1, {**operation, **_server(request)})
        now = asyncio.get_running_loop().time
        began = now()
        ending = _Ending()
        try:
            with self._span(name, SpanKind.CLIENT, attributes | resent, ending) as span:
                response = await call_next(_with_context(request))
                status = response.status
                ending.error = str(status) if status >= _FIRST_ERROR else None
                ending.facts = {"http.response.status_code": status}
                if response.request_id is not None:
                    span.set_attribute("http.response.header.x-request-id", [response.request_id])
                return response
        finally:
            self._request_duration.record(now() - began, attributes | ending.attributes)

    def held_back_by(self, limit: Middleware) -> Middleware:
        """Return a rate limit that records how long each attempt waits in it."""

        async def measured(request: Request, call_next: Next) -> Response:
            now = asyncio.get_running_loop().time
            began = now()
            attributes = {"perfectpay.operation": request.operation.name, **_server(request)}
            admitted = False

            async def admit(request: Request) -> Response:
                nonlocal admitted
                admitted = True
                self._wait.record(now() - began, attributes)
                return await call_next(request)

            try:
                return await limit(request, admit)
            finally:
                if not admitted:
                    self._wait.record(now() - began, attributes)

        return measured

    @contextmanager
    def _span(
        self, name: str, kind: SpanKind, attributes: dict[str, str | int], ending: _Ending
    ) -> Generator[Span]:
        # The text of an exception may quote the server, so it is not recorded.
        with self._tracer.start_as_current_span(
            name,
            kind=kind,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except PerfectPayError as error:
                ending.error = type(error).__name__
                ending.facts = _facts(error)
                raise
            except Exception as error:
                ending.error = type(error).__name__
                raise
            finally:
                span.set_attributes(ending.attributes)
                if ending.error is not None:
                    span.set_status(StatusCode.ERROR)


def unseen_by_others() -> tuple[Middleware, ...]:
    """Return what holds off the instrumentation of aiohttp, where there is one.

    Its span would count an attempt a second time, and show the whole URL, which holds ids.
    """
    try:
        from opentelemetry.instrumentation.utils import suppress_instrumentation
    except ModuleNotFoundError:
        return ()

    async def unseen(request: Request, call_next: Next) -> Response:
        with suppress_instrumentation():
            return await call_next(request)

    return (unseen,)


def chained(outer: Middleware, inner: Middleware) -> Middleware:
    """Return two middlewares as one."""
    return lambda request, call_next: outer(request, lambda request: inner(request, call_next))


def _server(request: Request) -> dict[str, str | int]:
    server: dict[str, str | int] = {"server.address": request.url.host or ""}
    if request.url.port is not None:
        server["server.port"] = request.url.port
    return server


def _facts(error: PerfectPayError) -> dict[str, str | int]:
    facts: dict[str, str | int] = {"perfectpay.outcome": error.outcome.value}
    if error.gave_up is not None:
        facts["perfectpay.gave_up"] = error.gave_up.value
    if error.status is not None:
        facts["http.response.status_code"] = error.status
    return facts


def _with_context(request: Request) -> Request:
    headers: dict[str, str] = {}
    _PROPAGATOR.inject(headers)
    for name, value in headers.items():
        request = request.with_header(name, value)
    return request
