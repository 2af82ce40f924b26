"""Bulk work: updates of any number of cards, bounded, ordered per card, and accounted for."""

from .controller import RateFigures
from .report import BulkReport, RowResult, Tally, Verdict
from .rows import BadRow, ExpiryRow, InputRefused
from .runner import Bulk
from .sources import read_csv, read_rows

__all__ = [
    "BadRow",
    "Bulk",
    "BulkReport",
    "ExpiryRow",
    "InputRefused",
    "RateFigures",
    "RowResult",
    "Tally",
    "Verdict",
    "read_csv",
    "read_rows",
]
