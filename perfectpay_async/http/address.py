"""Where the API is: the known environments, and the rules for any other address."""

from __future__ import annotations

import ipaddress
from typing import Final, Literal, TypeAlias

from yarl import URL

from perfectpay_async.errors import ConfigurationError

Environment: TypeAlias = Literal["sandbox", "production"]

ENVIRONMENTS: Final[dict[str, str]] = {
    "sandbox": "https://sandbox.perfectpay.ai",
    "production": "https://api.perfectpay.ai",
}


def resolve_address(environment: str | None, base_url: str | None) -> URL:
    """Return the root of the API.

    Args:
        environment: "sandbox" or "production".
        base_url: Any other address; https, or http to this machine's own loopback.

    Raises:
        ConfigurationError: None or both were given, the environment is unknown, or the address is
            not one that a key may be sent to.
    """
    if base_url is None:
        if environment is None:
            raise ConfigurationError(
                "choose where to send the calls: environment='sandbox', "
                "environment='production' or base_url='https://...'"
            )
        if environment not in ENVIRONMENTS:
            raise ConfigurationError(
                "environment must be 'sandbox' or 'production'; for another host use base_url"
            )
        return URL(ENVIRONMENTS[environment])
    if environment is not None:
        raise ConfigurationError("give either environment or base_url, not both")
    return _check(base_url)


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine itself: `localhost`, 127.0.0.0/8 or ::1."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check(base_url: str) -> URL:
    try:
        url = URL(base_url)
    except (ValueError, TypeError):
        url = URL()
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigurationError("base_url must be an absolute address such as https://host")
    if url.user is not None or url.password is not None or url.query_string or url.fragment:
        raise ConfigurationError(
            "base_url must be scheme, host and path only: no user, password, query or fragment"
        )
    if url.scheme == "http" and not is_loopback(url.host):
        raise ConfigurationError(
            "base_url must use https: over http the key and the cards could be read on the way; "
            "plain http is accepted for this machine's loopback address only"
        )
    return url
