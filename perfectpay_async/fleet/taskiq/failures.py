"""What the broker's client raises, in one sentence that never quotes the address of the broker."""

from __future__ import annotations

from typing import Final

from aio_pika.exceptions import (
    AMQPError,
    AuthenticationError,
    InvalidFrameError,
    ProbableAuthenticationError,
)
from aiormq.exceptions import ChannelAccessRefused
from taskiq.exceptions import TaskiqError

from perfectpay_async.fleet.errors import AccessRefused, FleetError

FAILURES: Final = (AMQPError, TaskiqError, OSError, RuntimeError, TimeoutError)
"""What is raised when the broker cannot be used."""

_LOGIN: Final = "the broker refuses the login; look at the user and the password in its address"
_VIRTUAL_HOST: Final = (
    "the broker does not open the virtual host for this user; look at the end of its address, and "
    "at what the user may do"
)
_QUEUES: Final = (
    "the broker does not let this user have the queues; allow it to configure, write and read all "
    "that begins with perfectpay.fleet, and to write amq.default"
)


def failure_of(error: BaseException) -> FleetError:
    """Return what one of `FAILURES` means: `AccessRefused` when trying again does not help."""
    cause = error.__cause__ if isinstance(error, TaskiqError) else None
    match cause or error:
        case ProbableAuthenticationError() | AuthenticationError():
            return AccessRefused(_LOGIN)
        case InvalidFrameError():  # the client expected that the virtual host was opened
            return AccessRefused(_VIRTUAL_HOST)
        case ChannelAccessRefused():
            return AccessRefused(_QUEUES)
        case other:
            return FleetError(f"the broker cannot be reached ({type(other).__name__})")
