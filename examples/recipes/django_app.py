"""Django: an async view, and one client per process, opened and closed with the ASGI server.

Django itself leaves the lifespan of ASGI alone, and a client belongs to one event loop. So the
client lives round Django, and its views find it in the scope. Run it with an ASGI server.
"""

import json
import os
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIRequest
from django.http import JsonResponse
from django.urls import path
from django.views.decorators.http import require_http_methods

from perfectpay_async import ConfigurationError, InvalidRequestError, PerfectPay, PerfectPayError

from .renewal import http_answer, renew

settings.configure(  # yours are in your project
    SECRET_KEY=os.environ["DJANGO_SECRET_KEY"],
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
)


@require_http_methods(["PUT"])
async def put_expiry(request: ASGIRequest, payment_method_id: str) -> JsonResponse:
    customer_id = await request.session.aget("customer_id")
    if customer_id is None:
        return JsonResponse({"error": "Please log in."}, status=401)
    try:
        expiry = json.loads(request.body).get("expiry")
        if not isinstance(expiry, str):
            raise InvalidRequestError("expiry must be a text such as 12/31", field="expiry")
        client = request.scope["perfectpay"]
        return JsonResponse(await renew(client, customer_id, payment_method_id, expiry))
    except PerfectPayError as error:
        answer = http_answer(error)
        return JsonResponse(answer.body, status=answer.status, headers=answer.headers)


urlpatterns = [path("account/cards/<str:payment_method_id>/expiry", put_expiry)]


class WithPerfectPay:
    """An ASGI application round another, which finds an open client in its scope."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._client: PerfectPay

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await self._app({**scope, "perfectpay": self._client}, receive, send)
            return
        await receive()  # lifespan.startup
        try:
            self._client = PerfectPay.from_env()
        except ConfigurationError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        async with self._client:
            await send({"type": "lifespan.startup.complete"})
            await receive()  # lifespan.shutdown
        await send({"type": "lifespan.shutdown.complete"})


django.setup()
app = WithPerfectPay(get_asgi_application())
