from __future__ import annotations

from pathlib import Path

import pytest

from perfectpay_async.bulk import JobAccount, JobFacts, Verdict
from perfectpay_async.bulk.report import no_counts

BEGIN = 1_772_360_000.0  # 2026-03-01 10:13:20 UTC


@pytest.fixture
def account():
    """Makes the account of a job."""

    def make(*, rows=100, name="march-1", running=False, runs=(), groups=(), samples=(), **more):
        counts = {Verdict(name): more.pop(name) for name in list(more) if name in set(Verdict)}
        facts = {"host": "https://sandbox.example", "input": "march.csv", "unit": "line"}
        return JobAccount(
            name=name,
            path=Path("/jobs/march-1.job"),
            facts=JobFacts(rows=rows, created=BEGIN - 1, **{**facts, **more}),
            counts={**no_counts(), **counts},
            running=running,
            runs=tuple(runs),
            groups=tuple(groups),
            samples=tuple(samples),
        )

    return make


@pytest.fixture
def begin():
    return BEGIN
