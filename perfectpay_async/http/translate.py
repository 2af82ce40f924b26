"""What went wrong in aiohttp, as one of our errors.

The text of aiohttp's exceptions is left out: it may quote the URL or a header.
"""

from __future__ import annotations

import aiohttp
from aiohttp.http import HttpProcessingError

from perfectpay_async.errors import (
    AttemptTimeout,
    ClientClosedError,
    ConnectError,
    ConnectionLostError,
    DeadlineExceeded,
    PerfectPayError,
    PoolTimeout,
    TlsError,
    TransportError,
)
from perfectpay_async.messages import Request
from perfectpay_async.outcome import Outcome


def cut_off(*, unsent: bool) -> ClientClosedError:
    """Return the error of a call that was under way when the client was closed."""
    if unsent:
        return ClientClosedError("the client was closed before the request was sent")
    return ClientClosedError(
        "the client was closed while waiting for the answer", outcome=Outcome.UNKNOWN
    )


def queued_too_long(max_connections: int) -> PoolTimeout:
    """Return the error of a request that no connection became free for."""
    return PoolTimeout(f"no connection became free in time (max_connections is {max_connections})")


def timed_out(request: Request, *, at_deadline: bool, unsent: bool) -> PerfectPayError:
    """Return the error of an exchange that its timer ended."""
    outcome = Outcome.NOT_SENT if unsent else None
    doing = "connecting" if unsent else "waiting for the answer"
    if at_deadline:
        return DeadlineExceeded(
            f"the deadline passed while {doing}", outcome=outcome, connecting=unsent
        )
    return AttemptTimeout(
        f"the attempt took longer than {request.attempt_timeout:g} s ({doing})", outcome=outcome
    )


def translate(error: Exception, *, unsent: bool) -> TransportError:
    """Return the error for whatever broke an exchange."""
    kind = type(error).__name__
    if isinstance(error, aiohttp.ClientSSLError | aiohttp.ServerFingerprintMismatch):
        return TlsError(f"the TLS handshake with the server failed ({kind})")
    if isinstance(error, OSError) and _refuses_us(error):
        return TlsError("the server refused the client certificate, or asks for one")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return ConnectError("connecting to the server took too long")
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientHttpProxyError):
        return ConnectError(f"could not connect to the server ({kind})")
    outcome = Outcome.NOT_SENT if unsent else None
    if isinstance(error, aiohttp.ClientError | HttpProcessingError | OSError | EOFError):
        return ConnectionLostError(
            f"the connection broke before the answer was complete ({kind})", outcome=outcome
        )
    return TransportError(f"the exchange with the server failed ({kind})", outcome=outcome)


def _refuses_us(error: OSError) -> bool:
    """Whether the server ended the handshake over the client certificate.

    In TLS 1.3 the client may send its request before it learns of that. The server has not read
    the request then: it takes nothing from a client that has not finished the handshake.
    """
    text = error.strerror or ""
    return "_ALERT_" in text and ("CERTIFICATE" in text or "UNKNOWN_CA" in text)
