"""Locks between processes. They end with the process, however it ends."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from .errors import JobRefused, JournalError


class FileLock:
    """An exclusive lock. SQLite's own works on every system, and needs no cleaning up.

    Args:
        path: The file to lock. It is made if there is none, and stays.
        taken: What to say when another process has it.

    Raises:
        JobRefused: Another process has it.
        JournalError: The file cannot be made or locked.
    """

    def __init__(self, path: Path, taken: str) -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._database = sqlite3.connect(path, isolation_level=None, timeout=0.0)
        except (OSError, sqlite3.Error) as error:
            raise JournalError(f"{path} cannot be made or opened: {_said(error)}") from error
        try:
            self._database.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            self._database.close()
            if "locked" in str(error):
                raise JobRefused(taken) from None
            raise JournalError(f"{path} cannot be locked: {error}") from error

    def close(self) -> None:
        """Let others have it."""
        self._database.close()


def lock_job(journal: Path) -> FileLock:
    """Lock a job for this process.

    Raises:
        JobRefused: Another process has it.
        JournalError: The lock cannot be made.
    """
    return FileLock(
        journal.with_name(f"{journal.name}.lock"), f"another process is running the job {journal}"
    )


def is_running(journal: Path) -> bool:
    """Return whether a process has the job."""
    try:
        lock_job(journal).close()
    except JobRefused:
        return True
    except JournalError:
        return False
    return False


def _said(error: OSError | sqlite3.Error) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
