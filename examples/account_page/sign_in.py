"""Stands in for your sign-in: whoever opens the page is the customer Ida Brook. Replace it.

What the rest relies on: the customer's id comes from your session and never from the request, and
the session has a random id, in a cookie that no script can read and no form of another site sends.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

from aiohttp import web
from attrs import frozen

CUSTOMER_ID: Final = "cus_ida_brook"

_COOKIE: Final = "session"
_SESSION_ID: Final = re.compile(r"[\w-]{43}", re.ASCII)


@frozen
class Session:
    """Who is signed in.

    Attributes:
        id: Random; the form tokens are bound to it.
        customer_id: The customer's id at PerfectPay.
    """

    id: str
    customer_id: str


def session_of(request: web.Request) -> Session | None:
    """Return the session that the request's cookie names, or None when nobody is signed in."""
    cookie = request.cookies.get(_COOKIE, "")
    return Session(cookie, CUSTOMER_ID) if _SESSION_ID.fullmatch(cookie) else None


def new_session() -> Session:
    """Return a new session. Yours begins after a password, and ends."""
    return Session(secrets.token_urlsafe(32), CUSTOMER_ID)


def keep_session(response: web.StreamResponse, session: Session, *, secure: bool) -> None:
    """Put the session into a cookie."""
    response.set_cookie(_COOKIE, session.id, path="/", httponly=True, samesite="Lax", secure=secure)
