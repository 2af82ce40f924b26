"""The views. One that changes something answers with a redirect, so that a reload repeats nothing.

A failed read is not handled here: nothing was changed then, whatever its outcome says, and
`middlewares` shows a page that says so. Only the outcome of a change is told apart.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from aiohttp import web
from yarl import URL

from perfectpay_async import CustomerPaymentMethod

from . import guard, pages
from .changes import Change, carry_out
from .forms import FormError, chosen_method, entered_expiry
from .html import Html
from .methods import CustomerMethods
from .state import CLIENT, FORM, SESSION, SETTINGS
from .words import Action, code_of, notice_of

_NOTICE: Final = "notice"
_UNPROCESSABLE: Final = 422

routes: Final = web.RouteTableDef()


def html_response(page: Html, status: int = 200) -> web.Response:
    """Return a page."""
    return web.Response(
        text=page, status=status, content_type="text/html", headers=guard.NOT_STORED
    )


@routes.get(pages.METHODS)
async def show_methods(request: web.Request) -> web.Response:
    """The saved methods, and how the last change went."""
    methods = await _mine(request).list()
    notice = notice_of(request.cookies.get(_NOTICE))
    response = html_response(pages.methods_page(methods, _today(request), _token(request), notice))
    if notice:
        response.del_cookie(_NOTICE)
    return response


@routes.get("/methods/{method_id}/expiry")
async def ask_expiry(request: web.Request) -> web.Response:
    """The form for a new expiry."""
    method = await _wanted_card(request, _mine(request))
    return html_response(pages.expiry_page(method, _today(request), _token(request)))


@routes.post("/methods/{method_id}/expiry")
async def update_expiry(request: web.Request) -> web.Response:
    """Update an expiry, or show the form again with what is wrong."""
    try:
        expiry = entered_expiry(request[FORM], _today(request))
    except FormError as error:
        method = await _wanted_card(request, _mine(request))
        page = pages.expiry_page(method, _today(request), _token(request), error.sentence)
        return html_response(page, _UNPROCESSABLE)
    return await _change(
        request, Action.UPDATE, lambda mine, method: mine.update_expiry(method, expiry)
    )


@routes.post("/methods/{method_id}/default")
async def set_default(request: web.Request) -> web.Response:
    """Make a method the default."""
    return await _change(request, Action.DEFAULT, CustomerMethods.set_default)


@routes.get("/methods/{method_id}/delete")
async def ask_delete(request: web.Request) -> web.Response:
    """Ask before a method is deleted."""
    method = await _wanted(request, _mine(request))
    return html_response(pages.delete_page(method, _today(request), _token(request)))


@routes.post("/methods/{method_id}/delete")
async def delete(request: web.Request) -> web.Response:
    """Delete a method."""
    return await _change(request, Action.DELETE, CustomerMethods.delete)


@routes.get(pages.CHECKOUT)
async def ask_choice(request: web.Request) -> web.Response:
    """The choice of a method to pay with."""
    methods = await _mine(request).list()
    return html_response(pages.checkout_page(methods, _today(request), _token(request)))


@routes.post(pages.CHECKOUT)
async def choose(request: web.Request) -> web.Response:
    """Take the choice. Yours would keep it with the order."""
    methods, today = await _mine(request).list(), _today(request)
    try:
        method = chosen_method(request[FORM], methods, today)
    except FormError as error:
        page = pages.checkout_page(methods, today, _token(request), error.sentence)
        return html_response(page, _UNPROCESSABLE)
    return _see(URL(pages.CHOSEN).with_query(method=method.payment_method_id))


@routes.get(pages.CHOSEN)
async def show_choice(request: web.Request) -> web.Response:
    """What was chosen; checked again, because an address can be typed."""
    methods, today = await _mine(request).list(), _today(request)
    try:
        method = chosen_method(request.query, methods, today)
    except FormError as error:
        page = pages.checkout_page(methods, today, _token(request), error.sentence)
        return html_response(page, _UNPROCESSABLE)
    return html_response(pages.chosen_page(method, today))


async def _change(request: web.Request, action: Action, change: Change) -> web.Response:
    """Change the wanted method and lead to the list, which shows how it went and what is there."""
    result = await carry_out(change, _mine(request), request.match_info["method_id"])
    response = _see(URL(pages.METHODS).with_fragment(pages.NOTICE_ID))
    response.set_cookie(
        _NOTICE,
        code_of(action, result),
        max_age=60,
        httponly=True,
        samesite="Lax",
        secure=request.app[SETTINGS].secure_cookies,
    )
    return response


async def _wanted(request: web.Request, mine: CustomerMethods) -> CustomerPaymentMethod:
    method = await mine.find(request.match_info["method_id"])
    if method is None:
        raise web.HTTPNotFound
    return method


async def _wanted_card(request: web.Request, mine: CustomerMethods) -> CustomerPaymentMethod:
    method = await _wanted(request, mine)
    if method.card is None:
        raise web.HTTPNotFound
    return method


def _mine(request: web.Request) -> CustomerMethods:
    return CustomerMethods(request.app[CLIENT], request[SESSION].customer_id)


def _today(request: web.Request) -> date:
    return request.app[SETTINGS].today()


def _token(request: web.Request) -> str:
    return guard.token_of(request.app[SETTINGS].secret, request[SESSION].id)


def _see(where: URL) -> web.Response:
    return web.Response(status=303, headers={"Location": str(where)})
