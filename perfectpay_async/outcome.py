"""What is known about a call: the outcome of a failure and the record of each attempt."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen


class Outcome(StrEnum):
    """What a failure means for the data on the server.

    Attributes:
        NOT_SENT: The request never reached the server; nothing was changed.
        REFUSED: The server answered and refused; nothing was changed.
        UNKNOWN: The request may have been applied. Retrieve before you decide.
    """

    NOT_SENT = "not_sent"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class GaveUp(StrEnum):
    """Why a failed call was not (or not again) repeated.

    Attributes:
        NOT_RETRYABLE: Repeating would meet the same answer, or the retry strategy said no.
        UNSAFE: The operation must not be repeated while its outcome is unknown.
        ATTEMPTS: The stop strategy ended it.
        DEADLINE: The next wait would have passed the deadline of the call.
        RETRY_AFTER: The server asked for a longer wait than the policy accepts.
        BUDGET: The client's retry budget is spent: too many calls are failing.
    """

    NOT_RETRYABLE = "not_retryable"
    UNSAFE = "unsafe"
    ATTEMPTS = "attempts"
    DEADLINE = "deadline"
    RETRY_AFTER = "retry_after"
    BUDGET = "budget"


@frozen
class Attempt:
    """One HTTP exchange that failed.

    Attributes:
        number: 1 for the first attempt of the call.
        started: Seconds from the start of the call to the start of this attempt.
        elapsed: Seconds this attempt took.
        error: Name of the error class it ended with.
        outcome: What this attempt means for the data on the server.
        status: HTTP status, or None when no answer arrived.
        request_id: The server's `x-request-id`, when it sent one.
        wait: Seconds waited after this attempt before the next, or None when there was no next.
    """

    number: int
    started: float
    elapsed: float
    error: str
    outcome: Outcome
    status: int | None = None
    request_id: str | None = None
    wait: float | None = None
