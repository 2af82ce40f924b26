"""A PerfectPay on loopback: keeps state, enforces the contract, injects faults, keeps a ledger.

It is written from the API's contract with plain dictionaries and shares no code with the client, so
that a mistake in one cannot hide in the other.

Examples:
    >>> async def main():
    ...     async with Sandbox() as sandbox:
    ...         sandbox.faults.add(Fault.status(503, probability=0.05))
    ...         print(sandbox.url, sandbox.api_key)
"""

from .faults import Fault, FaultPlan
from .ledger import Ledger, LedgerRequest, LedgerWrite
from .server import Sandbox
from .store import Store

__all__ = ["Fault", "FaultPlan", "Ledger", "LedgerRequest", "LedgerWrite", "Sandbox", "Store"]
