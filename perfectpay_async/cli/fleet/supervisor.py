"""Keeps several worker processes running."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import click

from perfectpay_async.cli.exits import ExitCode
from perfectpay_async.cli.signals import call_on_signals

_PAUSE: Final = 1.0
_KILL_AFTER: Final = 30.0


async def supervise(arguments: Sequence[str], processes: int, grace: float) -> int:
    """Run so many processes of this command until a signal; start those again that die.

    A process that ends by itself with an error, such as a ledger that cannot be used, ends all:
    the others would meet it too.

    Args:
        arguments: The arguments of each.
        processes: How many.
        grace: Seconds that they need to end.

    Returns:
        The exit code.
    """
    stopping = asyncio.Event()
    children: dict[int, asyncio.subprocess.Process] = {}
    codes: list[int] = []

    async def keep(place: int) -> None:
        while not stopping.is_set():
            child = children[place] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", "from perfectpay_async.cli import main; main()"),
                *arguments,
                # When this process dies, however it does, the pipe ends and they drain.
                stdin=asyncio.subprocess.PIPE,
                # Ctrl-C reaches them once, through this process.
                start_new_session=True,
            )
            code = await child.wait()
            if stopping.is_set():
                return
            if code in {ExitCode.DONE, -signal.SIGKILL, ExitCode.BUG} or code < 0:
                click.echo(f"A worker process ended with {code}; it is started again.", err=True)
                await asyncio.sleep(_PAUSE)
                continue
            codes.append(code)
            stop(signal.SIGTERM)

    def stop(_number: int) -> None:
        stopping.set()
        for child in children.values():
            with suppress(ProcessLookupError):
                child.terminate()

    with call_on_signals(stop):
        keepers = [asyncio.create_task(keep(place)) for place in range(processes)]
        waiting = asyncio.create_task(stopping.wait())
        await asyncio.wait([waiting, *keepers], return_when=asyncio.FIRST_COMPLETED)
        await stopping.wait()
        _, late = await asyncio.wait(keepers, timeout=grace + _KILL_AFTER)
        if late:
            for child in children.values():
                with suppress(ProcessLookupError):
                    child.kill()
            await asyncio.wait(late)
    return codes[0] if codes else ExitCode.DONE
