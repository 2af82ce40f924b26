"""What OpenTelemetry costs a call.

Run it with `python benchmarks/telemetry_overhead.py`. The transport answers from memory: only the
client's own work is measured; the contenders take turns in rounds. The figures are CPU time of one
retrieve, and its ratio to a client without telemetry. On a real connection a call costs several
times as much, so the ratios there are smaller: add the microseconds instead.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from perfectpay_async import PerfectPay, Request, Response
from perfectpay_async.otel import instrumented
from perfectpay_async.testing import payment_method

BODY = json.dumps(payment_method("pm_bench")).encode()
CALLS, ROUNDS = 2_000, 9


class _Memory:
    async def send(self, request: Request) -> Response:
        return Response(200, {}, BODY, 0.0, request)

    async def close(self, *, drain: float = 0.0) -> None:
        pass


class _Nowhere(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:  # noqa: ARG002 - the interface is given
        return SpanExportResult.SUCCESS


def _with_sdk(**sampling: Any) -> dict[str, Any]:
    tracers = TracerProvider(**sampling)
    tracers.add_span_processor(SimpleSpanProcessor(_Nowhere()))
    meters = MeterProvider([InMemoryMetricReader()])
    return {**instrumented(tracer_provider=tracers, meter_provider=meters)}


async def _compare() -> None:
    settings: dict[str, dict[str, Any]] = {
        "no telemetry": {},
        "instrumented, no SDK": {**instrumented()},
        "SDK, no trace sampled": _with_sdk(sampler=ALWAYS_OFF),
        "SDK, every trace sampled": _with_sdk(),
    }
    times: dict[str, list[float]] = {name: [] for name in settings}
    for _ in range(ROUNDS):
        for name, own in settings.items():
            client = PerfectPay("snd_x", environment="sandbox", transport=_Memory(), **own)
            retrieve = client.payment_methods.retrieve
            began = time.process_time()
            for _ in range(CALLS):
                await retrieve("pm_bench")
            times[name].append((time.process_time() - began) / CALLS)
    medians = {name: statistics.median(values) for name, values in times.items()}
    base = medians["no telemetry"]
    for name, median in medians.items():
        print(f"{name:<26} {median * 1e6:6.1f} us a call, ratio {median / base:.2f}")


if __name__ == "__main__":
    asyncio.run(_compare())
