"""Customers, as the operations of the API answer with them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from attrs import field, frozen

from perfectpay_async.messages import Response

from .address import AddressDetails
from .base import Entity, extra_field, mapping_field
from .enums import DocumentType

REDACTED: Final = "Redacted"
"""What the server shows in place of the data of a deleted customer."""


@frozen(kw_only=True, eq=False, repr=False)
class DocumentDetails(Entity):
    """A document that identifies a customer.

    Attributes:
        document_type: Such as `DocumentType.CPF`.
        document_number: At most 255 characters. Not shown by `repr`.
        extra: Fields that this version does not know.
    """

    document_type: DocumentType
    document_number: str = field(repr=False)
    extra: Mapping[str, object] = extra_field()


@frozen(kw_only=True, eq=False, repr=False)
class Customer(Entity):
    """A customer: the answer to create, retrieve and update, and an item of the list.

    What identifies a person is not shown by `repr`. Do not check the e-mail address of an answer:
    that of a deleted customer is none.

    Attributes:
        customer_id: Your own id, or the one that the server made.
        name: The name.
        email: The e-mail address.
        phone: The phone number, without the country code.
        phone_country_code: Such as "+1".
        description: Your own description.
        address: The postal address. A server may leave it out of the list.
        metadata: Your own data.
        tax_registration_id: The customer's tax number.
        document_details: A document that identifies the customer.
        created_at: When the customer was created.
        default_payment_method_id: The payment method that is the default, if one is.
        extra: Fields that this version does not know.
        response: The raw answer; None for an item of the list. It does not count for equality and
            is not pickled.
    """

    customer_id: str
    name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    phone_country_code: str | None = None
    description: str | None = field(default=None, repr=False)
    address: AddressDetails | None = None
    metadata: Mapping[str, object] | None = mapping_field()
    tax_registration_id: str | None = field(default=None, repr=False)
    document_details: DocumentDetails | None = None
    created_at: datetime | None = None
    default_payment_method_id: str | None = None
    extra: Mapping[str, object] = extra_field()
    response: Response | None = field(default=None, eq=False, repr=False)

    @property
    def is_redacted(self) -> bool:
        """Whether this is what is left of a deleted customer: name and e-mail are "Redacted"."""
        return self.name == self.email == REDACTED


@frozen(kw_only=True, eq=False, repr=False)
class CustomerPage(Entity):
    """One page of the list of customers.

    Attributes:
        data: The customers.
        extra: Fields that this version does not know.
        response: The raw answer. It does not count for equality and is not pickled.
    """

    data: tuple[Customer, ...]
    extra: Mapping[str, object] = extra_field()
    response: Response | None = field(default=None, eq=False, repr=False)


@frozen(kw_only=True, eq=False, repr=False)
class DeletedCustomer(Entity):
    """The answer to the deletion of a customer.

    Attributes:
        customer_id: Whose data are gone.
        customer_deleted: Always true: an answer that says otherwise is an error.
        address_deleted: Whether the address is gone; None when the server is silent.
        payment_methods_deleted: Whether the payment methods are gone; None as above.
        extra: Fields that this version does not know.
        response: The raw answer; None when an earlier attempt of the call had deleted the customer.
            It does not count for equality and is not pickled.
    """

    customer_id: str
    customer_deleted: bool = True
    address_deleted: bool | None = None
    payment_methods_deleted: bool | None = None
    extra: Mapping[str, object] = extra_field()
    response: Response | None = field(default=None, eq=False, repr=False)
