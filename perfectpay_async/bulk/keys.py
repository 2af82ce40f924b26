"""The idempotency key of a row: the same for the same change of the same card in the same job."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from perfectpay_async.resources.payment_methods import UPDATE

from .rows import ExpiryRow

_SCHEME: Final = "perfectpay-async/bulk/1"
# The variant of RFC 9562 is one of 8, 9, a and b.
_VARIANTS: Final = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}


class RowKeys:
    """Makes the idempotency keys of the rows of one job.

    A key is made of what the row asks for and not of its number, so it is the same wherever the
    row stands. A repeated job has keys of its own: to a server that honours keys, an older value
    must not look like one that it has applied already.

    Args:
        job: The id of the job; empty without one.
        generation: The generation of the job.
    """

    def __init__(self, job: str = "", generation: int = 0) -> None:
        self._before = f"{_SCHEME}\n{UPDATE.name}\n"
        self._after = f"\n{job}\n{generation}" if job else ""
        self._ends: dict[tuple[int, int, int], str] = {}  # there are only so many expiries

    def __call__(self, row: ExpiryRow) -> str:
        """Return the key of a row: a UUID of version 8 (RFC 9562), made in a way of one's own."""
        expiry = row.expiry
        which = expiry.month, expiry.year, expiry.year_digits
        end = self._ends.get(which)
        if end is None:
            end = f"\n{expiry.wire_month}\n{expiry.wire_year}{self._after}"
            self._ends[which] = end
        # No part holds a line end: ids with control characters are never sent.
        text = f"{self._before}{row.payment_method_id}{end}"
        digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        return (
            f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-"
            f"{_VARIANTS[digest[16]]}{digest[17:20]}-{digest[20:32]}"
        )
