"""What can be set for one call, or for all calls of a view made by `client.with_options`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen

from .drafts import Draftable, maker_of
from .errors import ConfigurationError
from .resilience.policy import RetryPolicy

_OWNED_HEADERS: Final = frozenset(
    {
        "api-key",
        "authorization",
        "content-length",
        "content-type",
        "expect",
        "host",
        "idempotency-key",
        "transfer-encoding",
    }
)


def check_seconds(name: str, value: object) -> None:
    """Check that a setting is a length of time.

    Raises:
        ConfigurationError: It is not a number of seconds above 0.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ConfigurationError(f"{name} must be a number of seconds above 0")


def _check_timeout(_options: object, attribute: Any, value: object) -> None:
    if value is not None:
        check_seconds(attribute.name, value)


def _check_retry(_options: object, _attribute: Any, value: object) -> None:
    if value is not None and not isinstance(value, RetryPolicy):
        raise ConfigurationError(
            "retry must be a RetryPolicy, such as RetryPolicy(stop=stop_after_attempt(5))"
        )


def _check_key(_options: object, _attribute: Any, value: object) -> None:
    if value is not None and not (isinstance(value, str) and value and _is_header_text(value)):
        raise ConfigurationError(
            "idempotency_key must be a non-empty string of visible ASCII characters"
        )


def _check_headers(_options: object, _attribute: Any, value: Mapping[str, str]) -> None:
    for name, text in value.items():
        if name.lower() in _OWNED_HEADERS:
            raise ConfigurationError(
                f"headers: {name} is set by the client itself; "
                "use api_key, idempotency_key or base_url instead (Authorization is never sent, "
                "because the server would then ignore the api key)"
            )
        if not _is_token(name) or not _is_header_text(text):
            raise ConfigurationError(
                "headers: names and values must be ASCII text without line ends"
            )


def _is_token(text: str) -> bool:
    return bool(text) and text.isascii() and all(c.isalnum() or c in "-_" for c in text)


def _is_header_text(text: object) -> bool:
    return isinstance(text, str) and text.isascii() and text.isprintable()


@frozen(kw_only=True)
class RequestOptions(Draftable):
    """Settings of one call. What is left out is taken from the client.

    Attributes:
        deadline: Seconds for the whole call: queueing, all attempts, all waits and the reading of
            the body. `math.inf` for none.
        attempt_timeout: Seconds for one attempt, the reading of the body included.
        retry: When and how often a failed attempt is repeated.
        idempotency_key: Sent instead of a random key. Give each call its own: the attempts of a
            call share it already.
        headers: Further headers to send, such as `Accept-Language` or `X-Profile-Id`.

    Raises:
        ConfigurationError: A value breaks its rule; the message names it.
    """

    deadline: float | None = field(default=None, validator=_check_timeout)
    attempt_timeout: float | None = field(default=None, validator=_check_timeout)
    retry: RetryPolicy | None = field(default=None, validator=_check_retry)
    idempotency_key: str | None = field(default=None, validator=_check_key, repr=False)
    headers: Mapping[str, str] = field(factory=dict[str, str], validator=_check_headers, repr=False)

    def over(self, defaults: RequestOptions) -> RequestOptions:
        """Return these options, completed by `defaults`."""
        # Both have been checked, and to check them again would cost as much as the whole call path.
        deadline, timeout, key = self.deadline, self.attempt_timeout, self.idempotency_key
        theirs = defaults.headers
        return _make_options(
            defaults.deadline if deadline is None else deadline,
            defaults.attempt_timeout if timeout is None else timeout,
            defaults.retry if self.retry is None else self.retry,
            defaults.idempotency_key if key is None else key,
            {**theirs, **self.headers} if theirs else self.headers,
        )


_make_options: Final = maker_of(RequestOptions)
