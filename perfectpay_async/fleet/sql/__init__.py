"""The ledger in a database: the same statements for PostgreSQL and for SQLite."""

from .ledger import SqlLedger

__all__ = ["SqlLedger"]
