"""The databases that can hold a ledger: they differ in a few words of SQL and in how it is sent."""

from .base import Database
from .sqlite import SqliteDatabase

__all__ = ["Database", "SqliteDatabase"]
