"""What the server says: success bodies, and refusals in each of the API's error envelopes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"


@frozen
class Answer:
    """One answer, before any fault touches it.

    Attributes:
        status: HTTP status.
        body: The bytes of the body.
        headers: Headers beside those of every answer.
        content_type: The Content-Type.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(factory=dict[str, str])
    content_type: str = JSON


class Refused(Exception):  # noqa: N818 - an answer, not a failure
    """A request that the server refuses; `answer` says how."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"refused with status {answer.status}")
        self.answer = answer


def success(value: Any) -> Answer:
    """Return a 200 with a JSON body."""
    return Answer(200, _dump(value))


def refused(
    status: int, code: str, message: str, kind: str = "invalid_request", **extras: str
) -> Refused:
    """Return a refusal in the usual envelope: an object with `type`, `message` and `code`."""
    error = {"type": kind, "message": message, "code": code, **extras}
    return Refused(Answer(status, _dump({"error": error})))


def unreadable(message: str) -> Refused:
    """Return the 400 of a body that cannot be parsed, whose envelope has `error_type`."""
    text = f"Json deserialize error: {message}"
    error = {"error_type": "invalid_request", "message": text, "code": "IR_06"}
    return Refused(Answer(400, _dump({"error": error})))


def server_error(status: int = 500) -> Refused:
    """Return the refusal of a server in trouble."""
    return refused(status, "HE_00", "Something went wrong", "api")


def plain(status: int, text: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer that is not JSON, as a gateway or the framework gives it."""
    return Answer(status, text.encode(), headers or {}, TEXT)


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
