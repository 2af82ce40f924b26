"""One change of one saved method, and how it went. It knows no web framework."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from perfectpay_async import CustomerPaymentMethod, PerfectPayError

from .methods import CustomerMethods
from .words import Result, result_of

Change: TypeAlias = Callable[[CustomerMethods, CustomerPaymentMethod], Awaitable[None]]
"""Such as `CustomerMethods.delete`."""

_log: Final = logging.getLogger(__name__)


async def carry_out(change: Change, mine: CustomerMethods, method_id: str) -> Result:
    """Change one of the customer's methods and return how it went.

    Args:
        change: What to do.
        mine: The customer's methods.
        method_id: Which one. One of another customer counts as gone, so that nobody learns of it.

    Raises:
        PerfectPayError: The method could not be looked up: nothing was changed, whatever the
            outcome of this read says.
    """
    method = await mine.find(method_id)
    if method is None:
        return Result.GONE
    try:
        await change(mine, method)
    except PerfectPayError as error:
        _log.warning("%s", error)
        return result_of(error)
    return Result.DONE
