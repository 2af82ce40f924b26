"""One `Idempotency-Key` per call, the same on all its attempts."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Final

from perfectpay_async.forks import on_fork
from perfectpay_async.http.pipeline import Next
from perfectpay_async.messages import Request, Response

IDEMPOTENCY_KEY = "Idempotency-Key"

_VARIANTS: Final = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))


_AT_ONCE: Final = 256

# Random digits for the next keys; a forked process must not use those of its parent again.
_digits: Final[list[str]] = []
on_fork.append(_digits.clear)


def _random_key() -> str:
    """Return a random UUID (version 4, RFC 9562), as `uuid.uuid4` does at a sixth of the cost."""
    try:
        digits = _digits.pop()
    except IndexError:
        drawn = os.urandom(16 * _AT_ONCE).hex()  # asking the kernel each time costs the most
        _digits.extend(drawn[start : start + 32] for start in range(32, len(drawn), 32))
        digits = drawn[:32]
    variant = _VARIANTS[digits[16]]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


class IdempotencyKey:
    """Sets `Idempotency-Key` on create, update and delete.

    The server documents no such header and stock Hyperswitch ignores it (contract 3.5), so no
    retry decision relies on it. It is sent because a gateway or a later server may honour it, and
    because it ties the attempts of a call together in the server's logs.

    Args:
        make_key: Makes a fresh key; a random UUID by default.
    """

    __slots__ = ("_make_key",)

    def __init__(self, make_key: Callable[[], str] = _random_key) -> None:
        self._make_key = make_key

    def __call__(self, request: Request, call_next: Next) -> Awaitable[Response]:
        """Send the request on, with a key where the operation takes one."""
        if not request.operation.idempotent_key:
            return call_next(request)
        key = request.idempotency_key or self._make_key()
        return call_next(request.with_header(IDEMPOTENCY_KEY, key))
