"""A sandbox in a thread of its own, so that tests of any kind can use it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager

from perfectpay_async.sandbox import Sandbox


@contextmanager
def serve_in_thread(sandbox: Sandbox) -> Generator[Sandbox]:
    """Run a sandbox in an event loop and thread of its own while the block lasts.

    It serves async tests of every plugin, tests that call `asyncio.run`, and synchronous ones.
    Faults may be added and the ledger read at any time; seed customers and cards while no request
    is under way.

    Args:
        sandbox: One that is not started.

    Raises:
        OSError: The port is taken.

    Examples:
        >>> with serve_in_thread(Sandbox()) as sandbox:
        ...     print(sandbox.url.rpartition(":")[0])
        http://127.0.0.1
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="perfectpay-sandbox", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(sandbox.start(), loop).result()
        try:
            yield sandbox
        finally:
            asyncio.run_coroutine_threadsafe(sandbox.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
