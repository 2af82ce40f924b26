"""What can be wrong in a fleet, each in one sentence."""

from __future__ import annotations

from perfectpay_async.errors import PerfectPayError


class LedgerError(PerfectPayError):
    """The ledger cannot be used: it is none, or of a newer version, or refuses the work."""


class LedgerAway(LedgerError):  # noqa: N818 - says what happened, as all our errors do
    """The ledger cannot be reached at the moment. Nothing is sent that it could not record."""


class SessionLost(LedgerError):  # noqa: N818 - as above
    """The worker's lease has ended, so others may have its chunks; it sends nothing more."""


class MessageNotUnderstood(PerfectPayError):  # noqa: N818 - as above
    """The message is not about a chunk, or was made by another version of this library."""


class FleetError(PerfectPayError):
    """The broker or the rate pool cannot be used."""


class AccessRefused(FleetError):  # noqa: N818 - as above
    """The broker or Redis refuses the login, or what it asks for; trying again does not help."""
