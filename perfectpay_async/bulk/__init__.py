"""Bulk work: updates of any number of cards, bounded, ordered per card, and accounted for."""

from .controller import RateFigures
from .jobs import BulkJob, JobAccount, JobFacts, JobRefused, JournalError, read_account
from .report import BulkReport, RowResult, Tally, Verdict
from .rows import BadRow, ExpiryRow, InputRefused
from .run import BulkRun
from .runner import Bulk
from .settings import RunOptions, RunSettings, Shard
from .sources import read_csv, read_rows
from .stops import SafetyStop, SafetyStops
from .verification import Check, Finding, VerifyReport

__all__ = [
    "BadRow",
    "Bulk",
    "BulkJob",
    "BulkReport",
    "BulkRun",
    "Check",
    "ExpiryRow",
    "Finding",
    "InputRefused",
    "JobAccount",
    "JobFacts",
    "JobRefused",
    "JournalError",
    "RateFigures",
    "RowResult",
    "RunOptions",
    "RunSettings",
    "SafetyStop",
    "SafetyStops",
    "Shard",
    "Tally",
    "Verdict",
    "VerifyReport",
    "read_account",
    "read_csv",
    "read_rows",
]
