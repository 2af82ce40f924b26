"""Knows whether this process was forked, without asking the kernel who it is on each call."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

on_fork: Final[list[Callable[[], None]]] = []
"""Called in the child of each fork, before anything else of it runs."""

_forks = 0


def forks() -> int:
    """Return how many forks lie between this process and the one that imported this module."""
    return _forks


def _count() -> None:
    global _forks  # noqa: PLW0603 - a process is forked or not, whoever asks
    _forks += 1
    for action in on_fork:
        action()


if hasattr(os, "register_at_fork"):  # where processes can fork
    os.register_at_fork(after_in_child=_count)
