"""What can be wrong with a job or its journal, each in one sentence."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from perfectpay_async.errors import PerfectPayError


class JournalError(PerfectPayError):
    """The journal cannot be read or written. Nothing is sent that it could not record."""


class JobRefused(PerfectPayError):  # noqa: N818 - says what happened, as all our errors do
    """The job is in use, was begun with another input or host, or a newer job has replaced it."""


@contextmanager
def said_well(path: Path) -> Generator[None]:
    """Turn what SQLite says into one sentence."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or type(error).__name__
        raise JournalError(f"the journal {path} {_reason(name)}") from error


def _reason(name: str) -> str:
    if name.startswith("SQLITE_FULL"):
        return "cannot be written: the disk is full; make room and resume the job"
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_CANTOPEN")):
        return "cannot be written: the file or its directory is read-only"
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return "is damaged, or is not a journal of a bulk job"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return "is in use by another program"
    return f"cannot be read or written ({name})"
