from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfectpay_async import CardExpiry
from perfectpay_async.bulk import BadRow, ExpiryRow
from perfectpay_async.bulk.chunks import (
    CHUNK_ROWS,
    Bitmap,
    Fingerprint,
    Fingerprints,
    fingerprint,
)

ROW = ExpiryRow(2, "pm_1", CardExpiry(12, 2031))


def test_a_fingerprint_has_16_bytes_and_never_changes():
    """Journals of earlier versions must be resumed: this value is part of their form."""
    assert fingerprint([ROW, BadRow(3, "exp_month must be 1 to 12")]).hex() == (
        "4515a808486dd67224137b202b70d67a"
    )


def test_it_can_be_fed_row_by_row():
    fed = Fingerprint()
    for row in (ROW, ROW):
        fed.add(row)

    assert fed.value == fingerprint([ROW, ROW])
    assert fed.value == fed.value


@pytest.mark.parametrize(
    "other",
    [
        [],
        [ROW, ROW],
        [ExpiryRow(3, "pm_1", CardExpiry(12, 2031))],
        [ExpiryRow(2, "pm_2", CardExpiry(12, 2031))],
        [ExpiryRow(2, "pm_1", CardExpiry(11, 2031))],
        [ExpiryRow(2, "pm_1", CardExpiry(12, 2032))],
        [BadRow(2, "pm_1")],
    ],
)
def test_it_tells_inputs_apart(other):
    assert fingerprint([ROW]) != fingerprint(other)


def test_it_takes_what_is_no_utf8():
    assert fingerprint([ExpiryRow(2, "pm_\udce9", CardExpiry(1, 2031))])


@pytest.mark.parametrize("rows", [0, 1, 1_000, 1_001, 2_500])
def test_the_fingerprints_of_an_input_say_the_rows_of_each_chunk(rows):
    chunks = -(-rows // CHUNK_ROWS)
    joined = b"".join(bytes([number]) * 16 for number in range(chunks))
    prints = Fingerprints(rows, joined)

    assert len(prints) == chunks
    assert sum(count for count, _ in prints) == rows
    assert [mark for _, mark in prints] == [bytes([number]) * 16 for number in range(chunks)]
    assert all(count == CHUNK_ROWS for count, _ in list(prints)[:-1])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, CHUNK_ROWS - 1))))
def test_a_bitmap_is_a_set_of_places(changes):
    bitmap, places = Bitmap(), set()
    for marked, offset in changes:
        (bitmap.mark if marked else bitmap.clear)(offset)
        (places.add if marked else places.discard)(offset)

    again = Bitmap(bytes(bitmap))

    assert {offset for offset in range(CHUNK_ROWS) if offset in again} == places
    assert len(bytes(again)) == CHUNK_ROWS // 8


def test_a_full_one_has_them_all():
    full = Bitmap.full()

    assert all(offset in full for offset in range(CHUNK_ROWS))
    full.clear(7)
    assert 7 not in full
    assert 7 in Bitmap.full()


def test_one_that_was_read_is_not_shared():
    marks = bytes(CHUNK_ROWS // 8)
    Bitmap(marks).mark(1)

    assert marks == bytes(CHUNK_ROWS // 8)


def test_the_gaps_are_the_rows_that_have_not_ended():
    bitmap, rows = Bitmap(), range(100, 110)
    assert list(bitmap.gaps(rows)) == list(rows)

    bitmap.mark(0, 3, 9)

    assert list(bitmap.gaps(rows)) == [101, 102, 104, 105, 106, 107, 108]
