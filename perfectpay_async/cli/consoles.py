"""Where the commands write: data to stdout, everything else to stderr."""

from __future__ import annotations

from rich.console import Console


def stdout_console() -> Console:
    """Return a console for data."""
    return Console(highlight=False, soft_wrap=True)


def stderr_console() -> Console:
    """Return a console for progress and problems."""
    return Console(stderr=True, highlight=False, soft_wrap=True)
