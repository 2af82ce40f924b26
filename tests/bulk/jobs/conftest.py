from __future__ import annotations

import pytest

from perfectpay_async import CardExpiry
from perfectpay_async.bulk import ExpiryRow, RowResult, Verdict

META = {
    "id": "7f0c",
    "generation": "1",
    "created": "1772360000.5",
    "operation": "payment_methods.update",
    "host": "https://sandbox.example",
    "input": "cards.csv",
    "path": "/in/cards.csv",
    "size": "100",
    "sha256": "aa",
    "rows": "-1",
    "unit": "line",
    "shard": "",
    "options": "{}",
}


@pytest.fixture
def meta():
    return dict(META)


@pytest.fixture
def result():
    """Makes the result of a row."""

    def make(number=1, verdict=Verdict.OK, **fields):
        return RowResult(number, f"pm_{number}", verdict, **fields)

    return make


@pytest.fixture
def rows_from():
    """Makes rows whose numbers are those of the lines of a file."""

    def make(count, *, first=0, year=2031):
        return [
            ExpiryRow(number + 2, f"pm_{number}", CardExpiry(12, year))
            for number in range(first, first + count)
        ]

    return make
