from __future__ import annotations

import pytest

from perfectpay_async.fleet import ChunkMessage, MessageNotUnderstood

MESSAGE = ChunkMessage(
    job="a" * 32,
    generation=2,
    chunk=3,
    source=("/shared/cards.csv", 100, 900),
    rows=1000,
    sha256="0" * 64,
)


def test_it_survives_the_way():
    assert ChunkMessage.from_json(MESSAGE.to_json()) == MESSAGE


@pytest.mark.parametrize(
    "change",
    [
        {"form": 2},
        {"form": None},
        {"rows": "1000"},
        {"chunk": -1},
        {"source": ["/shared/cards.csv", 100]},
        {"sha256": "short"},
        {"more": 1},
    ],
    ids=str,
)
def test_what_is_not_exactly_that_is_not_understood(change):
    with pytest.raises(MessageNotUnderstood):
        ChunkMessage.from_json({**MESSAGE.to_json(), **change})


@pytest.mark.parametrize("value", [None, [1], "x", {}, 5])
def test_something_else_is_not_understood(value):
    with pytest.raises(MessageNotUnderstood, match="same version"):
        ChunkMessage.from_json(value)
