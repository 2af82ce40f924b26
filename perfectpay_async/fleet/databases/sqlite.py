"""SQLite: a ledger for workers that are all on one machine. It needs no server."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Final

from perfectpay_async.bulk.jobs.errors import JobRefused, JournalError
from perfectpay_async.bulk.jobs.file_systems import refuse_network_file_system
from perfectpay_async.bulk.jobs.lock import FileLock
from perfectpay_async.fleet.errors import LedgerAway, LedgerError

_PATIENCE: Final = 10.0


class SqliteDatabase:
    """A file that the processes of one machine share.

    Args:
        path: The file. It is made if there is none, for nobody else to read.
    """

    now: ClassVar[str] = "((julianday('now') - 2440587.5) * 86400.0)"
    for_update: ClassVar[str] = ""  # a transaction that writes is alone anyway
    blob: ClassVar[str] = "BLOB"

    def __init__(self, path: Path) -> None:
        self.on_lost: Callable[[], None] | None = None
        self._path = path
        self._names = path.with_name(f"{path.name}.workers")
        self._database: sqlite3.Connection | None = None
        self._locks: dict[str, FileLock] = {}
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def transaction(self, *, alone: bool = False) -> AsyncGenerator[None]:  # noqa: ARG002 - it always is
        """Make what is done in the context durable together, or not at all."""
        async with self._turn:
            await self._call(self._connect)
            committed = False
            try:
                await self.fetch("BEGIN IMMEDIATE")
                yield
                await self.fetch("COMMIT")
                committed = True
            finally:
                if not committed:
                    with suppress(LedgerError):
                        await self._call(self._roll_back)

    async def fetch(self, query: str, *values: Any) -> list[Sequence[Any]]:
        """Run one statement in the transaction, and return the rows that it gives."""
        found: list[Sequence[Any]] = await self._call(
            lambda: self._connect().execute(_marks(query), values).fetchall()
        )
        return found

    async def run_many(self, query: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for many rows of values in the transaction."""
        await self._call(lambda: self._connect().executemany(_marks(query), rows))

    async def run_script(self, script: str) -> None:
        """Run statements without values in the transaction."""
        for statement in script.split(";"):
            await self.fetch(statement)

    async def hold(self, name: str) -> None:
        """Hold a name until the process ends."""
        try:
            # In this thread, which is the one that may close it; it does not wait for anybody.
            self._locks[name] = FileLock(self._names / name, name)
        except (JobRefused, JournalError) as error:
            raise LedgerError(error.message) from error

    async def drop(self, name: str) -> None:
        """Hold a name no more."""
        if lock := self._locks.pop(name, None):
            lock.close()
            (self._names / name).unlink(missing_ok=True)

    async def held(self, names: Collection[str]) -> set[str]:
        """Return those of the names that somebody holds."""
        found: set[str] = await self._call(lambda: {n for n in names if self._is_held(n)})
        return found

    async def close(self) -> None:
        """Close the file."""
        async with self._turn:
            for name in tuple(self._locks):
                await self.drop(name)
            if self._database is not None:
                self._database.close()
                self._database = None

    def _roll_back(self) -> None:
        if self._database is not None and self._database.in_transaction:
            self._database.execute("ROLLBACK")

    def _is_held(self, name: str) -> bool:
        if name in self._locks:
            return True
        if not (self._names / name).exists():
            return False
        try:
            FileLock(self._names / name, name).close()
        except JobRefused:
            return True
        return False

    def _connect(self) -> sqlite3.Connection:
        if self._database is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            refuse_network_file_system(self._path)
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            self._database = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False, timeout=_PATIENCE
            )
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
        return self._database

    async def _call(self, function: Callable[[], Any]) -> Any:
        thread = asyncio.ensure_future(asyncio.to_thread(function))
        try:
            return await asyncio.shield(thread)
        except asyncio.CancelledError:
            # A thread cannot be cancelled, and the next statement must not come in between.
            await asyncio.wait([thread])
            raise
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "") or type(error).__name__
            kind = LedgerAway if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")) else LedgerError
            raise kind(f"the ledger {self._path} cannot be read or written ({name})") from error
        except OSError as error:
            raise LedgerError(
                f"the ledger {self._path} cannot be opened: {error.strerror}"
            ) from error
        except JournalError as error:
            raise LedgerError(error.message) from error


def _marks(query: str) -> str:
    return query.replace("$", "?")
