"""The application: one client for its whole life, the middlewares, the routes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from aiohttp import web

from perfectpay_async import PerfectPay

from .middlewares import add_headers, kind_errors, own_forms_only, signed_in
from .state import CLIENT, SETTINGS, Settings
from .views import routes

_STATIC: Final = Path(__file__).parent / "static"
_MAX_FORM: Final = 16 * 1024


def make_app(
    settings: Settings, make_client: Callable[[], PerfectPay] = PerfectPay.from_env
) -> web.Application:
    """Return the application.

    Args:
        settings: Its settings.
        make_client: Makes the client; called once, in the event loop of the application.
    """

    async def with_client(app: web.Application) -> AsyncIterator[None]:
        async with make_client() as client:
            app[CLIENT] = client
            yield

    app = web.Application(
        middlewares=[signed_in, kind_errors, own_forms_only], client_max_size=_MAX_FORM
    )
    app[SETTINGS] = settings
    app.cleanup_ctx.append(with_client)
    app.on_response_prepare.append(add_headers)
    app.add_routes(routes)
    app.router.add_static("/static", _STATIC)
    return app
