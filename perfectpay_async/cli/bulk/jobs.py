"""Which job a command is about, and where jobs are kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import click

from perfectpay_async.bulk.jobs import JobStore

STATE_DIR: Final = "PERFECTPAY_STATE_DIR"

_Command = TypeVar("_Command", bound=Callable[..., int])


def default_directory() -> Path:
    """Return where jobs are kept when nothing else is said."""
    state = os.environ.get("XDG_STATE_HOME")
    return Path(state or Path.home() / ".local" / "state") / "perfectpay"


def _store(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> JobStore:
    return JobStore(value or default_directory())


def elsewhere(store: JobStore) -> list[str]:
    """Return what a command must be told besides, to find a job: nothing where jobs usually are."""
    if store.directory == default_directory():
        return []
    return ["--state-dir", str(store.directory)]


def store_option(command: _Command) -> _Command:
    """Give a command `--state-dir`; it gets the jobs in there as `store`."""
    return click.option(
        "--state-dir",
        "store",
        type=click.Path(file_okay=False, path_type=Path),
        envvar=STATE_DIR,
        metavar="DIRECTORY",
        callback=_store,
        help=f"Where jobs are kept; by default {STATE_DIR}, or a directory of your own.",
    )(command)
