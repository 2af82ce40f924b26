"""The account of a job for programs."""

from __future__ import annotations

import json
import math
from typing import Any, Final

import attrs

from perfectpay_async.bulk.jobs import JobAccount

from .course import throttled

SCHEMA: Final = 1
"""Version of the JSON forms. New keys may be added; a changed meaning makes a new one."""


def summary(account: JobAccount) -> dict[str, Any]:
    """Return how far a job is, as a JSON object."""
    return {
        "job": account.name,
        "state": account.state,
        "superseded_by": account.superseded_by,
        "input": account.facts.input,
        "host": account.facts.host,
        "generation": account.facts.generation,
        "shard": account.facts.shard or None,
        "created": round(account.facts.created, 3),
        "rows": account.rows,
        "finished": account.finished,
        **{verdict.value: count for verdict, count in account.counts.items()},
        "remaining": account.remaining,
        "run_count": len(account.runs),
        "requests": account.requests,
        "requests_at_least": account.requests_at_least,
        "seconds": round(account.seconds, 1),
    }


def report_json(account: JobAccount) -> str:
    """Return all of the account as one JSON object."""
    facts, requests = attrs.asdict(account.facts), account.requests
    turned_away = throttled(account)
    return json.dumps(
        {
            "schema": SCHEMA,
            **summary(account),
            "complete": account.remaining == 0 and account.problem_count == 0,
            "facts": {**facts, "options": json.loads(account.facts.options)},
            "rates": {
                "rows_per_second": _per_second(account.finished, account.seconds),
                "requests_per_second": _per_second(requests, account.seconds),
                "throttled": turned_away,
                "throttled_share": round(turned_away / requests, 5) if requests else 0.0,
                "retried": sum(run.retried for run in account.runs),
            },
            "runs": [attrs.asdict(run) for run in account.runs],
            "groups": [attrs.asdict(group) for group in account.groups],
            "samples": [
                {**attrs.asdict(sample), "granted": _finite(sample.granted)}
                for sample in account.samples
            ],
        },
        indent=2,
        allow_nan=False,
    )


def _per_second(many: int, seconds: float) -> float:
    return round(many / seconds, 1) if seconds > 0 else 0.0


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
