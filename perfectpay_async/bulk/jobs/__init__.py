"""Jobs: bulk updates whose account outlives the process, each in a journal of its own."""

from .account import JobAccount, read_account
from .errors import JobRefused, JournalError
from .job import BulkJob, JobFacts
from .records import ProblemGroup, RunRecord, Sample
from .remaining import RemainingRows
from .store import JobEntry, JobStore
from .writer import JournalWriter

__all__ = [
    "BulkJob",
    "JobAccount",
    "JobEntry",
    "JobFacts",
    "JobRefused",
    "JobStore",
    "JournalError",
    "JournalWriter",
    "ProblemGroup",
    "RemainingRows",
    "RunRecord",
    "Sample",
    "read_account",
]
