"""What `perfectpay doctor` looks at. Each check says what it saw and, when it must, what to do."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final
from urllib.request import getproxies, proxy_bypass

from attrs import frozen
from tenacity import stop_after_attempt
from yarl import URL

from perfectpay_async.bulk.counted import counted
from perfectpay_async.client import PerfectPay
from perfectpay_async.errors import (
    AuthenticationError,
    ConfigurationError,
    PerfectPayError,
    PermissionDenied,
    RateLimited,
)
from perfectpay_async.http.address import ENVIRONMENTS, is_loopback
from perfectpay_async.http.pipeline import Middlewares, Next
from perfectpay_async.messages import Request, Response
from perfectpay_async.middleware.auth import check_key
from perfectpay_async.resilience.policy import RetryPolicy
from perfectpay_async.secrets import Secret

from .naming import renamed
from .showing import printable

PATIENCE: Final = 5.0
"""Seconds for each step of a connection."""

AUTHENTICATION: Final = "authentication"
KEY: Final = "key"

_LONGEST_SKEW: Final = 60.0
_CERTIFICATE_DAYS: Final = 14
_DAY: Final = 86_400
_COPY_AGAIN: Final = "copy the account's secret key again, and put it into PERFECTPAY_API_KEY"
# How keys begin in stock Hyperswitch. PerfectPay documents no form, so no key must begin so.
_NOT_SECRET_KEYS: Final = {
    "pk_": "a publishable key, which is for the browser",
    "epk_": "an ephemeral key, which is for one customer's browser",
    "eki_": "the id of an ephemeral key",
    "pm_": "the id of a payment method",
    "cus_": "the id of a customer",
}
_TEST_KEYS: Final = ("snd_", "dev_")
_LIVE_KEYS: Final = ("prod_", "prd_")


class Status(StrEnum):
    """How a check went."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@frozen
class Check:
    """One line of the diagnosis.

    Attributes:
        name: What was looked at.
        status: How it went.
        detail: What was seen; never a secret.
        advice: What to do, unless all is well.
    """

    name: str
    status: Status
    detail: str
    advice: str = ""


def check_shape(key: Secret | None, address: URL | None) -> Check:
    """Check that there is a key, and that it looks like a secret key of this environment."""
    if key is None:
        return Check(KEY, Status.FAIL, "PERFECTPAY_API_KEY is not set", _COPY_AGAIN)
    try:
        text = check_key(key)
    except ConfigurationError:
        said = "the key is empty, or has spaces, line ends or other characters that no key has"
        return Check(KEY, Status.FAIL, said, _COPY_AGAIN)
    if text[0] in "\"'" or text[-1] in "\"'":
        return Check(KEY, Status.FAIL, "the key has quotes around it", "remove the quotes")
    kind = next((kind for start, kind in _NOT_SECRET_KEYS.items() if text.startswith(start)), None)
    if "_secret_" in text:
        kind = "a client secret, which is for the browser"
    if kind is not None:
        return Check(KEY, Status.FAIL, f"this is {kind}; a secret key is needed", _COPY_AGAIN)
    root = "" if address is None else str(address.origin())
    if (text.startswith(_TEST_KEYS) and root == ENVIRONMENTS["production"]) or (
        text.startswith(_LIVE_KEYS) and root == ENVIRONMENTS["sandbox"]
    ):
        said = "the key begins like one of the other environment"
        return Check(KEY, Status.WARN, said, "check that key and environment belong together")
    return Check(KEY, Status.OK, f"there is one, of {len(text)} characters")


def check_host(address: URL) -> Check:
    """Say where calls go."""
    root = str(address.origin())
    names = {url: name for name, url in ENVIRONMENTS.items()}
    kind = "this machine" if is_loopback(address.host or "") else names.get(root, "a custom host")
    return Check("host", Status.OK, f"{address} ({kind})")


async def check_network(address: URL) -> list[Check]:
    """Check name look-up, TCP and TLS, until one fails."""
    host, port = address.raw_host or "", address.port or 0
    proxy = _proxy_of(address)
    if proxy is not None:
        said = f"connections go through the proxy {proxy.host}:{proxy.port}"
        return [Check("network", Status.OK, f"{said}; what is behind it is not looked at")]
    loop = asyncio.get_running_loop()
    checks: list[Check] = []
    try:
        async with asyncio.timeout(PATIENCE):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:  # TimeoutError is one
        return [Check("dns", Status.FAIL, _said(error), "check the name of the host, and DNS")]
    addresses = sorted({str(entry[4][0]) for entry in found})
    checks.append(Check("dns", Status.OK, ", ".join(addresses)))
    began = loop.time()
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        advice = "check the firewall, the port, and that the server runs"
        return [*checks, Check("tcp", Status.FAIL, _said(error), advice)]
    elapsed = loop.time() - began
    writer.transport.abort()
    checks.append(Check("tcp", Status.OK, f"connected in {elapsed * 1000:.0f} ms"))
    return [*checks, await _check_tls(address, host, port)]


async def _check_tls(address: URL, host: str, port: int) -> Check:
    if address.scheme == "http":
        return Check("tls", Status.OK, "plain http, which never leaves this machine")
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(host, port, ssl=ssl.create_default_context())
    except ssl.SSLCertVerificationError as error:
        advice = "check the system's authorities; a private one goes into SSL_CERT_FILE"
        said = f"the certificate is not trusted: {error.verify_message}"
        return Check("tls", Status.FAIL, printable(said), advice)
    except OSError as error:
        return Check("tls", Status.FAIL, _said(error), "check that this port speaks TLS")
    tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
    writer.transport.abort()
    return check_certificate(tls.version() or "", tls.getpeercert() or {}, time.time())


def check_certificate(version: str, certificate: Mapping[str, object], now: float) -> Check:
    """Check how long the server's certificate is good.

    Args:
        version: Of TLS.
        certificate: As `ssl.SSLObject.getpeercert` gives it.
        now: The time of day as seconds since the epoch.
    """
    ends = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    days = (ends - now) / _DAY
    detail = f"{version}, certificate good for {counted(round(days), 'more day')}"
    if days < _CERTIFICATE_DAYS:
        return Check("tls", Status.WARN, detail, "tell the server's operator to renew it")
    return Check("tls", Status.OK, detail)


async def check_call(key: Secret, address: URL) -> list[Check]:
    """Make one harmless call with the key, and look at what its answer says besides."""
    seen: list[tuple[Response, datetime]] = []

    async def look(request: Request, call_next: Next) -> Response:
        response = await call_next(request)
        seen.append((response, datetime.now(UTC)))
        return response

    once = RetryPolicy(stop=stop_after_attempt(1))
    async with PerfectPay(
        key,
        base_url=str(address),
        retry=once,
        deadline=15.0,
        middlewares=Middlewares(attempt=[look]),
    ) as client:
        try:
            answer = await client.request("GET", "/customers/list", query={"limit": "1"})
        except PerfectPayError as error:
            checks = [_failed(error)]
        else:
            said = f"GET /customers/list answered {answer.status} in {answer.elapsed * 1000:.0f} ms"
            checks = [Check(AUTHENTICATION, Status.OK, said)]
    for response, when in seen[-1:]:
        checks += [check_clock(response.headers.get("Date"), when), check_limits(response.headers)]
    return checks


def _failed(error: PerfectPayError) -> Check:
    quote = f" (request id {error.request_id})" if error.request_id else ""
    if isinstance(error, AuthenticationError):
        return Check(
            AUTHENTICATION,
            Status.FAIL,
            f"the server refuses the key: {error.message}{quote}",
            f"it is unknown, expired, revoked, or of another environment; {_COPY_AGAIN}",
        )
    if isinstance(error, PermissionDenied):
        return Check(
            AUTHENTICATION,
            Status.FAIL,
            f"the key may not list customers: {error.message}{quote}",
            "use a key that may; if every route answers 403, the account was moved to another API",
        )
    if isinstance(error, RateLimited):
        return Check("call", Status.WARN, f"{error.message}{quote}", "try again later")
    return Check(
        "call",
        Status.FAIL,
        f"{error.message}{quote}",
        renamed(error.advice) or "quote this to support",
    )


def check_clock(date: str | None, now: datetime) -> Check:
    """Compare this machine's clock with the server's.

    Args:
        date: The server's Date header.
        now: This machine's time when the answer came.
    """
    try:
        there = parsedate_to_datetime(date or "")
    except ValueError:
        return Check("clock", Status.OK, "not compared: the server sends no date")
    there = there if there.tzinfo else there.replace(tzinfo=UTC)
    skew = (now - there).total_seconds()
    if abs(skew) <= _LONGEST_SKEW:
        return Check("clock", Status.OK, "as the server's")
    side = "ahead of" if skew > 0 else "behind"
    return Check(
        "clock",
        Status.WARN,
        f"{abs(skew):,.0f} s {side} the server's",
        "set the clock of this machine: by it a card counts as expired, and a certificate as good",
    )


def check_limits(headers: Mapping[str, str]) -> Check:
    """Say which limits the server announces."""
    found = {
        name.lower(): value
        for name, value in headers.items()
        if name.lower().startswith(("x-ratelimit", "ratelimit", "retry-after"))
    }
    if not found:
        said = "none announced; the documented default of stock Hyperswitch is 80 requests/s"
        return Check("limits", Status.OK, said)
    said = ", ".join(f"{name}: {value}" for name, value in sorted(found.items()))
    return Check("limits", Status.OK, printable(said))


def worst(checks: Iterable[Check]) -> Status:
    """Return the worst status of all."""
    order = list(Status)
    return max((check.status for check in checks), key=order.index, default=Status.OK)


def _proxy_of(address: URL) -> URL | None:
    host = address.host or ""
    if is_loopback(host) or proxy_bypass(host):
        return None
    proxy = getproxies().get(address.scheme)
    return None if proxy is None else URL(proxy)


def _said(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in {PATIENCE:.0f} s"
    return printable(error.strerror or type(error).__name__)
