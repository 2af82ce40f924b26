"""Error answers to errors.

The server has three envelopes, a gateway in front of it has any, and nothing here is documented by
PerfectPay. So every form is understood as far as it goes, and no body makes this fail.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from perfectpay_async.errors import (
    ApiError,
    AuthenticationError,
    BadRequest,
    Conflict,
    NotFound,
    PerfectPayError,
    PermissionDenied,
    RateLimited,
    ResponseDecodingError,
    RouteNotFound,
    ServerError,
    UnexpectedRedirect,
    UnprocessableEntity,
)
from perfectpay_async.messages import Request, Response
from perfectpay_async.outcome import Outcome
from perfectpay_async.secrets import MaskedStr, Secret

from .redaction import redact
from .shapes import is_object

_BODY_LIMIT: Final = 2_000
_MESSAGE_LIMIT: Final = 200
_CODE_LIMIT: Final = 64
# Redacting an endless page of a gateway would hold up the event loop, for text that is cut anyway.
_READ_LIMIT: Final = 4 * _BODY_LIMIT

_BY_STATUS: Final[dict[int, type[ApiError]]] = {
    400: BadRequest,
    401: AuthenticationError,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    422: UnprocessableEntity,
    429: RateLimited,
}
SUCCESS: Final = range(200, 300)
_REDIRECT: Final = range(300, 400)
_CLIENT_ERROR: Final = range(400, 500)
_SERVER_ERROR: Final = range(500, 600)
# Not carried out, as RFC 9110 has it: sent elsewhere with its method and body, or not implemented.
_REFUSED_THOUGH: Final = frozenset({307, 308, 501})
_TIMED_OUT: Final = 408
_NO_SUCH_ROUTE: Final = "IR_02"
_VAULT_TROUBLE: Final = "IR_37"
_UPDATE: Final = "payment_methods.update"


def error_from(response: Response) -> PerfectPayError | None:
    """Return the error that an answer stands for, or None when it reports success.

    A success status with a top-level `error` in the body is an error too: what it means for the
    data is unknown. Everything taken from the body is redacted and cut.

    Args:
        response: The answer.

    Returns:
        An `ApiError` or `UnexpectedRedirect`, not raised, with outcome, status, code, type, request
        id and body. The facts of the call (operation, attempts, retry_after) are the caller's.
    """
    answer = _parsed(response)
    if response.status in SUCCESS and not _get(answer, "error"):
        return None
    status, request = response.status, response.request
    sensitive = _sensitive(request)
    text = response.body[:_READ_LIMIT].decode(errors="replace")
    envelope = _get(answer, "error") or answer
    code = _line(_get(envelope, "code"), _CODE_LIMIT, sensitive)
    message = _line(_message(envelope, text), _MESSAGE_LIMIT, sensitive)
    error = _class_for(status, code)(
        _sentence(status, code, message), outcome=_outcome(status, code, request)
    )
    error.status = status
    error.code = code
    error.type = _line(
        _get(envelope, "type") or _get(envelope, "error_type"), _CODE_LIMIT, sensitive
    )
    error.request_id = response.request_id
    error.body = _printable(redact(text, sensitive)[:_BODY_LIMIT], keep="\n\t")
    return error


def _class_for(status: int, code: str | None) -> type[ApiError | UnexpectedRedirect]:
    if status in _REDIRECT:
        return UnexpectedRedirect
    if status in _SERVER_ERROR:
        return ServerError
    if status == HTTPStatus.NOT_FOUND and code == _NO_SUCH_ROUTE:
        return RouteNotFound
    return _BY_STATUS.get(status, ApiError)


def _outcome(status: int, code: str | None, request: Request) -> Outcome:
    if status in _REFUSED_THOUGH or (status in _CLIENT_ERROR and status != _TIMED_OUT):
        # An update takes the card out of the vault and puts it back. When the vault fails in
        # between, the answer is "not found", and the card is gone.
        is_vault_failure = code == _VAULT_TROUBLE and request.operation.name == _UPDATE
        return Outcome.UNKNOWN if is_vault_failure else Outcome.REFUSED
    return Outcome.UNKNOWN


def _sentence(status: int, code: str | None, message: str | None) -> str:
    try:
        phrase = f" {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = ""
    said = ": ".join(filter(None, (code, message)))
    return f"the server answered {status}{phrase}" + (f" ({said})" if said else "")


def _message(envelope: Any, text: str) -> str:
    """Return the server's own words: a message with its reason, or a text that is not JSON."""
    if is_object(envelope):
        said = (envelope.get("message"), envelope.get("reason"))
        return "; ".join(part for part in said if isinstance(part, str))
    if isinstance(envelope, str):
        return envelope
    is_page = text.lstrip().startswith("<")
    return text if envelope is None and not is_page else ""


def _parsed(response: Response) -> Any:
    try:
        return response.json()
    except ResponseDecodingError:
        return None


def _get(value: object, key: str) -> Any:
    return value.get(key) if is_object(value) else None


def _line(value: object, limit: int, sensitive: list[Secret]) -> str | None:
    """Return a text or number as one printable line, or None for anything else and for nothing."""
    if not isinstance(value, str | int):
        return None
    line = _printable(redact(str(value)[:_READ_LIMIT], sensitive))
    return " ".join(line.split())[:limit] or None


def _printable(text: str, keep: str = "") -> str:
    if text.isprintable():  # as nearly every text is
        return text
    return "".join(char if char.isprintable() or char in keep else " " for char in text)


def _sensitive(request: Request) -> list[Secret]:
    masked = (value for value in request.headers.values() if isinstance(value, MaskedStr))
    return [*request.sensitive, *map(Secret, masked)]
