"""Async Python client for the PerfectPay payment-methods API."""

from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from .client import PerfectPay
    from .entities import (
        Address,
        AddressDetails,
        Bank,
        CardDetails,
        CardExpiry,
        CardNetwork,
        Customer,
        CustomerPaymentMethod,
        DefaultPaymentMethod,
        DeletedCustomer,
        DeletedEphemeralKey,
        DeletedPaymentMethod,
        DocumentDetails,
        DocumentType,
        EphemeralKey,
        NewCard,
        PaymentExperience,
        PaymentMethod,
        PaymentMethodIssuerCode,
        PaymentMethodKind,
        PaymentMethodList,
        PaymentMethodType,
        Percentage,
        Phone,
        Surcharge,
        SurchargeDetails,
        SurchargeKind,
    )
    from .errors import (
        ApiError,
        AttemptTimeout,
        AuthenticationError,
        BadRequest,
        ClientClosedError,
        ConfigurationError,
        Conflict,
        ConnectError,
        ConnectionLostError,
        DeadlineExceeded,
        InvalidRequestError,
        NotFound,
        PerfectPayError,
        PermissionDenied,
        PoolTimeout,
        RateLimited,
        ResponseDecodingError,
        ResponseTooLarge,
        RouteNotFound,
        ServerError,
        TlsError,
        TransportError,
        UnexpectedRedirect,
        UnprocessableEntity,
        WrongEventLoopError,
    )
    from .http.pipeline import Middleware, Middlewares, Next, pass_through
    from .http.transport import Transport
    from .messages import Operation, Request, Response
    from .middleware import RateLimit
    from .options import RequestOptions
    from .outcome import Attempt, GaveUp, Outcome
    from .resilience.backoff import WaitFullJitter
    from .resilience.budget import RetryBudget
    from .resilience.policy import RetryPolicy
    from .secrets import Secret

__all__ = [
    "Address",
    "AddressDetails",
    "ApiError",
    "Attempt",
    "AttemptTimeout",
    "AuthenticationError",
    "BadRequest",
    "Bank",
    "CardDetails",
    "CardExpiry",
    "CardNetwork",
    "ClientClosedError",
    "ConfigurationError",
    "Conflict",
    "ConnectError",
    "ConnectionLostError",
    "Customer",
    "CustomerPaymentMethod",
    "DeadlineExceeded",
    "DefaultPaymentMethod",
    "DeletedCustomer",
    "DeletedEphemeralKey",
    "DeletedPaymentMethod",
    "DocumentDetails",
    "DocumentType",
    "EphemeralKey",
    "GaveUp",
    "InvalidRequestError",
    "Middleware",
    "Middlewares",
    "NewCard",
    "Next",
    "NotFound",
    "Operation",
    "Outcome",
    "PaymentExperience",
    "PaymentMethod",
    "PaymentMethodIssuerCode",
    "PaymentMethodKind",
    "PaymentMethodList",
    "PaymentMethodType",
    "Percentage",
    "PerfectPay",
    "PerfectPayError",
    "PermissionDenied",
    "Phone",
    "PoolTimeout",
    "RateLimit",
    "RateLimited",
    "Request",
    "RequestOptions",
    "Response",
    "ResponseDecodingError",
    "ResponseTooLarge",
    "RetryBudget",
    "RetryPolicy",
    "RouteNotFound",
    "Secret",
    "ServerError",
    "Surcharge",
    "SurchargeDetails",
    "SurchargeKind",
    "TlsError",
    "Transport",
    "TransportError",
    "UnexpectedRedirect",
    "UnprocessableEntity",
    "WaitFullJitter",
    "WrongEventLoopError",
    "__version__",
    "pass_through",
]

# The public names are imported when they are first used (PEP 562), light modules first: neither
# `perfectpay --help` nor a test that needs the entities alone has to wait for aiohttp.
_HOMES = (
    "secrets",
    "outcome",
    "errors",
    "resilience.budget",
    "resilience.policy",
    "options",
    "messages",
    "entities",
    "http.pipeline",
    "http.transport",
    "middleware",
    "client",
    "resilience.backoff",  # with tenacity, which no other module here imports
)


def __getattr__(name: str) -> object:
    if name in __all__:
        from importlib import import_module

        for home in _HOMES:
            module = import_module(f"{__name__}.{home}")
            if name in vars(module):
                globals()[name] = vars(module)[name]
                return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
