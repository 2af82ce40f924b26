"""What is around every view: the session, the pages for what went wrong, the check of forms."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from aiohttp import web

from perfectpay_async import PerfectPayError

from . import guard, words
from .pages import message_page
from .sign_in import keep_session, new_session, session_of
from .state import FORM, SESSION, SETTINGS
from .views import html_response

View: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log: Final = logging.getLogger(__name__)
_SAFE: Final = frozenset({"GET", "HEAD"})


@web.middleware
async def signed_in(request: web.Request, handler: View) -> web.StreamResponse:
    """Find out who is signed in. Here everybody is; yours would lead to a sign-in page."""
    session = session_of(request)
    request[SESSION] = session or new_session()
    response = await handler(request)
    if session is None:
        secure = request.app[SETTINGS].secure_cookies
        keep_session(response, request[SESSION], secure=secure)
    return response


@web.middleware
async def kind_errors(request: web.Request, handler: View) -> web.StreamResponse:
    """Make a page of whatever a view raises."""
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return html_response(message_page("Not found", words.NOT_FOUND), 404)
    except web.HTTPException:
        raise
    except PerfectPayError as error:
        _log.warning("%s", error)
        page = message_page("Please try again", words.CANNOT_READ)
        return html_response(page, 503)
    except Exception:  # noqa: BLE001 - the last resort; a cancel is none of these
        _log.exception("a page failed")
        return html_response(message_page("We are sorry", words.OUR_FAULT), 500)


@web.middleware
async def own_forms_only(request: web.Request, handler: View) -> web.StreamResponse:
    """Refuse every request that may change something and has no token of its session.

    It stands before all views, so that none can forget it.
    """
    if request.method not in _SAFE:
        sent = await request.post()
        form = {name: text for name, text in sent.items() if isinstance(text, str)}
        token = form.get(guard.FIELD, "")
        if not guard.is_token_of(request.app[SETTINGS].secret, request[SESSION].id, token):
            return html_response(message_page("Please try again", words.FORGED), 403)
        request[FORM] = form
    return await handler(request)


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Add the headers that guard the pages to every answer."""
    response.headers.update(guard.HEADERS)
