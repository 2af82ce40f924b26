"""The idempotency key of a row: the same for the same change of the same card in the same job."""

from __future__ import annotations

import hashlib
from typing import Final

from perfectpay_async.resources.payment_methods import UPDATE

from .rows import ExpiryRow

_SCHEME: Final = "perfectpay-async/bulk/1"


def row_key(row: ExpiryRow, job: str = "", generation: int = 0) -> str:
    """Return the idempotency key of a row.

    It is made of what the row asks for and not of its number, so it is the same wherever the row
    stands. A repeated job has keys of its own: to a server that honours keys, an older value must
    not look like one that it has applied already.

    Args:
        row: The row.
        job: The id of its job; empty without one.
        generation: The generation of the job.

    Returns:
        A UUID of version 8 (RFC 9562): made in a way of one's own.
    """
    expiry = row.expiry
    of_job = f"\n{job}\n{generation}" if job else ""
    # No part holds a line end: ids with control characters are never sent.
    change = f"{row.payment_method_id}\n{expiry.wire_month}\n{expiry.wire_year}"
    text = f"{_SCHEME}\n{UPDATE.name}\n{change}{of_job}"
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    # The variant of RFC 9562 is one of 8, 9, a and b.
    variant = "89ab"[int(digest[16], 16) % 4]
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"
