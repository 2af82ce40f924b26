from __future__ import annotations

from datetime import date

import pytest

from perfectpay_async import CardExpiry
from perfectpay_async.bulk import BadRow, ExpiryRow, InputRefused
from perfectpay_async.bulk.duplicates import Duplicate
from perfectpay_async.bulk.inspection import inspect_rows

TODAY = date(2027, 3, 31)


def row(number, month=3, year=2027, card=None):
    return ExpiryRow(number, card or f"pm_{number}", CardExpiry(month, year))


def inspect(rows, **options):
    return inspect_rows(iter(rows), today=TODAY, **options)


class TestInspect:
    def test_every_row_is_in_one_class(self):
        bad = BadRow(3, "exp_month must be 1 to 12")

        seen = inspect([row(2), bad, row(4, month=2), row(5, month=4)])

        assert (seen.rows, seen.good, seen.bad, seen.past) == (4, 2, 1, 1)
        assert seen.problems == (bad, BadRow(4, "expiry must not be in the past"))

    def test_an_empty_input_has_nothing(self):
        seen = inspect([])

        assert (seen.rows, seen.good, seen.duplicates.count) == (0, 0, 0)

    def test_duplicates_are_looked_for_among_rows_that_would_be_sent(self):
        rows = [row(1, card="a"), row(2, month=1, card="a"), row(3, card="a")]

        assert inspect(rows).duplicates.first == (Duplicate(3, 1),)
        assert inspect(rows, look_for_duplicates=False).duplicates is None

    def test_only_the_first_problems_are_kept(self):
        seen = inspect(BadRow(number, "x") for number in range(5_000))

        assert seen.bad == 5_000
        assert len(seen.problems) == 1_000

    def test_a_refusal_goes_through(self):
        def rows():
            yield row(1)
            raise InputRefused("no")

        with pytest.raises(InputRefused, match="no"):
            inspect(rows())
