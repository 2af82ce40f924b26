"""How long importing takes, beside importing aiohttp alone.

    python -m benchmarks.imports

Fresh processes take turns; the CPU time of the interpreter's own start is taken off.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
from typing import Final

ROUNDS: Final = 15
STATEMENTS: Final = {
    "nothing": "pass",
    "aiohttp": "import aiohttp",
    "import perfectpay_async": "import perfectpay_async",
    "from perfectpay_async import PerfectPay": "from perfectpay_async import PerfectPay",
    "perfectpay --help": "import contextlib, sys; sys.argv[1:] = ['--help']\n"
    "from perfectpay_async.cli import main\nwith contextlib.suppress(SystemExit): main()",
}


def _cpu_seconds(code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure, and print milliseconds and ratios."""
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(ROUNDS):
        for name, code in STATEMENTS.items():
            times[name].append(_cpu_seconds(code))
    start = statistics.median(times.pop("nothing"))
    own = {name: statistics.median(values) - start for name, values in times.items()}
    for name, seconds in own.items():
        print(f"{name:42} {seconds * 1e3:6.0f} ms CPU  {seconds / own['aiohttp']:5.2f} x aiohttp")


if __name__ == "__main__":
    main()
