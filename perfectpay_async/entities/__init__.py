"""What the API talks about: frozen classes without any I/O."""

from .address import Address, AddressDetails, Phone
from .bank import Bank
from .base import Entity, FrozenMapping
from .card import CardDetails, NewCard
from .customer import Customer, CustomerPage, DeletedCustomer, DocumentDetails
from .enums import (
    BankHolderType,
    BankType,
    CardNetwork,
    DocumentType,
    OpenEnum,
    PaymentExperience,
    PaymentMethodIssuerCode,
    PaymentMethodKind,
    PaymentMethodType,
    SurchargeKind,
)
from .ephemeral_key import DeletedEphemeralKey, EphemeralKey
from .expiry import CardExpiry, check_not_expired
from .ids import (
    check_customer_id,
    check_ephemeral_key_id,
    check_payment_method_id,
    payment_method_segment,
    quote_segment,
)
from .payment_method import (
    CustomerPaymentMethod,
    DefaultPaymentMethod,
    DeletedPaymentMethod,
    PaymentMethod,
    PaymentMethodList,
)
from .surcharge import Percentage, Surcharge, SurchargeDetails

__all__ = [
    "Address",
    "AddressDetails",
    "Bank",
    "BankHolderType",
    "BankType",
    "CardDetails",
    "CardExpiry",
    "CardNetwork",
    "Customer",
    "CustomerPage",
    "CustomerPaymentMethod",
    "DefaultPaymentMethod",
    "DeletedCustomer",
    "DeletedEphemeralKey",
    "DeletedPaymentMethod",
    "DocumentDetails",
    "DocumentType",
    "Entity",
    "EphemeralKey",
    "FrozenMapping",
    "NewCard",
    "OpenEnum",
    "PaymentExperience",
    "PaymentMethod",
    "PaymentMethodIssuerCode",
    "PaymentMethodKind",
    "PaymentMethodList",
    "PaymentMethodType",
    "Percentage",
    "Phone",
    "Surcharge",
    "SurchargeDetails",
    "SurchargeKind",
    "check_customer_id",
    "check_ephemeral_key_id",
    "check_not_expired",
    "check_payment_method_id",
    "payment_method_segment",
    "quote_segment",
]
