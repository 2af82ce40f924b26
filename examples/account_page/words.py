"""Every sentence that says how something went. With `pages`, the place to translate.

The API's own messages never reach a customer: they are written for you, and go to the log.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from attrs import frozen

from perfectpay_async import (
    InvalidRequestError,
    NotFound,
    Outcome,
    PerfectPayError,
    RateLimited,
    RouteNotFound,
)

NO_EXPIRY: Final = "Please choose the month and the year that are printed on your card."
PAST_EXPIRY: Final = "This date is in the past. Please enter the date on your new card."
NO_CHOICE: Final = "Please choose a payment method."
CHOICE_IS_GONE: Final = "That payment method is no longer saved. Please choose another one."
EXPIRED_CHOICE: Final = "That card has expired. Update its expiry date, or choose another one."

NOT_FOUND: Final = "There is no such page, or the payment method is no longer saved."
FORGED: Final = (
    "This form is too old or did not come from this site, so nothing was changed. "
    "Please go back to your payment methods and try again."
)
CANNOT_READ: Final = (
    "Your payment methods cannot be shown right now. Nothing was changed. "
    "Please try again in a minute."
)
OUR_FAULT: Final = (
    "Something went wrong on our side. Please look at your payment methods before you try again."
)


class Action(StrEnum):
    """What a customer can do to a saved method."""

    UPDATE = "update"
    DEFAULT = "default"
    DELETE = "delete"


class Result(StrEnum):
    """How it went: the three outcomes of a failure, and two refusals that deserve a better word."""

    DONE = "done"
    NOT_SENT = "not-sent"
    REFUSED = "refused"
    BUSY = "busy"
    GONE = "gone"
    UNKNOWN = "unknown"


@frozen
class Notice:
    """A sentence at the top of the next page.

    Attributes:
        text: The sentence.
        is_problem: Whether the customer has to do something about it.
    """

    text: str
    is_problem: bool


def result_of(error: PerfectPayError) -> Result:
    """Return what a failed change means for the customer. The outcome goes before the class."""
    if error.outcome is Outcome.UNKNOWN:
        return Result.UNKNOWN
    if isinstance(error, InvalidRequestError):
        return Result.REFUSED  # by the library, so not sent; trying again would not help
    if error.outcome is Outcome.NOT_SENT:
        return Result.NOT_SENT
    if isinstance(error, NotFound) and not isinstance(error, RouteNotFound):
        return Result.GONE
    return Result.BUSY if isinstance(error, RateLimited) else Result.REFUSED


def code_of(action: Action, result: Result) -> str:
    """Return the code that stands for a notice in a cookie, where no text belongs."""
    return f"{action}.{result}"


def notice_of(code: str | None) -> Notice | None:
    """Return the notice of a code, or None for anything else: a cookie may hold what it likes."""
    return None if code is None else _NOTICES.get(code)


_DONE: Final = {
    Action.UPDATE: "The expiry date has been updated.",
    Action.DEFAULT: "Your default payment method has been changed.",
    Action.DELETE: "The payment method has been deleted.",
}
_NOT_DONE: Final = {
    Action.UPDATE: "The expiry date has not been updated",
    Action.DEFAULT: "Your default payment method has not been changed",
    Action.DELETE: "The payment method has not been deleted",
}
_WHY_NOT: Final = {
    Result.NOT_SENT: "we could not reach the payment service. Please try again in a minute.",
    Result.REFUSED: "the payment service did not accept it. Please check your card, or contact us.",
    Result.BUSY: "too much is going on right now. Please try again in a minute.",
    Result.GONE: "it is no longer saved.",
}
_UNKNOWN: Final = {
    Action.UPDATE: (
        "We do not know whether your new expiry date has arrived. "
        "Please look at the date below: if it is still the old one, update it again."
    ),
    Action.DEFAULT: (
        "We do not know whether your choice has arrived. "
        "Please look below which payment method is the default, and choose again if needed."
    ),
    Action.DELETE: (
        "We do not know whether the payment method has been deleted. "
        "If it is still listed below, delete it again."
    ),
}


def _notice(action: Action, result: Result) -> Notice:
    if result is Result.DONE:
        return Notice(_DONE[action], is_problem=False)
    if result is Result.UNKNOWN:
        return Notice(_UNKNOWN[action], is_problem=True)
    if result is Result.GONE and action is Action.DELETE:
        return Notice("The payment method had been deleted already.", is_problem=False)
    return Notice(f"{_NOT_DONE[action]}: {_WHY_NOT[result]}", is_problem=True)


_NOTICES: Final = {
    code_of(action, result): _notice(action, result) for action in Action for result in Result
}
