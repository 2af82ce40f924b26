"""Locks between processes. They end with the process, however it ends."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from .errors import JobRefused, JournalError

_PATIENCE: Final = 0.5
"""Seconds to wait for a lock: whoever only looks whether it is taken holds it for an instant."""


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
            # Only a new file is opened here: to close one again takes away all locks that this
            # process has on it (POSIX), those of SQLite too.
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            self._database = sqlite3.connect(path, isolation_level=None, timeout=_PATIENCE)
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
    return FileLock(_lock_of(journal), f"another process is running the job {journal}")


def is_running(journal: Path) -> bool:
    """Return whether a process has the job. It makes no file, and several may ask at once."""
    address = f"{_lock_of(journal).absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=0.0)) as database:
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        return "locked" in str(error)
    return False


def _lock_of(journal: Path) -> Path:
    return journal.with_name(f"{journal.name}.lock")


def _said(error: OSError | sqlite3.Error) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
