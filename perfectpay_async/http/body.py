"""Reading a body without ever holding more of it than allowed, compressed or not."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable
from typing import Final

from perfectpay_async.errors import ConnectionLostError, ResponseTooLarge

MAX_BODY: Final = 8 * 1024 * 1024
"""Most bytes of a decompressed body; a list of 1,000 methods is about 1 MiB."""

# Tells zlib to find out by itself whether it is gzip or zlib ("deflate").
_ANY_HEADER: Final = zlib.MAX_WBITS | 32


async def read_body(chunks: AsyncIterable[bytes], encoding: str, limit: int = MAX_BODY) -> bytes:
    """Return the whole body, decompressed.

    Args:
        chunks: The body as it arrives.
        encoding: The Content-Encoding header; empty for none.
        limit: Most bytes of the decompressed body.

    Raises:
        ResponseTooLarge: The body is larger than `limit`, as it comes or decompressed; reading
            stopped there.
        ConnectionLostError: The compressed data is damaged, cut short or of an unknown encoding.
    """
    inflate = _Inflater(encoding, limit) if encoding and encoding != "identity" else None
    parts: list[bytes] = []
    size = received = 0
    async for chunk in chunks:
        part = inflate.feed(chunk) if inflate else chunk
        size += len(part)
        received += len(chunk)  # compressed data may go on for ever and unpack to nothing
        if size > limit or received > limit:
            del chunk, part
            parts.clear()
            raise ResponseTooLarge(f"the body of the answer is larger than {limit:,} bytes")
        parts.append(part)
    if inflate:
        inflate.finish()
    return parts[0] if len(parts) == 1 else b"".join(parts)


class _Inflater:
    """Decompresses gzip or deflate, giving out at most one byte more than the limit."""

    __slots__ = ("_budget", "_stream")

    def __init__(self, encoding: str, limit: int) -> None:
        if encoding.strip().lower() not in {"gzip", "x-gzip", "deflate"}:
            raise ConnectionLostError(
                "the answer came in a content encoding that was not asked for"
            )
        self._stream = zlib.decompressobj(_ANY_HEADER)
        self._budget = limit + 1

    def feed(self, chunk: bytes) -> bytes:
        try:
            data = self._stream.decompress(chunk, self._budget) if self._budget else b""
        except zlib.error:
            data = None
        if data is None or self._stream.unused_data:
            del chunk, data
            raise ConnectionLostError("the compressed body of the answer is damaged")
        self._budget -= len(data)
        return data

    def finish(self) -> None:
        if not self._stream.eof:
            raise ConnectionLostError("the compressed body of the answer is cut short")
