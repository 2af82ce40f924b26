"""The `api-key` header, from a fixed key or from a provider that may rotate it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from perfectpay_async.errors import ConfigurationError, DeadlineExceeded
from perfectpay_async.http.pipeline import Next
from perfectpay_async.messages import Request, Response
from perfectpay_async.outcome import Outcome
from perfectpay_async.secrets import Secret

ApiKeyProvider: TypeAlias = Callable[[], Awaitable[str | Secret]]

API_KEY = "api-key"


class ApiKeyAuth:
    """Sets the `api-key` header on every attempt (contract: PerfectPay "Authentication").

    Args:
        api_key: The key, or an async function that returns it. The function is awaited before
            every attempt, so it can rotate keys; let it cache what is expensive to fetch.

    Raises:
        ConfigurationError: The key is empty or has characters that no key has.
    """

    __slots__ = ("_key", "_provider")

    def __init__(self, api_key: str | Secret | ApiKeyProvider) -> None:
        self._provider: ApiKeyProvider | None = None
        self._key = ""
        if callable(api_key):
            self._provider = api_key
        else:
            api_key = Secret(api_key)
            self._key = check_key(api_key)

    def __call__(self, request: Request, call_next: Next) -> Awaitable[Response]:
        """Send the request on with the key."""
        if self._provider is not None:
            return self._with_provided_key(self._provider, request, call_next)
        return call_next(request.with_header(API_KEY, self._key))

    async def _with_provided_key(
        self, provider: ApiKeyProvider, request: Request, call_next: Next
    ) -> Response:
        timer = asyncio.timeout_at(request.deadline)
        try:
            async with timer:
                key = Secret(await provider())
        except Exception as error:
            if timer.expired():
                raise DeadlineExceeded(
                    "the deadline passed while the api_key function was awaited",
                    outcome=Outcome.NOT_SENT,
                ) from error
            raise ConfigurationError(
                f"the api_key function failed with {type(error).__name__}"
            ) from error
        return await call_next(request.with_header(API_KEY, check_key(key)))


def check_key(key: Secret) -> str:
    """Return the key, masked in `repr`, if it can be sent as a header.

    Raises:
        ConfigurationError: It is not a string, empty, or holds characters that no key has.
    """
    try:
        plausible = _is_plausible(key.reveal())
    except (TypeError, ValueError):
        plausible = False
    if not plausible:
        raise ConfigurationError(
            "api_key must be a non-empty string of visible ASCII characters, without spaces or "
            "line ends; copy the secret key of your account again"
        )
    return key.reveal()


def _is_plausible(key: str) -> bool:
    return bool(key) and key.isascii() and key.isprintable() and " " not in key
