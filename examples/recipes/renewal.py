"""What the web recipes have in common: one feature of a shop, and its failures over HTTP."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import NamedTuple

from perfectpay_async import (
    AttemptTimeout,
    BadRequest,
    CardExpiry,
    Conflict,
    DeadlineExceeded,
    InvalidRequestError,
    NotFound,
    Outcome,
    PerfectPay,
    PerfectPayError,
    RequestOptions,
    RouteNotFound,
    UnprocessableEntity,
)

LOG = logging.getLogger("shop.cards")
SECONDS = 8.0  # for one request of the browser, however many calls it takes
READS = {"payment_methods.list", "payment_methods.retrieve"}


async def renew(
    client: PerfectPay, customer_id: str, payment_method_id: str, expiry: str
) -> dict[str, str]:
    """Give one of the customer's own cards a new expiry."""
    now = asyncio.get_running_loop().time
    ends = now() + SECONDS
    new = CardExpiry.parse(expiry)
    methods = client.payment_methods
    own = await methods.list(customer_id, options=RequestOptions(deadline=SECONDS))
    if payment_method_id not in {method.payment_method_id for method in own}:
        raise NotFound("the customer has no such payment method")  # somebody else may
    left = RequestOptions(deadline=max(ends - now(), 0.001))
    await methods.update(payment_method_id, expiry=new, options=left)
    return {"payment_method_id": payment_method_id, "expiry": str(new)}


class HttpAnswer(NamedTuple):
    """What the browser is told."""

    status: int
    body: dict[str, str]
    headers: dict[str, str]


def http_answer(error: PerfectPayError) -> HttpAnswer:
    """Tell the browser what a failure means, and the log what happened.

    The text of an error holds no secret and may be logged. It is not shown to the customer: the
    server's words in it are meant for you.
    """
    LOG.warning("%s", error, extra={"request_id": error.request_id})
    headers: dict[str, str] = {}
    if error.outcome is Outcome.UNKNOWN and error.operation not in READS:
        status = 504 if isinstance(error, AttemptTimeout | DeadlineExceeded) else 502
        text = "It may have been done. Look at your cards before you try again."
    elif isinstance(error, InvalidRequestError):
        status, text = 422, error.message  # names the field and the rule, never the value
    elif isinstance(error, NotFound) and not isinstance(error, RouteNotFound):
        status, text = 404, "There is no such card."
    elif isinstance(error, BadRequest | Conflict | UnprocessableEntity):
        status, text = 422, "The card was not accepted."
    elif error.is_retryable or isinstance(error, DeadlineExceeded):
        status, text = 503, "Nothing was changed. Please try again in a moment."
        headers["Retry-After"] = str(math.ceil(error.retry_after or 1))
    else:  # the key, the address, the account: nothing the customer could mend
        status, text = 500, "Nothing was changed. This is our fault, and we have been told."
    return HttpAnswer(status, {"error": text, "outcome": str(error.outcome)}, headers)
