from __future__ import annotations

import asyncio
import io

import pytest
from rich.console import Console

from perfectpay_async.bulk import RateFigures, RowResult, Tally, Verdict
from perfectpay_async.cli import progress
from perfectpay_async.cli.progress import show_progress


@pytest.fixture
def tally() -> Tally:
    tally = Tally()
    for number in range(1_200):
        tally.add(RowResult(number, "pm", Verdict.OK, attempts=1 + (number < 7)))
    tally.add(RowResult(1, "pm", Verdict.REJECTED, attempts=1))
    tally.add(RowResult(2, "pm", Verdict.EXHAUSTED, attempts=1))
    tally.add(RowResult(3, None, Verdict.INVALID))
    tally.add(RowResult(4, "pm", Verdict.UNKNOWN, attempts=1))
    return tally


def console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=terminal, width=120, highlight=False), file


async def test_a_terminal_shows_a_bar_with_the_last_counts(tally):
    shown_on, file = console(terminal=True)

    async with show_progress(tally, 5_000, shown_on):
        await asyncio.sleep(0)

    assert "1,204/5,000 rows" in file.getvalue()
    assert "ok 1,200  retried 7  failed 3  unknown 1" in file.getvalue()


async def test_elsewhere_there_is_a_plain_line_now_and_then(tally, monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY", 0.02)
    shown_on, file = console(terminal=False)

    async with show_progress(tally, None, shown_on):
        await asyncio.sleep(0)
        tally.add(RowResult(5, "pm", Verdict.OK, attempts=1))
        while file.getvalue().count("\n") < 2:  # noqa: ASYNC110 - a console tells nobody
            await asyncio.sleep(0.01)

    lines = file.getvalue().splitlines()
    assert lines[0].startswith("1,205 rows  50/s  ok 1,201")
    assert lines[1].startswith("1,205 rows  0/s")
    assert "\x1b" not in file.getvalue()


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        (RateFigures(40.0, 8), "unknown 1  granted 40/s  ETA 0:01:35"),
        (
            RateFigures(20.0, 8, cuts=3, gate_seconds=7.2, requests=1_000, rejected=12),
            "granted 20/s  cuts 3  gate 7 s  rejected 1.2%  ETA 0:03:10",
        ),
        (
            RateFigures(0.5, 1, cuts=1, gate_open=False, requests=10, rejected=5),
            "waiting for the server  cuts 1  rejected 50.0%",
        ),
    ],
)
async def test_what_the_rate_control_does_is_shown(tally, figures, text, monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY", 0.02)
    tally.rate = figures
    shown_on, file = console(terminal=False)

    async with show_progress(tally, 5_000, shown_on):
        while not file.getvalue():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)

    assert text in file.getvalue()


async def test_nowhere_is_a_place_too(tally):
    before = asyncio.all_tasks()

    async with show_progress(tally, 10, None):
        assert asyncio.all_tasks() == before


@pytest.mark.parametrize("terminal", [True, False])
async def test_no_task_is_left(tally, terminal):
    before = asyncio.all_tasks()

    with pytest.raises(KeyError):
        async with show_progress(tally, 10, console(terminal=terminal)[0]):
            raise KeyError

    assert asyncio.all_tasks() == before
