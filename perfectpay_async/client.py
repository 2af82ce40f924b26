"""`PerfectPay`, the client: composes the pipeline, exposes the resources, owns the connections."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from functools import partial
from types import NoneType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypedDict, Unpack, get_args

import aiohttp
from yarl import URL

from .errors import ConfigurationError, InvalidRequestError
from .http.address import Environment, resolve_address
from .http.aiohttp_transport import AiohttpTransport
from .http.caller import Caller
from .http.judge import raise_for_error
from .http.pipeline import Middleware, Middlewares, Next, compose, pass_through
from .http.transport import Transport
from .jsontext import encode_json
from .messages import Operation, Response
from .middleware import ApiKeyAuth, ApiKeyProvider, IdempotencyKey, LogCalls, Retry
from .options import RequestOptions, check_seconds
from .resilience.budget import RetryBudget
from .resilience.policy import RetryPolicy
from .resources.customers import Customers
from .resources.ephemeral_keys import EphemeralKeys
from .resources.payment_methods import PaymentMethods
from .secrets import Secret
from .wire.dialects import Dialect

if TYPE_CHECKING:
    from .bulk import Bulk

_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


class _Overrides(TypedDict, total=False):
    """What `with_options` can change."""

    deadline: float
    attempt_timeout: float
    retry: RetryPolicy
    headers: Mapping[str, str]


class PerfectPay:
    """An async client for the PerfectPay payment-methods API.

    One client serves any number of concurrent calls in one event loop. Open it with `async with`,
    or call `close()` when done; connections are opened when first needed.

    Args:
        api_key: The account's secret key, or an async function that returns it (awaited before
            each attempt, so that keys can rotate).
        environment: "sandbox" or "production".
        base_url: Any other address instead: https, or http on this machine's loopback.
        deadline: Seconds for a whole call: queueing, all attempts, all waits, reading the body.
        attempt_timeout: Seconds for one attempt, the reading of the body included.
        retry: When, how often and after which wait a failed attempt is repeated.
        retry_budget: Tokens that all calls share for retries, so that an outage is not
            multiplied. `RetryBudget(retry_cost=0, throttled_cost=0)` never refuses.
        rate_limit: How fast and how many at once requests are sent: a `RateLimit`, or a middleware
            of your own in its place; no limit by default.
        middlewares: Your own middlewares, and replacements for the default ones.
        dialect: Form of the request bodies: "perfectpay" as its documentation shows them, or
            "hyperswitch" for a server that takes the stock Hyperswitch v1 form.
        max_connections: Most requests under way at once; further ones wait for their turn.
        connect_timeout: Seconds for name look-up, TCP and TLS handshake together.
        proxy: Proxy URL, None for no proxy, or "environment" to read the environment once.
        ssl_context: Trust settings for TLS, such as a private authority or a client certificate.
        fingerprint: SHA-256 of the only server certificate to accept, on top of the usual checks.
        session: Your own aiohttp session, with its connector, TLS settings and native middlewares.
            It stays yours to close.
        transport: Something else than aiohttp to send with, such as a double in a test.

    Raises:
        ConfigurationError: A setting breaks its rule; the message names it.

    Examples:
        >>> async def main():
        ...     async with PerfectPay(api_key="snd_...", environment="sandbox") as client:
        ...         return await client.payment_methods.retrieve("pm_...")
    """

    payment_methods: PaymentMethods
    """Create, retrieve, update, delete and list payment methods, and set the default."""

    customers: Customers
    """Create, retrieve, update, delete and list customers."""

    ephemeral_keys: EphemeralKeys
    """Create and delete keys for the Web SDK in a customer's browser."""

    retry_budget: RetryBudget
    """The retry budget that all calls of this client share, with its counts."""

    def __init__(
        self,
        api_key: str | Secret | ApiKeyProvider,
        *,
        environment: Environment | None = None,
        base_url: str | None = None,
        deadline: float = 30.0,
        attempt_timeout: float = 10.0,
        retry: RetryPolicy | None = None,
        retry_budget: RetryBudget | None = None,
        rate_limit: Middleware | None = None,
        middlewares: Middlewares | None = None,
        dialect: Dialect = "perfectpay",
        max_connections: int = 100,
        connect_timeout: float = 5.0,
        proxy: str | None = "environment",
        ssl_context: ssl.SSLContext | None = None,
        fingerprint: bytes | None = None,
        session: aiohttp.ClientSession | None = None,
        transport: Transport | None = None,
    ) -> None:
        # First of all: from here on no frame of this library holds the bare key.
        api_key = api_key if callable(api_key) else Secret(api_key)
        root = resolve_address(environment, base_url)
        if dialect not in get_args(Dialect):
            raise ConfigurationError("dialect must be 'perfectpay' or 'hyperswitch'")
        options = RequestOptions(deadline=deadline, attempt_timeout=attempt_timeout)
        check_seconds("connect_timeout", connect_timeout)
        if type(max_connections) is not int or max_connections < 1:
            raise ConfigurationError("max_connections must be a whole number from 1")
        if type(middlewares) not in {Middlewares, NoneType}:
            raise ConfigurationError(
                "middlewares must be a Middlewares, such as Middlewares(call=[add_locale])"
            )
        if rate_limit is not None and not callable(rate_limit):
            raise ConfigurationError(
                "rate_limit must be a RateLimit, such as RateLimit(requests_per_second=40)"
            )
        self.retry_budget = retry_budget or RetryBudget()
        self._transport = transport or AiohttpTransport(
            session=session,
            max_connections=max_connections,
            connect_timeout=connect_timeout,
            proxy=proxy,
            ssl_context=ssl_context,
            fingerprint=fingerprint,
        )
        self._pipeline = partial(
            _compose,
            middlewares or Middlewares(),
            auth=ApiKeyAuth(api_key),
            retry=Retry(retry or RetryPolicy(), self.retry_budget),
            rate_limit=rate_limit or pass_through,
            transport=self._transport,
        )
        self._attach(Caller(self._pipeline(), root, options), root, dialect)

    @classmethod
    def from_env(cls, **settings: Any) -> Self:
        """Make a client from the environment.

        Reads `PERFECTPAY_API_KEY`, and `PERFECTPAY_BASE_URL` or `PERFECTPAY_ENVIRONMENT`
        ("sandbox" or "production"; the address wins when both are set).

        Args:
            **settings: Passed to the constructor; they win over the environment.

        Raises:
            ConfigurationError: The key or the address is missing, or a value breaks its rule.
        """
        if "api_key" not in settings:
            if not os.environ.get("PERFECTPAY_API_KEY"):
                raise ConfigurationError(
                    "PERFECTPAY_API_KEY is not set; put your secret key there or pass api_key"
                )
            settings["api_key"] = os.environ["PERFECTPAY_API_KEY"]
        if not callable(settings["api_key"]):
            settings["api_key"] = Secret(settings["api_key"])  # this frame may enter a traceback
        if not {"environment", "base_url"} & settings.keys():
            settings["base_url"] = os.environ.get("PERFECTPAY_BASE_URL") or None
            if settings["base_url"] is None:
                settings["environment"] = os.environ.get("PERFECTPAY_ENVIRONMENT") or None
        return cls(**settings)

    def with_options(self, **options: Unpack[_Overrides]) -> PerfectPay:
        """Return a view of this client with other defaults for its calls.

        The view shares connections, retry budget and middlewares, and costs next to nothing.
        Closing either closes both.

        Args:
            **options: `deadline`, `attempt_timeout` (both in seconds), `retry`, `headers`.

        Raises:
            ConfigurationError: A value breaks its rule.
        """
        view = object.__new__(type(self))
        view.retry_budget = self.retry_budget
        view._transport = self._transport
        view._pipeline = self._pipeline
        view._attach(
            self._caller.with_options(RequestOptions(**options)), self._root, self._dialect
        )
        return view

    def _attach(self, caller: Caller, root: URL, dialect: Dialect) -> None:
        self._caller = caller
        self._root = root
        self._dialect: Dialect = dialect
        self.payment_methods = PaymentMethods(caller, dialect)
        self.customers = Customers(caller)
        self.ephemeral_keys = EphemeralKeys(caller)

    @property
    def bulk(self) -> Bulk:
        """Bulk work: the same operation on any number of cards."""
        from .bulk import Bulk

        def paced(pace: Middleware, gate: Middleware, options: RequestOptions) -> Caller:
            pipeline = self._pipeline(pace=pace, gate=gate)
            return self._caller.with_options(options).through(pipeline)

        return Bulk(paced, self._dialect, str(self._root), self._transport)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        json: object = None,
        repeatable: bool | None = None,
        options: RequestOptions | None = None,
    ) -> Response:
        """Call a route that this library does not model, through the whole pipeline.

        Args:
            method: HTTP method.
            path: Path below the root, starting with a slash, not percent-encoded. Encode ids that
                may hold slashes yourself, or better do not use such ids.
            query: Query parameters.
            json: Body, sent as JSON; None for no body.
            repeatable: Whether repeating the call after an unknown outcome does no harm. By
                default only GET is.
            options: Settings of this call alone.

        Returns:
            The answer, with a success status; `response.json()` is its content.

        Raises:
            InvalidRequestError: The method, path or body cannot be sent.
            PerfectPayError: The call failed; `outcome` says what that means.
        """
        method = method.upper()
        if method not in _METHODS:
            raise InvalidRequestError(
                f"method must be one of {', '.join(sorted(_METHODS))}", field="method"
            )
        operation = Operation(
            name="request",
            method=method,
            route="(unmodelled route)",
            repeatable=method == "GET" if repeatable is None else repeatable,
            idempotent_key=method != "GET",
        )
        body = None if json is None else encode_json(json)
        return await self._caller.call(
            operation, _encode_path(path), _as_it_is, query=query, body=body, options=options
        )

    async def close(self, *, drain: float = 0.0) -> None:
        """Close the connections. A session that was passed in stays open.

        Calls that come later raise `ClientClosedError`, and so do calls that are under way when
        the time is up; their `outcome` says whether they may have been applied.

        Args:
            drain: Seconds to wait for calls that are under way.

        Raises:
            ConfigurationError: `drain` is not a number from 0.
            WrongEventLoopError: The client was opened in another event loop or process.
        """
        if not drain >= 0:
            raise ConfigurationError("drain must be a number of seconds from 0")
        await self._transport.close(drain=drain)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        # A setting that is refused leaves half a client, which a traceback with locals prints.
        return f"<PerfectPay {getattr(self, '_root', 'without an address')}>"

    def __reduce__(self) -> str:
        raise TypeError("a PerfectPay client cannot be pickled; make one in each process")


def _compose(
    chosen: Middlewares,
    *,
    auth: Middleware,
    retry: Middleware,
    rate_limit: Middleware,
    transport: Transport,
    pace: Middleware = pass_through,
    gate: Middleware = pass_through,
) -> Next:
    # The pace of a bulk run comes first: what waits there holds no place in the rate limit. Its
    # gate comes last: what waited anywhere is not sent when the run has ended meanwhile.
    attempt = compose(
        [pace, rate_limit, chosen.auth or auth, *chosen.attempt, gate], transport.send
    )
    return compose(
        [
            chosen.logging or LogCalls(),
            chosen.idempotency or IdempotencyKey(),
            *chosen.call,
            chosen.retry or retry,
        ],
        raise_for_error(attempt),
    )


def _as_it_is(response: Response) -> Response:
    return response


def _encode_path(path: str) -> str:
    if not path.startswith("/") or "//" in path or {".", ".."} & set(path.split("/")):
        raise InvalidRequestError(
            "path must start with a slash and have no empty, '.' or '..' segment", field="path"
        )
    if "?" in path or "#" in path:
        raise InvalidRequestError("path must hold no query or fragment; use query", field="path")
    return URL.build(path=path).raw_path
