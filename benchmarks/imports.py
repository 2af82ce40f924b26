"""How long importing takes, beside importing aiohttp alone.

    python -m benchmarks.imports

Fresh processes take turns; the CPU time of the interpreter's own start is taken off. They find
bytecode, as with everything that is installed: a first round has left it in a directory of its own.
A checkout may have none, and to compile it each time would be measured as a part of importing it.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
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


def _cpu_seconds(code: str, env: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, env=env, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure, and print milliseconds and ratios."""
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    with tempfile.TemporaryDirectory() as bytecode:
        env = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        for code in STATEMENTS.values():
            _cpu_seconds(code, env)
        for _ in range(ROUNDS):
            for name, code in STATEMENTS.items():
                times[name].append(_cpu_seconds(code, env))
    start = statistics.median(times.pop("nothing"))
    own = {name: statistics.median(values) - start for name, values in times.items()}
    for name, seconds in own.items():
        print(f"{name:42} {seconds * 1e3:6.0f} ms CPU  {seconds / own['aiohttp']:5.2f} x aiohttp")


if __name__ == "__main__":
    main()
