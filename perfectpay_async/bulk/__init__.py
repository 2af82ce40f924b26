"""Bulk work: updates of any number of cards, bounded, ordered per card, and accounted for."""

from .report import BulkReport, RowResult, Tally, Verdict
from .rows import BadRow, ExpiryRow, InputRefused, read_csv
from .runner import Bulk

__all__ = [
    "BadRow",
    "Bulk",
    "BulkReport",
    "ExpiryRow",
    "InputRefused",
    "RowResult",
    "Tally",
    "Verdict",
    "read_csv",
]
