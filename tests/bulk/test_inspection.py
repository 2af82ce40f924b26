from __future__ import annotations

from datetime import date

import pytest

from perfectpay_async import CardExpiry
from perfectpay_async.bulk import BadRow, ExpiryRow, InputRefused
from perfectpay_async.bulk.duplicates import Duplicate
from perfectpay_async.bulk.inspection import inspect_rows, same_rows

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


class TestSameRows:
    ROWS = [row(number) for number in range(2, 1_502)]

    @pytest.fixture
    def seen(self):
        return inspect(self.ROWS)

    def test_the_same_rows_come_again(self, seen):
        assert list(same_rows(list(self.ROWS), seen)) == self.ROWS

    @pytest.mark.parametrize("at", [0, 255, 256, 700, 1_499])
    @pytest.mark.parametrize(
        "change", [row(9, month=4), row(9, card="pm_x"), BadRow(9, "exp_month must be 1 to 12")]
    )
    def test_no_row_comes_that_was_not_inspected(self, seen, at, change):
        rows = [*self.ROWS[:at], change, *self.ROWS[at + 1 :]]

        taken = []
        with pytest.raises(InputRefused, match="the input was changed while it was read; from"):  # noqa: PT012
            for item in same_rows(rows, seen):
                taken.append(item)  # noqa: PERF402 - it is to keep what came before the error

        assert taken == self.ROWS[: at // 256 * 256]

    @pytest.mark.parametrize("length", [0, 512, 1_499])
    def test_a_shorter_input_is_refused(self, seen, length):
        with pytest.raises(InputRefused, match="was changed while it was read"):
            list(same_rows(self.ROWS[:length], seen))

    def test_so_is_a_longer_one(self, seen):
        with pytest.raises(InputRefused, match="was changed while it was read"):
            list(same_rows([*self.ROWS, row(1_502)], seen))

    def test_rows_added_after_a_full_chunk_are_not_sent(self):
        seen = inspect(self.ROWS[:512])

        with pytest.raises(InputRefused, match="what was added after line 513 was not sent"):
            list(same_rows(self.ROWS, seen))
