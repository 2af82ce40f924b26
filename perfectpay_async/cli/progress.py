"""Progress on stderr: a live bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from perfectpay_async.bulk import Tally, Verdict
from perfectpay_async.bulk.counted import counted

LINE_EVERY: Final = 10.0
_BAR_EVERY: Final = 0.1
_BAR_WIDTH: Final = 16


@asynccontextmanager
async def show_progress(
    tally: Tally, total: int | None, console: Console | None
) -> AsyncGenerator[None]:
    """Show what `tally` counts for as long as the context is open.

    Args:
        tally: Counts the results.
        total: Rows of the input, or None when it is not known.
        console: Where to show it, or None for nowhere.
    """
    if console is None:
        yield
        return
    show = _show_bar if console.is_interactive else _show_lines
    task = asyncio.create_task(show(tally, total, console))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _show_bar(tally: Tally, total: int | None, console: Console) -> None:
    columns = (BarColumn(_BAR_WIDTH), TextColumn("{task.fields[text]}"), TimeElapsedColumn())
    # Without rich's own thread: a bar that moves while the event loop hangs would be a lie.
    with Progress(*columns, console=console, auto_refresh=False) as progress:
        bar = progress.add_task("", total=total, completed=tally.rows, text="")
        shown = progress.tasks[0]

        def draw() -> None:
            text = _text(tally, total, shown.finished_speed or shown.speed or 0.0)
            progress.update(bar, completed=tally.rows, text=text, refresh=True)

        try:
            while True:
                draw()
                await asyncio.sleep(_BAR_EVERY)
        finally:
            draw()


async def _show_lines(tally: Tally, total: int | None, console: Console) -> None:
    shown = tally.rows
    while True:
        await asyncio.sleep(LINE_EVERY)
        rows = tally.rows
        console.print(
            _text(tally, total, (rows - shown) / LINE_EVERY), highlight=False, soft_wrap=True
        )
        shown = rows


def _text(tally: Tally, total: int | None, rate: float) -> str:
    counts = tally.counts
    failed = counts[Verdict.REJECTED] + counts[Verdict.EXHAUSTED] + counts[Verdict.INVALID]
    rows = counted(tally.rows if total is None else total, "row")
    done = "" if total is None else f"{tally.rows:,}/"
    return (
        f"{done}{rows}  {rate:,.0f}/s  ok {counts[Verdict.OK]:,}  retried {tally.retried:,}  "
        f"failed {failed:,}  unknown {counts[Verdict.UNKNOWN]:,}{_control(tally, total)}"
    )


def _control(tally: Tally, total: int | None) -> str:
    """Return what the rate control does, and when it will be done at the granted rate."""
    figures = tally.rate
    if figures is None:
        return ""
    waiting = f"waiting: {figures.trouble}" if figures.trouble else "waiting for the server"
    parts = [f"granted {figures.granted:,.0f}/s" if figures.gate_open else waiting]
    if figures.cuts:
        parts.append(f"cuts {figures.cuts:,}")
    if figures.gate_seconds:
        parts.append(f"gate {figures.gate_seconds:,.0f} s")
    if figures.rejected:
        parts.append(f"rejected {figures.rejected_share:.1%}")
    if total is not None and figures.gate_open:
        left = round(max(0, total - tally.rows) / figures.granted)
        parts.append(f"ETA {timedelta(seconds=left)}")
    return "  " + "  ".join(parts)
