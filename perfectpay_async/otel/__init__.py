"""OpenTelemetry: spans of calls and attempts, metrics, and the trace context for the server.

It needs the extra `otel`, which is the OpenTelemetry API alone: without an SDK set up by the
application nothing is recorded. The rest of the library never imports this.

Examples:
    >>> async def main():
    ...     async with PerfectPay.from_env(**instrumented()) as client:
    ...         return await client.payment_methods.list("cus_1")
"""

from __future__ import annotations

from typing import TypedDict

from attrs import evolve
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from perfectpay_async.http.pipeline import Middleware, Middlewares
from perfectpay_async.middleware import LogCalls
from perfectpay_async.resilience.budget import RetryBudget

from .telemetry import Telemetry, chained, unseen_by_others

__all__ = ["Instrumented", "instrumented"]


class Instrumented(TypedDict):
    """Settings of `PerfectPay`, as `instrumented` gives them back."""

    middlewares: Middlewares
    rate_limit: Middleware | None
    retry_budget: RetryBudget


def instrumented(
    *,
    middlewares: Middlewares | None = None,
    rate_limit: Middleware | None = None,
    retry_budget: RetryBudget | None = None,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
) -> Instrumented:
    """Return settings that make a client report to OpenTelemetry: `PerfectPay(..., **settings)`.

    Settings of the client that telemetry has to see are given here instead, and come back with it
    in place. Each call is a span of kind INTERNAL around everything, its log lines included; each
    attempt is a span of kind CLIENT after the semantic conventions for HTTP, inside the retries,
    the rate limit and the auth. No id of an object, key, card value, header or body becomes an
    attribute, and baggage is neither read nor sent on.

    Args:
        middlewares: Your own middlewares.
        rate_limit: The client's rate limit; the time that is spent in it becomes a metric.
        retry_budget: The client's retry budget; the tokens left in it become a metric.
        tracer_provider: Where spans go; the global one by default.
        meter_provider: Where metrics go; the global one by default.
    """
    chosen = middlewares or Middlewares()
    budget = retry_budget or RetryBudget()
    telemetry = Telemetry(budget, tracer_provider, meter_provider)
    return Instrumented(
        middlewares=evolve(
            chosen,
            logging=chained(telemetry.call, chosen.logging or LogCalls()),
            attempt=(telemetry.attempt, *chosen.attempt, *unseen_by_others()),
        ),
        rate_limit=rate_limit and telemetry.held_back_by(rate_limit),
        retry_budget=budget,
    )
