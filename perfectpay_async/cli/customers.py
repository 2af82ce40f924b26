"""`perfectpay customers`: the customers, one call each."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from .calling import Target, call_options, change_options, perform
from .confirming import confirm_change, confirm_deletion
from .exits import ExitCode

if TYPE_CHECKING:
    from perfectpay_async.client import PerfectPay
    from perfectpay_async.entities import Customer


@click.group()
def customers() -> None:
    """Look at and change customers, one call each.

    The key, the address and the exit codes are those of `perfectpay methods`.
    """


def _parse_pairs(
    _context: click.Context, _parameter: click.Parameter, pairs: tuple[str, ...]
) -> dict[str, str] | None:
    data: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals or key in data:
            raise click.BadParameter("it has the form KEY=VALUE, each key once")
        data[key] = value
    return data or None


def _fields(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the fields of a customer as options, and pass them as `fields`."""

    @click.option("--name")
    @click.option("--email")
    @click.option("--phone", help="Without the country code.")
    @click.option("--phone-country-code", metavar="CODE", help="Such as +1.")
    @click.option("--description")
    @click.option(
        "--metadata",
        metavar="KEY=VALUE",
        multiple=True,
        callback=_parse_pairs,
        help="Your own data; may be given again.",
    )
    @wraps(command)
    def with_fields(
        *,
        name: str | None,
        email: str | None,
        phone: str | None,
        phone_country_code: str | None,
        description: str | None,
        metadata: dict[str, str] | None,
        **others: Any,
    ) -> Any:
        fields = {
            "name": name,
            "email": email,
            "phone": phone,
            "phone_country_code": phone_country_code,
            "description": description,
            "metadata": metadata,
        }
        return command(fields=fields, **others)

    return with_fields


@customers.command("list")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many; all by default.")
@click.option("--offset", type=click.IntRange(min=0), default=0, help="Pass over so many first.")
@call_options
def list_customers(*, target: Target, limit: int | None, offset: int) -> int:
    """List the customers.

    Deleted ones too. With --json one object a line.
    """
    from .showing import as_data

    async def print_all(client: PerfectPay) -> None:
        async for customer in client.customers.list(limit=limit, offset=offset):
            click.echo(json.dumps(as_data(customer)) if target.as_json else _row(customer))

    perform(target, print_all)
    return ExitCode.DONE


@customers.command("get")
@click.argument("customer_id")
@call_options
def get_customer(*, target: Target, customer_id: str) -> int:
    """Show CUSTOMER_ID.

    Of a deleted customer, "Redacted" is left.
    """
    from .showing import show

    found = perform(target, lambda client: client.customers.retrieve(customer_id))
    show(found, as_json=target.as_json)
    return ExitCode.DONE


@customers.command("create")
@click.option("--id", "customer_id", metavar="CUSTOMER_ID", help="Your own id; else one is made.")
@_fields
@change_options
def create_customer(*, target: Target, customer_id: str | None, fields: Any) -> int:
    """Create a customer.

    With an id of your own no lost answer leads to a second customer.
    """
    from .showing import show

    confirm_change(target, "creates a customer")
    made = perform(
        target,
        lambda client: client.customers.create(customer_id=customer_id, **fields),
        changes=True,
    )
    show(made, as_json=target.as_json)
    return ExitCode.DONE


@customers.command("update")
@click.argument("customer_id")
@_fields
@change_options
def update_customer(*, target: Target, customer_id: str, fields: Any) -> int:
    """Change CUSTOMER_ID.

    What is left out keeps its value. PerfectPay does not document this operation; it is the one of
    stock Hyperswitch.
    """
    from .showing import show

    confirm_change(target, "changes a customer")
    updated = perform(
        target, lambda client: client.customers.update(customer_id, **fields), changes=True
    )
    show(updated, as_json=target.as_json)
    return ExitCode.DONE


@customers.command("delete")
@click.argument("customer_id")
@change_options
def delete_customer(*, target: Target, customer_id: str) -> int:
    """Delete CUSTOMER_ID for good.

    The data and the payment methods are gone; the id stays taken.
    """
    from .showing import show

    confirm_deletion(target, "deletes a customer's data and payment methods")
    deleted = perform(target, lambda client: client.customers.delete(customer_id), changes=True)
    show(deleted, as_json=target.as_json)
    return ExitCode.DONE


def _row(customer: Customer) -> str:
    from .showing import printable

    if customer.is_redacted:
        return f"{printable(customer.customer_id)}  deleted"
    columns = [customer.customer_id, customer.name, customer.email]
    return "  ".join(printable(column) for column in columns if column)
