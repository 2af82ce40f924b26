"""What an attempt has to end with when a fault hits it, by the ledger's name of the fault."""

from __future__ import annotations

from typing import Final

from perfectpay_async import Outcome
from perfectpay_async.sandbox import LedgerRequest

REFUSED: Final = Outcome.REFUSED
UNKNOWN: Final = Outcome.UNKNOWN

TIMEOUT: Final = ("AttemptTimeout", UNKNOWN)
REQUIRED: Final[dict[str, tuple[str, Outcome]]] = {
    # An answer that says whether the server took the request up is believed, no other is.
    "400": ("BadRequest", REFUSED),
    "404": ("NotFound", REFUSED),
    "408": ("ApiError", UNKNOWN),
    "425": ("ApiError", REFUSED),
    "429": ("RateLimited", REFUSED),
    "500": ("ServerError", UNKNOWN),
    "501": ("ServerError", REFUSED),
    "502": ("ServerError", UNKNOWN),
    "503": ("ServerError", UNKNOWN),
    "504": ("ServerError", UNKNOWN),
    "200 with an error": ("ApiError", UNKNOWN),
    # The request was sent, and what came back says nothing about it.
    "reset_before": ("ConnectionLostError", UNKNOWN),
    "reset_after": ("ConnectionLostError", UNKNOWN),
    "truncate": ("ConnectionLostError", UNKNOWN),
    "raw": ("ConnectionLostError", UNKNOWN),
    "stall": TIMEOUT,
    "drip": TIMEOUT,
    "bad_json": ("ResponseDecodingError", UNKNOWN),
    "gzip_bomb": ("ResponseTooLarge", UNKNOWN),
    # RFC 9110: 307 and 308 send the request elsewhere as it is; the others may follow its success.
    "redirect 302": ("UnexpectedRedirect", UNKNOWN),
    "redirect 307": ("UnexpectedRedirect", REFUSED),
    "redirect 308": ("UnexpectedRedirect", REFUSED),
}
TIMEOUTS: Final = frozenset({"AttemptTimeout", "DeadlineExceeded"})


def required(request: LedgerRequest) -> tuple[str, Outcome] | None:
    """Return the error and the outcome of the attempt that made this request, None for success."""
    name = request.fault or str(request.status)
    if name == "redirect":
        name = f"redirect {request.status}"
    elif name == "200" and request.fault:
        name = "200 with an error"
    elif name == "latency":
        name = str(request.status)
    return REQUIRED.get(name)
