"""Saved payment methods, as the operations of the API answer with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import overload

from attrs import field, frozen

from perfectpay_async.messages import Response
from perfectpay_async.secrets import Secret

from .address import Address
from .bank import Bank
from .base import Entity, extra_field, mapping_field
from .card import CardDetails
from .enums import (
    PaymentExperience,
    PaymentMethodIssuerCode,
    PaymentMethodKind,
    PaymentMethodType,
)
from .surcharge import SurchargeDetails


@frozen(kw_only=True, eq=False, repr=False)
class PaymentMethod(Entity):
    """A saved payment method: the answer to create, retrieve and update.

    The answer to an update has the time of the call in `created` and `last_used_at`, and less
    about the card: retrieve the method for the stored values.

    Attributes:
        payment_method_id: The id to keep.
        payment_method: Such as `PaymentMethodKind.CARD`.
        payment_method_type: Such as `PaymentMethodType.CREDIT`.
        customer_id: Whose method it is.
        merchant_id: The account it belongs to.
        card: The masked card. None for another kind, or for a card that is not in the vault yet.
        wallet: The wallet, in answers to an update.
        bank_transfer: Bank details, whose form depends on the kind of transfer.
        recurring_enabled: A constant here: only the answer to list says what is possible.
        installment_payment_enabled: As above.
        payment_experience: Ways in which a payment with it can go on.
        metadata: Your own data.
        created: When it was saved.
        last_used_at: When it was last used.
        client_secret: Good for 15 minutes from creation. Never shown, logged or pickled.
        extra: Fields that this version does not know.
        response: The raw answer. It does not count for equality and is not pickled.
    """

    payment_method_id: str
    payment_method: PaymentMethodKind | None = None
    payment_method_type: PaymentMethodType | None = None
    customer_id: str | None = None
    merchant_id: str | None = None
    card: CardDetails | None = None
    wallet: Mapping[str, object] | None = mapping_field()
    bank_transfer: Mapping[str, object] | None = mapping_field()
    recurring_enabled: bool | None = None
    installment_payment_enabled: bool | None = None
    payment_experience: tuple[PaymentExperience, ...] | None = None
    metadata: Mapping[str, object] | None = mapping_field()
    created: datetime | None = None
    last_used_at: datetime | None = None
    client_secret: Secret | None = None
    extra: Mapping[str, object] = extra_field()
    response: Response | None = field(default=None, eq=False, repr=False)


@frozen(kw_only=True, eq=False, repr=False)
class CustomerPaymentMethod(Entity):
    """A saved payment method as an item of a customer's list.

    Attributes:
        payment_method_id: The id to keep.
        payment_token: Stands for the method in one payment; made anew by each list call and good
            for about 15 minutes. Never shown, logged or pickled.
        customer_id: Whose method it is.
        payment_method: Such as `PaymentMethodKind.CARD`.
        payment_method_type: Such as `PaymentMethodType.CREDIT`.
        payment_method_issuer: Name of the bank; may be empty.
        payment_method_issuer_code: Code of the issuer.
        recurring_enabled: Whether payments without the customer being present are possible.
        installment_payment_enabled: Whether instalments are possible.
        payment_experience: Ways in which a payment with it can go on.
        card: The masked card; None for another kind.
        bank_transfer: Bank details, whose form depends on the kind of transfer.
        bank: The masked bank account.
        metadata: Your own data.
        created: When it was saved.
        last_used_at: When it was last used.
        surcharge_details: What a payment with it costs in addition.
        requires_cvv: Whether the customer must enter the CVC again; None when the server is silent.
        default_payment_method_set: Whether it is the customer's default.
        billing: The billing address.
        extra: Fields that this version does not know.
    """

    payment_method_id: str
    payment_token: Secret | None = None
    customer_id: str | None = None
    payment_method: PaymentMethodKind | None = None
    payment_method_type: PaymentMethodType | None = None
    payment_method_issuer: str | None = None
    payment_method_issuer_code: PaymentMethodIssuerCode | None = None
    recurring_enabled: bool | None = None
    installment_payment_enabled: bool | None = None
    payment_experience: tuple[PaymentExperience, ...] | None = None
    card: CardDetails | None = None
    bank_transfer: Mapping[str, object] | None = mapping_field()
    bank: Bank | None = None
    metadata: Mapping[str, object] | None = mapping_field()
    created: datetime | None = None
    last_used_at: datetime | None = None
    surcharge_details: SurchargeDetails | None = None
    requires_cvv: bool | None = None
    default_payment_method_set: bool = False
    billing: Address | None = None
    extra: Mapping[str, object] = extra_field()


@frozen(kw_only=True, eq=False, repr=False)
class PaymentMethodList(Entity, Sequence[CustomerPaymentMethod]):
    """A customer's saved payment methods: a sequence, roughly the last used first.

    Attributes:
        customer_payment_methods: The items.
        is_guest_customer: Known only when the call is tied to a payment.
        extra: Fields that this version does not know.
        response: The raw answer. It does not count for equality and is not pickled.
    """

    customer_payment_methods: tuple[CustomerPaymentMethod, ...]
    is_guest_customer: bool | None = None
    extra: Mapping[str, object] = extra_field()
    response: Response | None = field(default=None, eq=False, repr=False)

    @property
    def default(self) -> CustomerPaymentMethod | None:
        """The customer's default method, or None when none is set."""
        return next((method for method in self if method.default_payment_method_set), None)

    @overload
    def __getitem__(self, index: int) -> CustomerPaymentMethod: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[CustomerPaymentMethod, ...]: ...
    def __getitem__(
        self, index: int | slice
    ) -> CustomerPaymentMethod | tuple[CustomerPaymentMethod, ...]:
        return self.customer_payment_methods[index]

    def __iter__(self) -> Iterator[CustomerPaymentMethod]:
        return iter(self.customer_payment_methods)

    def __len__(self) -> int:
        return len(self.customer_payment_methods)


@frozen(kw_only=True, eq=False, repr=False)
class DeletedPaymentMethod(Entity):
    """The answer to delete.

    Attributes:
        payment_method_id: The id that is gone.
        deleted: Always true: an answer that says otherwise is an error.
        extra: Fields that this version does not know.
        response: The raw answer; None when an earlier attempt of the call had deleted it. It does
            not count for equality and is not pickled.
    """

    payment_method_id: str
    deleted: bool = True
    extra: Mapping[str, object] = extra_field()
    response: Response | None = field(default=None, eq=False, repr=False)


@frozen(kw_only=True, eq=False, repr=False)
class DefaultPaymentMethod(Entity):
    """The answer to `set_default`.

    Attributes:
        default_payment_method_id: The payment method that is the default now.
        customer_id: Whose default it is.
        payment_method: Such as `PaymentMethodKind.CARD`.
        payment_method_type: Such as `PaymentMethodType.CREDIT`.
        extra: Fields that this version does not know.
        response: The raw answer; None when an earlier attempt of the call had set the default. It
            does not count for equality and is not pickled.
    """

    default_payment_method_id: str
    customer_id: str
    payment_method: PaymentMethodKind | None = None
    payment_method_type: PaymentMethodType | None = None
    extra: Mapping[str, object] = extra_field()
    response: Response | None = field(default=None, eq=False, repr=False)
