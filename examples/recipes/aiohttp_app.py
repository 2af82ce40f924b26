"""aiohttp.web: one client per application, opened and closed by a cleanup context."""

from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

from perfectpay_async import InvalidRequestError, PerfectPay, PerfectPayError

from .renewal import http_answer, renew

CLIENT = web.AppKey("client", PerfectPay)
CurrentCustomer = Callable[[web.Request], Awaitable[str]]
CURRENT_CUSTOMER = web.AppKey[CurrentCustomer]("current_customer")


async def perfectpay(app: web.Application) -> AsyncIterator[None]:
    async with PerfectPay.from_env() as client:
        app[CLIENT] = client
        yield


async def put_expiry(request: web.Request) -> web.Response:
    customer_id = await request.app[CURRENT_CUSTOMER](request)
    expiry = (await request.json()).get("expiry")
    if not isinstance(expiry, str):
        raise InvalidRequestError("expiry must be a text such as 12/31", field="expiry")
    card = request.match_info["payment_method_id"]
    return web.json_response(await renew(request.app[CLIENT], customer_id, card, expiry))


@web.middleware
async def failures(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except PerfectPayError as error:
        answer = http_answer(error)
        return web.json_response(answer.body, status=answer.status, headers=answer.headers)


def make_app(current_customer: CurrentCustomer) -> web.Application:
    """Make the application; `current_customer` reads your session, and raises 401 without one."""
    app = web.Application(middlewares=[failures])
    app[CURRENT_CUSTOMER] = current_customer
    app.cleanup_ctx.append(perfectpay)
    app.router.add_put("/account/cards/{payment_method_id}/expiry", put_expiry)
    return app
