"""Resolves a create whose outcome is unknown: by looking, not by guessing and not by repeating."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol, TypeAlias

from perfectpay_async.entities import (
    CustomerPaymentMethod,
    NewCard,
    PaymentMethod,
    PaymentMethodList,
)
from perfectpay_async.errors import PerfectPayError
from perfectpay_async.options import RequestOptions
from perfectpay_async.outcome import Outcome

_Look: TypeAlias = tuple[str, object, object, object]


class _Reads(Protocol):
    """The reading operations that are needed here."""

    async def list(
        self, customer_id: str, *, options: RequestOptions | None = None
    ) -> PaymentMethodList: ...

    async def retrieve(
        self, payment_method_id: str, *, options: RequestOptions | None = None
    ) -> PaymentMethod: ...


async def create_or_find(
    methods: _Reads,
    customer_id: str,
    card: NewCard,
    create: Callable[..., Awaitable[PaymentMethod]],
    options: Callable[[], RequestOptions],
) -> PaymentMethod:
    """Create, and after an unknown outcome find out what it did.

    A method counts as saved by this call when it is new in the customer's list, or was changed
    (the server gives a number that the customer has saved before its old id), and has the last
    four digits and the expiry of the card, and the holder's name if one was sent.

    Args:
        methods: Lists and retrieves.
        customer_id: Whose card it is.
        card: The card.
        create: Sends the create, with `options` as keyword.
        options: Gives the options of the next call, with what is left of the deadline.

    Returns:
        The saved payment method.

    Raises:
        PerfectPayError: The create failed. When its outcome is unknown still, `candidates` holds
            the ids of the methods that could be it, and a note says what was seen.
    """
    try:
        before = {_look(method) for method in await methods.list(customer_id, options=options())}
    except PerfectPayError as error:
        error.outcome = Outcome.NOT_SENT  # whatever became of the list call, the card stayed here
        error.add_note("The customer's methods could not be listed, so the card was not sent.")
        raise
    try:
        return await create(options=options())
    except PerfectPayError as error:
        if error.outcome is not Outcome.UNKNOWN:
            raise
        try:
            after = await methods.list(customer_id, options=options())
            candidates = _candidates(after, before, card)
            if len(candidates) == 1:
                return await methods.retrieve(candidates[0], options=options())
        except PerfectPayError as lookup:
            error.add_note(f"The customer's methods could not be looked up: {lookup}")
        else:
            error.candidates = candidates
            error.add_note(_seen(candidates, len(after)))
        raise


def _candidates(
    after: Iterable[CustomerPaymentMethod], before: set[_Look], card: NewCard
) -> tuple[str, ...]:
    return tuple(
        method.payment_method_id
        for method in after
        if _look(method) not in before and _is_that(card, method)
    )


def _look(method: CustomerPaymentMethod) -> _Look:
    card = method.card
    if card is None:
        return (method.payment_method_id, None, None, None)
    return (method.payment_method_id, card.expiry_month, card.expiry_year, card.card_holder_name)


def _is_that(card: NewCard, method: CustomerPaymentMethod) -> bool:
    saved = method.card
    return (
        saved is not None
        and saved.last4 == card.last4
        and saved.expiry == card.expiry
        and card.holder_name in {None, saved.card_holder_name}
    )


def _seen(candidates: tuple[str, ...], listed: int) -> str:
    return (
        f"The customer's list of {listed} was compared with the one before the call: "
        f"{len(candidates) or 'none'} of the new or changed methods could be this card, "
        "so it cannot be told what was saved."
    )
