"""The bytes of an input: a file on a path that all workers share, or an object behind a URL."""

from __future__ import annotations

import io
import os
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from perfectpay_async.bulk import InputRefused

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_PATIENCE: Final = 30.0
_BLOCK: Final = 4 << 20
_PARTIAL: Final = 206
_BEYOND: Final = 416


def is_url(location: str) -> bool:
    """Return whether it is an address of the web, and not a path."""
    return location.lower().startswith(("http://", "https://"))


def name_of(location: str) -> str:
    """Return a name to show: without directories, and without the query, which may be a secret."""
    return os.path.basename(urlsplit(location).path if is_url(location) else location)  # noqa: PTH119 - a str


def open_location(location: str) -> BinaryIO:
    """Open the input, to be read from its start to its end.

    Raises:
        InputRefused: It does not answer Range requests.
        OSError: It cannot be read.
    """
    if is_url(location):
        return cast("BinaryIO", io.BufferedReader(_Object(location), _BLOCK))
    return Path(location).open("rb")


def read_range(location: str, start: int, stop: int) -> bytes:
    """Return the bytes from `start` to before `stop`; fewer when the input ends before.

    It waits for the disk or the network, so it has no place in an event loop.

    Raises:
        InputRefused: It does not answer Range requests.
        OSError: It cannot be read.
    """
    if is_url(location):
        return _range(location, start, stop)
    with Path(location).open("rb") as stream:
        stream.seek(start)
        return stream.read(stop - start)


class _Object(io.RawIOBase):
    """An object behind a URL, read in pieces: a long download may break, and a piece may not."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        piece = _range(self._url, self._at, self._at + len(view))
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def _range(url: str, start: int, stop: int) -> bytes:
    request = Request(url, headers={"Range": f"bytes={start}-{stop - 1}"})  # noqa: S310 - is_url
    try:
        with cast("HTTPResponse", urlopen(request, timeout=_PATIENCE)) as answer:  # noqa: S310
            status, body = answer.status, answer.read(stop - start)
    except HTTPError as error:
        error.close()
        if error.code == _BEYOND:
            return b""
        # Without the address, whose query may be a secret.
        raise OSError(error.code, f"the server answered with status {error.code}") from None
    except HTTPException as error:
        raise OSError(0, f"the answer broke off ({type(error).__name__})") from None
    if status != _PARTIAL:
        raise InputRefused("the input's server does not answer Range requests")
    return body
