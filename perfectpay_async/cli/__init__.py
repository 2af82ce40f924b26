"""The `perfectpay` command. It needs the `cli` extra: click and rich."""

from __future__ import annotations

import sys
from importlib.util import find_spec


def main() -> None:
    """Run the command line and end the process with its exit code."""
    if find_spec("click") is None or find_spec("rich") is None:
        sys.stderr.write(
            "The perfectpay command needs click and rich; install them with\n"
            '    pip install "perfectpay-async[cli]"\n'
        )
        sys.exit(2)
    from .app import run

    sys.exit(run())
