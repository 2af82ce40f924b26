"""The error tree, and the facts that each error carries.

```
PerfectPayError
├─ ConfigurationError · InvalidRequestError · ClientClosedError · WrongEventLoopError
├─ TransportError
│  ├─ ConnectError (not sent) · PoolTimeout (not sent) · TlsError (not sent)
│  └─ ConnectionLostError · AttemptTimeout
├─ DeadlineExceeded · ResponseDecodingError · ResponseTooLarge · UnexpectedRedirect
└─ ApiError
   ├─ BadRequest 400 · AuthenticationError 401 · PermissionDenied 403
   ├─ NotFound 404 ── RouteNotFound (code IR_02)
   ├─ Conflict 409 · UnprocessableEntity 422 · RateLimited 429
   └─ ServerError 5xx
```
"""

from __future__ import annotations

from typing import ClassVar, Final

from .outcome import Attempt, GaveUp, Outcome

__all__ = [
    "ApiError",
    "AttemptTimeout",
    "AuthenticationError",
    "BadRequest",
    "ClientClosedError",
    "ConfigurationError",
    "Conflict",
    "ConnectError",
    "ConnectionLostError",
    "DeadlineExceeded",
    "InvalidRequestError",
    "NotFound",
    "PerfectPayError",
    "PermissionDenied",
    "PoolTimeout",
    "RateLimited",
    "ResponseDecodingError",
    "ResponseTooLarge",
    "RouteNotFound",
    "ServerError",
    "TlsError",
    "TransportError",
    "UnexpectedRedirect",
    "UnprocessableEntity",
    "WrongEventLoopError",
]

_MEANING: Final = {
    Outcome.NOT_SENT: "nothing was sent",
    Outcome.REFUSED: "nothing was changed",
    Outcome.UNKNOWN: "it is unknown whether the server applied it",
}
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_GAVE_UP: Final = {
    GaveUp.UNSAFE: "not repeated, because that could do it twice",
    GaveUp.DEADLINE: "the next wait would pass the deadline",
    GaveUp.RETRY_AFTER: "the server asks for a longer wait than the retry policy accepts",
    GaveUp.BUDGET: "the retry budget is spent because too many calls fail",
}


class PerfectPayError(Exception):
    """Base class of everything this library raises on purpose.

    All errors can be pickled, and none of them holds a card number, CVC, key or request body.

    Attributes:
        operation: Name of the operation, such as `payment_methods.update`.
        outcome: What the failure means for the data on the server.
        attempts: The failed attempts of the call, in order, the last one included; none when the
            call ended before it made one, as on a closed client.
        elapsed: Seconds from the start of the call to its failure.
        request_id: The server's id of the last answer (`x-request-id`), to quote to support.
        status: HTTP status of the last answer.
        code: The server's error code, such as `HE_02`. Codes are not unique: read the status first.
        type: The server's error type, an open string.
        retry_after: Seconds the server asked to wait.
        body: The answer's text with everything that looks like a secret masked, cut to 2,000
            characters.
        gave_up: Why the call was not repeated (again).
        candidates: Ids of the payment methods that a create may have saved, after
            `on_unknown="reconcile"` could not tell.
    """

    default_outcome: ClassVar[Outcome] = Outcome.NOT_SENT
    default_retryable: ClassVar[bool] = False
    advice: ClassVar[str] = ""

    def __init__(self, message: str, *, outcome: Outcome | None = None) -> None:
        super().__init__(message)
        self.outcome: Outcome = self.default_outcome if outcome is None else outcome
        self.operation: str | None = None
        self.attempts: tuple[Attempt, ...] = ()
        self.elapsed: float = 0.0
        self.request_id: str | None = None
        self.status: int | None = None
        self.code: str | None = None
        self.type: str | None = None
        self.retry_after: float | None = None
        self.body: str | None = None
        self.gave_up: GaveUp | None = None
        self.candidates: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """What happened, without the facts that `str(error)` adds."""
        return str(self.args[0])

    @property
    def is_retryable(self) -> bool:
        """Whether the same call may succeed later. Says nothing about it being safe."""
        return self.default_retryable

    def __str__(self) -> str:
        """One sentence: what happened, what it means, what to do."""
        parts = [f"{self.operation}: {self.message}" if self.operation else self.message]
        if self.operation or self.attempts:
            parts.append(_MEANING[self.outcome])
        if count := len(self.attempts):
            parts.append(f"{count} attempt{'s' if count > 1 else ''} in {self.elapsed:.2f} s")
        if self.gave_up is not None and self.gave_up in _GAVE_UP:
            parts.append(_GAVE_UP[self.gave_up])
        if self.advice:
            parts.append(self.advice)
        sentence = "; ".join(parts)
        return f"{sentence} (request id {self.request_id})" if self.request_id else sentence


class ConfigurationError(PerfectPayError):
    """The client was set up wrongly: a missing key, an unknown environment, an unsafe URL."""


class InvalidRequestError(PerfectPayError):
    """The arguments of a call break a rule of the API; found before anything was sent.

    Args:
        message: One sentence with the field and the rule, never the value.
        field: Name of the argument or entity field that breaks the rule.

    Attributes:
        field: As above.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class ClientClosedError(PerfectPayError):
    """The client had been closed, or was closed while the call was under way.

    In the second case `outcome` says whether the request may have been applied.
    """

    advice = "open a new client"


class WrongEventLoopError(PerfectPayError):
    """The client was used in another event loop or process than the one that opened it."""

    advice = "open one client in each event loop and each process"


class TransportError(PerfectPayError):
    """The exchange with the server broke before a complete answer had arrived."""

    default_outcome = Outcome.UNKNOWN
    default_retryable = True


class ConnectError(TransportError):
    """No connection could be made: name look-up, refusal or connect timeout. Nothing was sent."""

    default_outcome = Outcome.NOT_SENT
    advice = "check base_url, DNS and the network"


class PoolTimeout(TransportError):
    """No connection of the pool became free in time. Nothing was sent."""

    default_outcome = Outcome.NOT_SENT
    advice = "raise max_connections or start fewer calls at once"


class TlsError(TransportError):
    """The TLS handshake failed: the certificate is not trusted. Nothing was sent."""

    default_outcome = Outcome.NOT_SENT
    default_retryable = False
    advice = "check the server's certificate and the trusted authorities"


class ConnectionLostError(TransportError):
    """The connection broke after the request had been, or may have been, sent."""


class AttemptTimeout(TransportError):
    """One attempt took longer than `attempt_timeout`, the reading of the body included."""


class DeadlineExceeded(PerfectPayError):
    """The call's deadline passed while an attempt was under way, or waiting for its turn.

    Args:
        message: One sentence.
        outcome: What it means for the data on the server.
        connecting: Whether a connection was being made.

    Attributes:
        connecting: As above.
    """

    default_outcome = Outcome.UNKNOWN
    advice = "raise the deadline, or look up the state before trying again"

    def __init__(
        self, message: str, *, outcome: Outcome | None = None, connecting: bool = False
    ) -> None:
        super().__init__(message, outcome=outcome)
        self.connecting = connecting


class ResponseDecodingError(PerfectPayError):
    """The server reported success, but its body is not what the API promises.

    Args:
        message: One sentence that names the rule and never the value.
        path: Where in the body, such as `card.expiry_month`; empty for the body as a whole.

    Attributes:
        path: As above.
    """

    default_outcome = Outcome.UNKNOWN

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class ResponseTooLarge(PerfectPayError):
    """The body of the answer passed the limit on decompressed bytes."""

    default_outcome = Outcome.UNKNOWN
    advice = "check that base_url points at the API"


class UnexpectedRedirect(PerfectPayError):
    """The server answered with a redirect, which is never followed.

    A redirect could carry the key and the card to another host.
    """

    default_outcome = Outcome.UNKNOWN
    advice = "set base_url to the address that the API really has"


class ApiError(PerfectPayError):
    """The server answered with an error."""

    default_outcome = Outcome.REFUSED

    @property
    def is_retryable(self) -> bool:
        """Whether the status is one that passes: 408, 425, 429, 500, 502, 503 or 504."""
        return self.status in _PASSING


class BadRequest(ApiError):
    """400: the server refused the request's content."""


class AuthenticationError(ApiError):
    """401: the api key is missing, unknown, expired or revoked."""

    advice = "check the api key and that it belongs to this environment"


class PermissionDenied(ApiError):
    """403: the key may not do this, or the account was moved to another API version."""


class NotFound(ApiError):
    """404: the payment method or customer does not exist (or its vault entry is gone)."""


class RouteNotFound(NotFound):
    """404 with code `IR_02`: the URL itself does not exist; this says nothing about an object."""

    advice = "check base_url"


class Conflict(ApiError):
    """409: the state of the object does not allow this now."""


class UnprocessableEntity(ApiError):
    """422: well-formed, but its values do not fit together."""


class RateLimited(ApiError):
    """429: too many requests. Always safe to repeat: it was refused before it was handled."""

    advice = "slow down"


class ServerError(ApiError):
    """5xx: the server failed; it may or may not have applied the request."""

    default_outcome = Outcome.UNKNOWN
