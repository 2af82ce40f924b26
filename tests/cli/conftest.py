"""A sandbox in a thread, so that commands can run in the foreground as they do in a shell."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from perfectpay_async.sandbox import Sandbox

HEADER = "payment_method_id,exp_month,exp_year\n"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = Sandbox()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(60)
    yield server
    asyncio.run_coroutine_threadsafe(_stop(server), loop).result(60)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def _stop(server: Sandbox) -> None:
    await server.stop()
    for _ in range(10):  # what it had just accepted is closed some turns of the loop later
        await asyncio.sleep(0)


@pytest.fixture
def environment(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> pytest.MonkeyPatch:
    """The environment variables that point the commands at the sandbox, and at a place for jobs."""
    monkeypatch.setenv("PERFECTPAY_STATE_DIR", str(tmp_path / "jobs"))
    monkeypatch.delenv("PERFECTPAY_ENVIRONMENT", raising=False)
    monkeypatch.setenv("PERFECTPAY_API_KEY", sandbox.api_key)
    monkeypatch.setenv("PERFECTPAY_BASE_URL", sandbox.url)
    return monkeypatch


@pytest.fixture
def write_csv(tmp_path: Path) -> Callable[..., str]:
    """Writes a file of expiries: ids get a good new one, other lines are taken as they are."""

    def write(*lines: str, header: str = HEADER) -> str:
        path = tmp_path / "cards.csv"
        rows = [line if "," in line else f"{line},12,31" for line in lines]
        path.write_text(header + "".join(f"{row}\n" for row in rows))
        return str(path)

    return write


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the command in a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **settings: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", "from perfectpay_async.cli import main; main()", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **settings},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
