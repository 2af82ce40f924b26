"""`perfectpay methods`: a customer's saved payment methods, one call each."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from perfectpay_async.errors import InvalidRequestError

from .calling import Target, call_failed, call_options, change_options, perform
from .card_numbers import read_card
from .confirming import confirm_change, confirm_deletion
from .exits import ExitCode

if TYPE_CHECKING:
    from perfectpay_async.entities import CardExpiry, CustomerPaymentMethod


@click.group()
def methods() -> None:
    """Look at and change a customer's saved payment methods, one call each.

    The key is read from PERFECTPAY_API_KEY. Without --environment or --base-url, the address is
    read from PERFECTPAY_BASE_URL or PERFECTPAY_ENVIRONMENT.

    Exit codes: 0 done, 1 the call failed, 2 wrong usage or not confirmed, 3 input refused and
    nothing sent, 4 key missing or refused, 70 internal error, 130 interrupted.
    """


def _parse_expiry(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> CardExpiry | None:
    from perfectpay_async.entities import CardExpiry

    if text is None:
        return None
    try:
        return CardExpiry.parse(text)
    except InvalidRequestError as error:
        raise click.BadParameter(error.message) from None


def _expiry_option(*, required: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--expiry",
        metavar="MM/YY",
        required=required,
        callback=_parse_expiry,
        help="Last month in which the card is good.",
    )


_holder_option = click.option("--holder-name", metavar="NAME", help="Name on the card.")
_nick_option = click.option("--nick-name", metavar="NAME", help="Your name for the card.")


@methods.command("list")
@click.argument("customer_id")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many, the last used ones.")
@call_options
def list_methods(*, target: Target, customer_id: str, limit: int | None) -> int:
    """List the payment methods of CUSTOMER_ID.

    With --json one object a line.
    """
    from .showing import as_data

    found = perform(target, lambda client: client.payment_methods.list(customer_id, limit=limit))
    for method in found:
        click.echo(json.dumps(as_data(method)) if target.as_json else _row(method))
    if not found:
        click.echo("This customer has no saved payment methods.", err=True)
    return ExitCode.DONE


@methods.command("get")
@click.argument("payment_method_id")
@call_options
def get_method(*, target: Target, payment_method_id: str) -> int:
    """Show PAYMENT_METHOD_ID."""
    from .showing import show

    found = perform(target, lambda client: client.payment_methods.retrieve(payment_method_id))
    show(found, as_json=target.as_json)
    return ExitCode.DONE


@methods.command("create")
@click.argument("customer_id")
@_expiry_option(required=True)
@_holder_option
@_nick_option
@click.option("--type", "kind", type=click.Choice(["credit", "debit"]), help="Type of the card.")
@change_options
def create_method(
    *,
    target: Target,
    customer_id: str,
    expiry: CardExpiry,
    holder_name: str | None,
    nick_name: str | None,
    kind: str | None,
) -> int:
    """Save a card for CUSTOMER_ID.

    Its number and CVC are asked for and not shown, or are the first and the second line of standard
    input. They are never arguments: those are seen by every user of the machine.

    When the answer is lost, the customer's methods are looked at to find out what happened; the
    card is not sent a second time.
    """
    from .showing import show

    confirm_change(target, "saves a card")
    try:
        card = read_card(expiry, holder_name, nick_name)
    except InvalidRequestError as error:
        raise call_failed(error, target) from None
    saved = perform(
        target,
        lambda client: client.payment_methods.create(
            customer_id, card, payment_method_type=kind, on_unknown="reconcile"
        ),
        changes=True,
    )
    show(saved, as_json=target.as_json)
    return ExitCode.DONE


@methods.command("update")
@click.argument("payment_method_id")
@_expiry_option(required=False)
@_holder_option
@_nick_option
@change_options
def update_method(
    *,
    target: Target,
    payment_method_id: str,
    expiry: CardExpiry | None,
    holder_name: str | None,
    nick_name: str | None,
) -> int:
    """Change PAYMENT_METHOD_ID.

    What is left out keeps its value.
    """
    from .showing import show

    confirm_change(target, "changes a card")
    updated = perform(
        target,
        lambda client: client.payment_methods.update(
            payment_method_id, expiry=expiry, holder_name=holder_name, nick_name=nick_name
        ),
        changes=True,
    )
    show(updated, as_json=target.as_json)
    return ExitCode.DONE


@methods.command("delete")
@click.argument("payment_method_id")
@change_options
def delete_method(*, target: Target, payment_method_id: str) -> int:
    """Delete PAYMENT_METHOD_ID for good."""
    from .showing import show

    confirm_deletion(target, "deletes a payment method")
    deleted = perform(
        target, lambda client: client.payment_methods.delete(payment_method_id), changes=True
    )
    show(deleted, as_json=target.as_json)
    return ExitCode.DONE


@methods.command("default")
@click.argument("customer_id")
@click.argument("payment_method_id")
@change_options
def default_method(*, target: Target, customer_id: str, payment_method_id: str) -> int:
    """Make PAYMENT_METHOD_ID a customer's default.

    PerfectPay does not document this operation; it is the one of stock Hyperswitch.
    """
    from .showing import show

    confirm_change(target, "changes a customer's default payment method")
    default = perform(
        target,
        lambda client: client.payment_methods.set_default(customer_id, payment_method_id),
        changes=True,
    )
    show(default, as_json=target.as_json)
    return ExitCode.DONE


def _row(method: CustomerPaymentMethod) -> str:
    from .showing import printable

    card = method.card
    columns = [method.payment_method_id, str(method.payment_method or "")]
    marks = ["default"] if method.default_payment_method_set else []
    if card is not None:
        expiry = card.expiry
        columns += [card.card_network or card.scheme or "", card.last4 or "", str(expiry or "")]
        if expiry is not None and expiry.is_expired(datetime.now(UTC).date()):
            marks.append("expired")
    return "  ".join(filter(None, [*map(printable, columns), *marks]))
