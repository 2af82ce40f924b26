"""Looks into tracebacks, as an error tracker does."""

from __future__ import annotations

from collections.abc import Callable
from traceback import TracebackException

import pytest


def locals_in_library(error: BaseException) -> str:
    shown: list[str] = []
    pending: list[TracebackException | None] = [
        TracebackException.from_exception(error, capture_locals=True)
    ]
    while pending:
        if (report := pending.pop()) is not None:
            pending += [report.__cause__, report.__context__]
            shown += [
                f"{name}={value}"
                for frame in report.stack
                if "/perfectpay_async/" in frame.filename
                for name, value in (frame.locals or {}).items()
            ]
    return "\n".join([str(error), *shown])


@pytest.fixture
def what_a_tracker_sees() -> Callable[[BaseException], str]:
    """The error's text and the local variables of all frames of the library in its traceback."""
    return locals_in_library
