"""What the server says: success bodies, and refusals in each of the API's error envelopes."""

from __future__ import annotations

import json
from typing import Any

from attrs import frozen


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
    body: bytes
    headers: dict[str, str]
    content_type: str = "application/json"


class Refused(Exception):  # noqa: N818 - an answer, not a failure
    """A request that the server refuses; `answer` says how."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def success(value: Any) -> Answer:
    """Return a 200 with a JSON body."""
    return Answer(200, json.dumps(value, separators=(",", ":")).encode(), {})


def refused(status: int, code: str, message: str, kind: str = "invalid_request") -> Refused:
    """Return a refusal in the usual envelope: an object with `type`, `message` and `code`."""
    error = {"type": kind, "message": message, "code": code}
    return Refused(Answer(status, json.dumps({"error": error}).encode(), {}))


def unreadable(message: str) -> Refused:
    """Return the 400 of a body that cannot be parsed, whose envelope has `error_type`."""
    text = f"Json deserialize error: {message}"
    error = {"error_type": "invalid_request", "message": text, "code": "IR_06"}
    return Refused(Answer(400, json.dumps({"error": error}).encode(), {}))


def plain(status: int, text: str, **headers: str) -> Answer:
    """Return an answer that is not JSON, as a gateway or the framework gives it."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, text.encode(), names, "text/plain; charset=utf-8")
