"""What helps to test code that uses the client: a pytest plugin, doubles, and a clock.

Importing this package imports none of its parts: pytest loads the plugin wherever this library is
installed, and must not wait for an HTTP client there.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .answers import Answer, deleted, payment_method, payment_method_list
    from .mock_transport import MockTransport
    from .mocked_api import MockedApi
    from .threaded_sandbox import serve_in_thread
    from .virtual_clock import VirtualClock

__all__ = [
    "Answer",
    "MockTransport",
    "MockedApi",
    "VirtualClock",
    "deleted",
    "payment_method",
    "payment_method_list",
    "serve_in_thread",
]

_HOMES = {
    "Answer": "answers",
    "MockTransport": "mock_transport",
    "MockedApi": "mocked_api",
    "VirtualClock": "virtual_clock",
    "deleted": "answers",
    "payment_method": "answers",
    "payment_method_list": "answers",
    "serve_in_thread": "threaded_sandbox",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
