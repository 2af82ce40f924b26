"""What the ledger needs of a database."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Protocol


class Database(Protocol):
    """One connection to a database.

    Attributes:
        now: SQL for the database's clock, in seconds since 1970.
        for_update: SQL that locks the rows a query finds.
        blob: Its type for bytes.
        on_lost: Called in the event loop when the connection has ended by itself. Whoever held a
            name by it holds it no more.
    """

    now: ClassVar[str]
    for_update: ClassVar[str]
    blob: ClassVar[str]
    on_lost: Callable[[], None] | None

    def transaction(self, *, alone: bool = False) -> AbstractAsyncContextManager[None]:
        """Make what is done in the context durable together, or not at all.

        Args:
            alone: Whether no other transaction that says so is under way meanwhile, in any process.

        Raises:
            LedgerAway: The database cannot be reached.
        """
        ...

    async def fetch(self, query: str, *values: Any) -> list[Sequence[Any]]:
        """Run one statement in the transaction, and return the rows that it gives.

        Args:
            query: The statement, with `$1`, `$2` and so on for the values.
            *values: The values.
        """
        ...

    async def run_many(self, query: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for many rows of values in the transaction."""

    async def run_script(self, script: str) -> None:
        """Run statements without values in the transaction."""

    async def hold(self, name: str) -> None:
        """Hold a name until the connection ends, which it does with the process."""

    async def drop(self, name: str) -> None:
        """Hold a name no more."""

    async def held(self, names: Collection[str]) -> set[str]:
        """Return those of the names that somebody holds. To be called in a transaction."""
        ...

    async def close(self) -> None:
        """Close the connection."""
