from __future__ import annotations

import pytest

from perfectpay_async.bulk.counted import agreeing, counted


@pytest.mark.parametrize(
    ("many", "said"),
    [(0, "0 rows have"), (1, "1 row has"), (2, "2 rows have"), (1_001, "1,001 rows have")],
)
def test_one_is_told_as_one(many, said):
    assert f"{counted(many, 'row')} {agreeing(many, 'has', 'have')}" == said
