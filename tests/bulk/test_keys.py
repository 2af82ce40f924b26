from __future__ import annotations

import uuid

import pytest

from perfectpay_async import CardExpiry
from perfectpay_async.bulk import ExpiryRow
from perfectpay_async.bulk.keys import RowKeys

ROW = ExpiryRow(2, "pm_1", CardExpiry(12, 2031))


def test_they_never_change():
    """A job that is resumed with a later version must send the same keys."""
    assert RowKeys()(ROW) == "4b4a271f-1919-8488-98d7-a3f26450f59c"
    assert RowKeys("job", 1)(ROW) == "9b6445f1-de83-886e-83b5-06c89cb661a2"


def test_the_place_of_the_row_does_not_matter():
    assert RowKeys("job", 1)(ExpiryRow(77, "pm_1", CardExpiry(12, 2031))) == RowKeys("job", 1)(ROW)


def test_the_way_the_year_was_written_does_not_matter():
    assert RowKeys()(ExpiryRow(2, "pm_1", CardExpiry(12, 31))) == RowKeys()(ROW)


@pytest.mark.parametrize(
    ("row", "job", "generation"),
    [
        (ExpiryRow(2, "pm_2", CardExpiry(12, 2031)), "job", 1),
        (ExpiryRow(2, "pm_1", CardExpiry(11, 2031)), "job", 1),
        (ExpiryRow(2, "pm_1", CardExpiry(12, 2032)), "job", 1),
        (ROW, "other", 1),
        (ROW, "job", 2),
        (ROW, "", 0),
    ],
)
def test_another_change_card_job_or_generation_has_another(row, job, generation):
    assert RowKeys(job, generation)(row) != RowKeys("job", 1)(ROW)


def test_they_are_uuids_of_version_8():
    for number in range(100):
        key = uuid.UUID(RowKeys("job", 3)(ExpiryRow(1, f"pm_{number}", CardExpiry(1, 2031))))
        assert (key.version, key.variant) == (8, uuid.RFC_4122)


def test_ids_that_are_no_utf8_have_one_too():
    assert RowKeys()(ExpiryRow(2, "pm_\udce9", CardExpiry(1, 2031)))
