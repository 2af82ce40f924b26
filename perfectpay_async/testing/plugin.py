"""The pytest plugin: fixtures for a sandbox, a client on it, and doubles without a socket.

pytest loads this module wherever the library is installed, so it imports nothing but pytest; a
fixture imports what it needs when a test asks for it. All fixtures are synchronous: they work with
pytest-asyncio (auto and strict), with anyio's plugin on asyncio, and with `asyncio.run`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from perfectpay_async.client import PerfectPay
    from perfectpay_async.sandbox import FaultPlan, Ledger, Sandbox

    from .mock_transport import MockTransport
    from .mocked_api import MockedApi


@pytest.fixture
def perfectpay_sandbox_options() -> dict[str, Any]:
    """Settings of the sandbox; override it for another dialect, rate limit, seed or clock."""
    return {}


@pytest.fixture
def perfectpay_sandbox(perfectpay_sandbox_options: dict[str, Any]) -> Iterator[Sandbox]:
    """A PerfectPay on this machine, empty and without faults, for one test."""
    from perfectpay_async.sandbox import Sandbox

    from .threaded_sandbox import serve_in_thread

    with serve_in_thread(Sandbox(**perfectpay_sandbox_options)) as sandbox:
        yield sandbox


@pytest.fixture
def perfectpay_faults(perfectpay_sandbox: Sandbox) -> FaultPlan:
    """What goes wrong in the sandbox."""
    return perfectpay_sandbox.faults


@pytest.fixture
def perfectpay_ledger(perfectpay_sandbox: Sandbox) -> Ledger:
    """What the sandbox was asked, and what it wrote."""
    return perfectpay_sandbox.ledger


@pytest.fixture
def perfectpay_client(perfectpay_sandbox: Sandbox) -> Iterator[PerfectPay]:
    """A client on the sandbox, in the event loop that it is first used in; it is closed for you."""
    from perfectpay_async.client import PerfectPay

    from .loop_bound import LoopBoundTransport

    transport = LoopBoundTransport()
    yield PerfectPay(
        perfectpay_sandbox.api_key, base_url=perfectpay_sandbox.url, transport=transport
    )
    transport.end()


@pytest.fixture
def perfectpay_env(perfectpay_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Points `PerfectPay.from_env()` at the sandbox."""
    monkeypatch.setenv("PERFECTPAY_API_KEY", perfectpay_sandbox.api_key)
    monkeypatch.setenv("PERFECTPAY_BASE_URL", perfectpay_sandbox.url)


@pytest.fixture
def perfectpay_mock() -> Iterator[MockTransport]:
    """A transport without a socket; what was expected of it is verified after the test."""
    from .mock_transport import MockTransport

    with MockTransport() as mock:
        yield mock


@pytest.fixture
def perfectpay_mocked_api() -> Iterator[MockedApi]:
    """`aioresponses` on every supported aiohttp; it needs the extra `testing`."""
    try:
        from .mocked_api import MockedApi
    except ModuleNotFoundError as missing:
        raise pytest.UsageError(
            "perfectpay_mocked_api needs aioresponses: pip install 'perfectpay-async[testing]'"
        ) from missing
    with MockedApi() as api:
        yield api
