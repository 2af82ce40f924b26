"""A look at a whole input before a fleet gets it: what is in it, and where its chunks lie."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

import attrs
from attrs import frozen
from yarl import URL

from perfectpay_async.bulk import InputRefused, JobFacts
from perfectpay_async.bulk.counted import agreeing
from perfectpay_async.bulk.inspection import Inspection, inspect_rows

from .ledger import Ledger
from .locations import is_url, name_of, open_location, read_range
from .records import ChunkSlice, FleetJob, FleetSettings
from .slices import SlicedRows, measure_header


@frozen(kw_only=True)
class Plan:
    """An input that a fleet can work on.

    Attributes:
        facts: What identifies a job on it; without the host.
        settings: How it is run, completed with what was found.
        chunks: Where its chunks lie.
        inspection: What is in it.
    """

    facts: JobFacts
    settings: FleetSettings
    chunks: tuple[ChunkSlice, ...]
    inspection: Inspection


def plan_job(settings: FleetSettings) -> Plan:
    """Read an input to its end, and return how a fleet can share it.

    It takes the time of the reading and disk space for the search for duplicates.

    Args:
        settings: Says where the input is, and what is in it; the header is found here.

    Raises:
        InputRefused: It cannot be trusted or read, has two rows for one card, or is Parquet.
    """
    if settings.format not in {"csv", "jsonl"}:
        raise InputRefused(
            "a fleet reads CSV and JSONL, whose chunks are ranges of bytes; save the Parquet file "
            "as CSV, or run it on one machine with 'perfectpay bulk run'"
        )
    try:
        with open_location(settings.location) as stream:
            header, lines = measure_header(stream, settings.format)
        settings = attrs.evolve(
            settings,
            header=read_range(settings.location, 0, header).decode("utf-8", "surrogateescape"),
            header_lines=lines,
        )
        with open_location(settings.location) as stream:
            rows = SlicedRows(stream, settings)
            # The day is the one by which the client refuses an expiry.
            inspection = inspect_rows(rows, today=datetime.now(UTC).date())
    except OSError as error:
        raise InputRefused(f"the input cannot be read: {error.strerror}") from None
    found = inspection.duplicates
    if found is not None and found.count:
        first = found.first[0]
        raise InputRefused(
            f"{found.count:,} of {inspection.rows:,} rows "
            f"{agreeing(found.count, 'repeats', 'repeat')} the card of an earlier one, first "
            f"line {first.number} that of line {first.earlier}; a fleet cannot send them in their "
            "order, so leave one row for each card"
        )
    local = not is_url(settings.location)
    facts = JobFacts(
        input=name_of(settings.location),
        path=os.path.realpath(settings.location) if local else "",
        size=rows.size,
        sha256=rows.sha256,
        rows=inspection.rows,
        unit="line",
    )
    return Plan(facts=facts, settings=settings, chunks=tuple(rows.slices), inspection=inspection)


async def enter_job(
    ledger: Ledger, plan: Plan, address: URL, *, supersede: bool = False
) -> FleetJob:
    """Enter a job into the ledger; nothing is sent before a coordinator enqueues its chunks.

    Args:
        ledger: The ledger.
        plan: Its input.
        address: Root of the API.
        supersede: Whether an unfinished job on the same input is given up.

    Raises:
        JobRefused: There is an unfinished job on the same input.
        LedgerError: The ledger cannot be used.
    """
    settings = plan.settings
    # What 'perfectpay bulk' keeps of a job, so that it can go on with this one too.
    options = {
        "format": settings.format,
        "columns": dict(settings.columns),
        "expiry_column": settings.expiry_column,
        "on_duplicate": "refuse",
        "only_forward": settings.only_forward,
    }
    facts = attrs.evolve(plan.facts, host=str(address), options=json.dumps(options))
    marks = (mark for _, mark in plan.inspection.fingerprints)
    chunks = zip(plan.chunks, marks, strict=True)
    return await ledger.create_job(facts, settings, chunks, supersede=supersede)
