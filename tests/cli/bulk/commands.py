"""What the tests of the bulk commands have in common."""

from __future__ import annotations

import time
from collections.abc import Callable

from perfectpay_async.cli.app import run
from perfectpay_async.sandbox import LedgerRequest, Sandbox

UPDATE = "payment_methods.update"


def bulk(*arguments: object) -> int:
    """Run a bulk command and return its exit code."""
    return run(["bulk", *map(str, arguments)])


def updates(sandbox: Sandbox) -> list[LedgerRequest]:
    """Return the updates that have arrived."""
    return [request for request in sandbox.ledger.requests if request.operation == UPDATE]


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)
