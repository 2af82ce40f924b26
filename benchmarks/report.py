"""The results as a table, as JSON and as a plot."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .measure import Figure, Scenario

Results = dict[Scenario, list[Figure]]

_LIBRARIES = (
    "aiohttp", "attrs", "cattrs", "tenacity", "orjson", "uvloop", "httpx", "stripe", "pydantic",
    "aiohttp-retry", "openapi-python-client",
)  # fmt: skip


def circumstances(server: str) -> dict[str, str]:
    found = {"python": platform.python_version(), "server": server}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def table(results: Results) -> str:
    lines: list[str] = []
    for scenario, figures in results.items():
        lines.append(f"\n{scenario.label}")
        lines.extend(
            f"  {figure.contender:38} {figure.loop:7} {figure.ratio:6.2f} x  "
            f"{figure.microseconds:8.0f} us CPU  {figure.requests_per_second:7.0f} requests/s"
            for figure in sorted(figures, key=lambda figure: figure.ratio)
        )
    return "\n".join(lines)


def write_json(
    path: Path, results: Results, facts: dict[str, str], skipped: dict[str, str]
) -> None:
    content: dict[str, Any] = {
        "circumstances": facts,
        "skipped": skipped,
        "results": [
            {"scenario": scenario._asdict(), "figures": [figure._asdict() for figure in figures]}
            for scenario, figures in results.items()
        ],
    }
    path.write_text(json.dumps(content, indent=1) + "\n")


def plot(path: Path, results: Results) -> bool:
    """Draw what an update costs, and how many a second there are; return whether it could."""
    try:
        import matplotlib as mpl
    except ImportError:
        return False
    mpl.use("svg" if path.suffix == ".svg" else "agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    cost = next(scenario for scenario in results if scenario[:2] == ("update", 32))
    bars = sorted(
        (one for one in results[cost] if one.loop == "asyncio"), key=lambda one: -one.ratio
    )
    colours = ["#c44" if "perfectpay" in one.contender else "#99a" for one in bars]
    left.barh([one.contender for one in bars], [one.ratio for one in bars], color=colours)
    left.bar_label(left.containers[0], fmt="%.2f", padding=2)
    left.set_xscale("log")
    left.set_xlim(right=2 * max(one.ratio for one in bars))
    left.set_title("CPU of an update, raw aiohttp = 1 (32 in flight)", fontsize=9)
    updates = [scenario for scenario in results if scenario == Scenario("update", scenario[1])]
    for name in ("raw aiohttp", "perfectpay_async", "aiohttp + tenacity + cattrs", "httpx"):
        for loop in ("asyncio", "uvloop"):
            points = [
                (scenario.in_flight, one.requests_per_second)
                for scenario in updates
                for one in results[scenario]
                if (one.contender, one.loop) == (name, loop)
            ]
            if len(points) > 1:
                style = "-o" if loop == "asyncio" else "--o"
                right.plot(
                    *zip(*points, strict=True), style, label=f"{name} ({loop})", markersize=3
                )
    right.set_xscale("log")
    right.set_title("updates a second on one core, by number in flight", fontsize=9)
    right.legend(fontsize=7)
    for axes in (left, right):
        axes.tick_params(labelsize=7)
    figure.savefig(path, dpi=90)
    return True
