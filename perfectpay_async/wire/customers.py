"""The body of a request about a customer, which is the same in both dialects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from perfectpay_async.entities import AddressDetails, Customer, DocumentDetails
from perfectpay_async.entities.checks import checked
from perfectpay_async.errors import InvalidRequestError

from .codec import to_wire
from .parts import given, json_object

_LONGEST: Final = 255


def customer_body(
    *,
    name: str | None = None,
    email: str | None = None,
    phone: str | None = None,
    phone_country_code: str | None = None,
    description: str | None = None,
    address: AddressDetails | None = None,
    metadata: Mapping[str, object] | None = None,
    tax_registration_id: str | None = None,
    document_details: DocumentDetails | None = None,
) -> dict[str, Any]:
    """Return the fields of a customer that are given, as the server takes them.

    Args:
        name: The name.
        email: The e-mail address. Whether it is one is for the server to say.
        phone: The phone number, without the country code.
        phone_country_code: Such as "+1".
        description: Your own description.
        address: The postal address.
        metadata: Your own data.
        tax_registration_id: The customer's tax number.
        document_details: A document that identifies the customer.

    Raises:
        InvalidRequestError: An argument has the wrong type or more than 255 characters, or metadata
            has no JSON form. The message never quotes the value.
    """
    address = checked("address", address, AddressDetails)
    document_details = checked("document_details", document_details, DocumentDetails)
    return given(
        {
            "name": _text("name", name),
            "email": _text("email", email),
            "phone": _text("phone", phone),
            "phone_country_code": _text("phone_country_code", phone_country_code),
            "description": _text("description", description),
            "address": None if address is None else to_wire(address),
            "metadata": None if metadata is None else json_object("metadata", metadata),
            "tax_registration_id": _text("tax_registration_id", tax_registration_id),
            "document_details": None if document_details is None else to_wire(document_details),
        }
    )


def holds(customer: Customer, body: Mapping[str, Any]) -> bool:
    """Return whether a customer has every value of a body, to the letter."""
    stored = to_wire(customer)
    return all(stored.get(name) == value for name, value in body.items())


def _text(name: str, value: str | None) -> str | None:
    value = checked(name, value, str)
    if value is None or len(value) <= _LONGEST:
        return value
    raise InvalidRequestError(f"{name} must have at most {_LONGEST} characters", field=name)
