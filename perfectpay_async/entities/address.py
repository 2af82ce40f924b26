"""Billing addresses, in requests and answers alike.

What identifies a person is not shown by `repr`.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from .base import Entity, extra_field


@frozen(kw_only=True, eq=False, repr=False)
class AddressDetails(Entity):
    """A postal address.

    Attributes:
        city: At most 50 characters.
        country: ISO 3166 alpha-2, such as "US".
        line1: At most 200 characters.
        line2: At most 50 characters.
        line3: At most 50 characters.
        zip: At most 50 characters.
        state: State or province.
        first_name: At most 255 characters.
        last_name: At most 255 characters.
        origin_zip: Where goods are sent from; at most 50 characters.
        extra: Fields that this version does not know.
    """

    city: str | None = field(default=None, repr=False)
    country: str | None = None
    line1: str | None = field(default=None, repr=False)
    line2: str | None = field(default=None, repr=False)
    line3: str | None = field(default=None, repr=False)
    zip: str | None = field(default=None, repr=False)
    state: str | None = field(default=None, repr=False)
    first_name: str | None = field(default=None, repr=False)
    last_name: str | None = field(default=None, repr=False)
    origin_zip: str | None = field(default=None, repr=False)
    extra: Mapping[str, object] = extra_field()


@frozen(kw_only=True, eq=False, repr=False)
class Phone(Entity):
    """A phone number.

    Attributes:
        number: Without the country code.
        country_code: Such as "+1".
        extra: Fields that this version does not know.
    """

    number: str | None = field(default=None, repr=False)
    country_code: str | None = None
    extra: Mapping[str, object] = extra_field()


@frozen(kw_only=True, eq=False, repr=False)
class Address(Entity):
    """Where, and under which phone number and e-mail address, the payer is billed.

    Attributes:
        address: The postal address.
        phone: The phone number.
        email: The e-mail address.
        extra: Fields that this version does not know.
    """

    address: AddressDetails | None = None
    phone: Phone | None = None
    email: str | None = field(default=None, repr=False)
    extra: Mapping[str, object] = extra_field()
