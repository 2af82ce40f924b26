"""PostgreSQL, through asyncpg.

Asyncpg and not psycopg: it tells at once when the connection has ended, and by that a worker knows
that it must send nothing more. Names are held by advisory locks, which end with the connection, so
there must be no pooler in between that shares connections among transactions.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from typing import Any, ClassVar, Final

from perfectpay_async.errors import ConfigurationError
from perfectpay_async.fleet.errors import LedgerAway, LedgerError

_NAMES: Final = 0x50504657  # "PPFW": the advisory locks of the workers
_ALONE: Final = 0x50504641  # "PPFA"
_PATIENCE: Final = 10.0
# A machine that has vanished is found out by these, and not by the end of its connection.
_SETTINGS: Final = {
    "application_name": "perfectpay-fleet",
    # A process that is frozen in the middle of a transaction must not hold its locks: the others
    # could not renew their leases.
    "idle_in_transaction_session_timeout": "5000",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


class PostgresDatabase:
    """A connection to PostgreSQL 13 or later, made when it is first needed and again when it ended.

    Args:
        url: Where it is, `postgresql://user@host/database`.

    Raises:
        ConfigurationError: asyncpg is not installed.
    """

    now: ClassVar[str] = "extract(epoch FROM clock_timestamp())::double precision"
    for_update: ClassVar[str] = "FOR UPDATE"
    blob: ClassVar[str] = "BYTEA"

    def __init__(self, url: str) -> None:
        try:
            self._asyncpg: Any = import_module("asyncpg")
        except ImportError:
            raise ConfigurationError(
                "a ledger in PostgreSQL needs asyncpg; "
                'install it with: pip install "perfectpay-async[fleet]"'
            ) from None
        self._broken: Any = (
            self._asyncpg.PostgresConnectionError,
            self._asyncpg.CannotConnectNowError,  # it starts, or shuts down
            self._asyncpg.AdminShutdownError,
            self._asyncpg.CrashShutdownError,
            self._asyncpg.InternalClientError,  # what follows on one of these
            OSError,
            TimeoutError,
        )
        self.on_lost: Callable[[], None] | None = None
        self._url = url
        self._connection: Any = None
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def transaction(self, *, alone: bool = False) -> AsyncGenerator[None]:
        """Make what is done in the context durable together, or not at all."""
        async with self._turn:
            await self._connect()
            try:
                async with self._connection.transaction():
                    if alone:
                        await self.fetch("SELECT pg_advisory_xact_lock($1)", _ALONE)
                    yield
            except (*self._broken, self._asyncpg.InterfaceError) as error:
                self._lose()
                raise LedgerAway(_away(error)) from None
            except self._asyncpg.PostgresError as error:
                raise LedgerError(f"the ledger failed with {type(error).__name__}") from error

    async def fetch(self, query: str, *values: Any) -> list[Sequence[Any]]:
        """Run one statement in the transaction, and return the rows that it gives."""
        found: list[Sequence[Any]] = await self._connection.fetch(query, *values, timeout=_PATIENCE)
        return found

    async def run_many(self, query: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for many rows of values in the transaction."""
        await self._connection.executemany(query, rows)

    async def run_script(self, script: str) -> None:
        """Run statements without values in the transaction."""
        await self._connection.execute(script)

    async def hold(self, name: str) -> None:
        """Hold a name until the connection ends."""
        async with self.transaction():
            await self.fetch("SELECT pg_advisory_lock($1::int, $2::int)", _NAMES, _number(name))

    async def drop(self, name: str) -> None:
        """Hold a name no more."""
        async with self.transaction():
            await self.fetch("SELECT pg_advisory_unlock($1::int, $2::int)", _NAMES, _number(name))

    async def held(self, names: Collection[str]) -> set[str]:
        """Return those of the names that somebody holds."""
        found = await self.fetch(
            "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted AND "
            "classid::bigint = $1 AND database = (SELECT oid FROM pg_database WHERE "
            "datname = current_database())",
            _NAMES,
        )
        numbers = {number for (number,) in found}
        return {name for name in names if _number(name) in numbers}

    async def close(self) -> None:
        """Close the connection."""
        async with self._turn:
            if self._connection is not None:
                connection, self._connection = self._connection, None
                connection.remove_termination_listener(self._ended)
                with suppress(Exception):
                    await connection.close(timeout=_PATIENCE)

    async def _connect(self) -> None:
        if self._connection is not None:
            return
        try:
            connection = await self._asyncpg.connect(
                self._url, timeout=_PATIENCE, server_settings=_SETTINGS
            )
        except self._broken as error:
            raise LedgerAway(_away(error)) from None
        except (self._asyncpg.PostgresError, self._asyncpg.InterfaceError, ValueError) as error:
            # Its message may quote the address, and with it the password.
            raise LedgerError(
                f"the ledger does not let us in ({type(error).__name__}); look at the address, "
                "the user and the password"
            ) from None
        connection.add_termination_listener(self._ended)
        self._connection = connection

    def _ended(self, connection: Any) -> None:
        if connection is self._connection:
            self._lose()

    def _lose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.remove_termination_listener(self._ended)
            connection.terminate()
            if self.on_lost is not None:
                self.on_lost()


def _number(name: str) -> int:
    """Return the number of a name's lock: 31 bits, which are the same in a signed type."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big") >> 1


def _away(error: BaseException) -> str:
    return f"the ledger cannot be reached ({type(error).__name__})"
