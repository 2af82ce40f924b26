from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest

from perfectpay_async.bulk import InputRefused
from perfectpay_async.bulk.duplicates import Duplicate, DuplicateFinder


def find(ids, most=10):
    with DuplicateFinder() as finder:
        for number, payment_method_id in enumerate(ids, 1):
            finder.add(number, payment_method_id)
        return finder.find(most)


def test_no_ids_have_no_duplicates():
    assert (find([]).count, find([]).first) == (0, ())


def test_each_row_is_told_with_the_one_before_it():
    found = find(["a", "b", "a", "c", "b", "a", "\udce9", "\udce9"])

    assert found.count == 4
    assert found.first == (Duplicate(3, 1), Duplicate(5, 2), Duplicate(6, 3), Duplicate(8, 7))


def test_only_the_first_are_told_but_all_are_counted():
    found = find(["a"] * 100, most=2)

    assert found.count == 99
    assert found.first == (Duplicate(2, 1), Duplicate(3, 2))


def test_it_finds_what_a_dict_would_find_in_many_batches():
    chance = random.Random(7)
    ids = [f"pm_{chance.randrange(20_000)}" for _ in range(25_000)]
    expected, last = [], {}
    for number, payment_method_id in enumerate(ids, 1):
        if payment_method_id in last:
            expected.append(Duplicate(number, last[payment_method_id]))
        last[payment_method_id] = number

    found = find(ids, most=50)

    assert found.count == len(expected)
    assert list(found.first) == expected[:50]


def test_nothing_is_left_on_the_disk(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with DuplicateFinder() as finder:
        finder._database.execute("PRAGMA cache_size=10")
        for number in range(30_000):
            finder.add(number, f"pm_{number}")
        assert finder.find(1).count == 0

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rows", [9_000, 30_000])
def test_a_full_disk_is_said(rows):
    with DuplicateFinder() as finder:
        finder._database.execute("PRAGMA max_page_count=3")
        with pytest.raises(InputRefused, match="no room for the temporary file"):  # noqa: PT012
            for number in range(rows):
                finder.add(number, f"pm_{number}")
            finder.find(1)
