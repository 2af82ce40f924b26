import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfectpay_async.errors import ConnectionLostError, ResponseTooLarge
from perfectpay_async.http.body import read_body


async def pieces(data, size=7):
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def test_a_plain_body_is_read_to_its_end():
    assert await read_body(pieces(b"a body in several pieces"), "") == b"a body in several pieces"
    assert await read_body(pieces(b""), "identity") == b""


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress)],
)
async def test_a_compressed_body_is_decompressed(encoding, compress):
    assert await read_body(pieces(compress(b"text" * 100)), encoding) == b"text" * 100


async def test_a_body_may_be_as_large_as_the_limit():
    assert len(await read_body(pieces(b"x" * 100), "", limit=100)) == 100
    assert (
        len(await read_body(pieces(gzip.compress(b"x" * 100, mtime=0)), "gzip", limit=100)) == 100
    )


@pytest.mark.parametrize(
    ("data", "encoding"), [(b"x" * 101, ""), (gzip.compress(b"x" * 101, mtime=0), "gzip")]
)
async def test_a_larger_one_is_refused(data, encoding):
    with pytest.raises(ResponseTooLarge, match="larger than 100 bytes"):
        await read_body(pieces(data), encoding, limit=100)


async def test_a_bomb_never_unpacks_beyond_the_limit():
    consumed = 0
    bomb = gzip.compress(bytes(50_000_000))

    async def chunks():
        nonlocal consumed
        async for chunk in pieces(bomb, 4096):
            consumed += 1
            yield chunk

    with pytest.raises(ResponseTooLarge):
        await read_body(chunks(), "gzip", limit=1_000_000)
    assert consumed < 3


@pytest.mark.parametrize(
    ("data", "encoding", "sentence"),
    [
        (b"not gzip at all", "gzip", "damaged"),
        (gzip.compress(b"text", mtime=0)[:-6], "gzip", "cut short"),
        (b"", "gzip", "cut short"),
        (b"text", "br", "not asked for"),
    ],
)
async def test_a_broken_one_is_a_lost_answer(data, encoding, sentence):
    with pytest.raises(ConnectionLostError, match=sentence):
        await read_body(pieces(data), encoding)


@given(st.binary(max_size=2000), st.integers(1, 100))
async def test_whatever_was_compressed_comes_out(data, size):
    assert await read_body(pieces(gzip.compress(data), size), "gzip") == data
