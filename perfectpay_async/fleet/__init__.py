"""The same bulk job on a fleet of workers, with a ledger in a database and any queue between them.

The ledger says of every row whether and how it ended, so losing a worker, the queue or the
coordinator loses nothing. This package is what every queue needs; `perfectpay_async.fleet.taskiq`
is a complete fleet on taskiq and RabbitMQ.
"""

from .coordinator import Coordinator
from .errors import (
    AccessRefused,
    FleetError,
    LedgerAway,
    LedgerError,
    MessageNotUnderstood,
    SessionLost,
)
from .ledger import Ledger, WorkerLedger, open_ledger
from .messages import ChunkMessage
from .planning import Plan, enter_job, plan_job
from .queues import ChunkQueue, SendingQueue
from .records import (
    ChunkReport,
    ChunkSlice,
    Ending,
    FleetJob,
    FleetSettings,
    JobState,
    Progress,
    WorkerEntry,
    WorkerFacts,
)
from .worker import FleetWorker

__all__ = [
    "AccessRefused",
    "ChunkMessage",
    "ChunkQueue",
    "ChunkReport",
    "ChunkSlice",
    "Coordinator",
    "Ending",
    "FleetError",
    "FleetJob",
    "FleetSettings",
    "FleetWorker",
    "JobState",
    "Ledger",
    "LedgerAway",
    "LedgerError",
    "MessageNotUnderstood",
    "Plan",
    "Progress",
    "SendingQueue",
    "SessionLost",
    "WorkerEntry",
    "WorkerFacts",
    "WorkerLedger",
    "enter_job",
    "open_ledger",
    "plan_job",
]
