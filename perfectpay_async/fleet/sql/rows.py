"""Rows of the tables as records, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs

from perfectpay_async.bulk import JobFacts
from perfectpay_async.bulk.chunks import Bitmap
from perfectpay_async.bulk.jobs.records import ChunkState
from perfectpay_async.bulk.report import Verdict
from perfectpay_async.fleet.records import (
    ChunkSlice,
    FleetJob,
    FleetSettings,
    JobState,
    Problem,
)

from .schema import COUNTS

FACTS: Final = tuple(field.name for field in attrs.fields(JobFacts) if field.name != "shard")
"""The columns of a job that identify it."""
JOB: Final = f"{', '.join(FACTS)}, settings, state, stopped_by, reason"
"""The columns of a job but for its number."""
SLICE: Final = "number, start, stop, lines, rows, sha256"
"""The columns of a chunk that say where it lies."""
STATE: Final = f"rows, bitmap, skips, {', '.join(COUNTS)}"
"""The columns of a chunk that say what became of its rows."""


def job_of(values: Sequence[Any]) -> FleetJob:
    """Return the job of a number and `JOB`."""
    number, *facts, settings, state, stopped_by, reason = values
    return FleetJob(
        number=number,
        facts=JobFacts(**dict(zip(FACTS, facts, strict=True))),
        settings=FleetSettings.from_text(settings),
        state=JobState(state),
        stopped_by=stopped_by,
        reason=reason,
    )


def slice_of(values: Sequence[Any]) -> ChunkSlice:
    """Return the place of the chunk of `SLICE`."""
    number, start, stop, lines, rows, digest = values
    return ChunkSlice(number=number, start=start, stop=stop, lines=lines, rows=rows, sha256=digest)


def state_of(values: Sequence[Any]) -> ChunkState:
    """Return the state of the chunk of `STATE`."""
    rows, bitmap, skips, *counts = values
    return ChunkState(
        rows,
        rows,
        None,
        Bitmap(None if bitmap is None else bytes(bitmap)),
        Bitmap(None if skips is None else bytes(skips)),
        dict(zip(Verdict, counts, strict=True)),
    )


def problem_values(job: str, problem: Problem) -> tuple[Any, ...]:
    """Return the values of a problem: job, position, `PROBLEM_FIELDS` and end."""
    position, result, ended = problem
    return (
        job,
        position,
        result.number,
        result.payment_method_id,
        result.verdict.value,
        result.attempts,
        round(result.elapsed, 3),
        result.status,
        result.code,
        result.request_id,
        result.message,
        ended,
    )
