"""What the application and its requests carry, by typed keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Final

from aiohttp import web
from attrs import field, frozen

from perfectpay_async import PerfectPay

from .sign_in import Session


def _today() -> date:
    return datetime.now(UTC).date()


@frozen(kw_only=True)
class Settings:
    """Settings of the application.

    Attributes:
        secret: 32 random bytes for the forms' tokens; the same in all processes.
        secure_cookies: Whether cookies go over https alone. Only a try on loopback says no.
        today: The day; decides which cards have expired.
    """

    secret: bytes = field(repr=False)
    secure_cookies: bool = True
    today: Callable[[], date] = _today


SETTINGS: Final = web.AppKey("settings", Settings)
CLIENT: Final = web.AppKey("client", PerfectPay)
SESSION: Final = web.RequestKey("session", Session)
FORM: Final[web.RequestKey[Mapping[str, str]]] = web.RequestKey("form", Mapping[str, str])
