"""The web recipes on a real server, each with the session that its framework has."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import pytest
from aiohttp import web

from perfectpay_async.sandbox import Sandbox

MISSING = "the framework of this recipe is not installed: pip install -e '.[recipes]'"


def recipe(name: str, framework: str) -> Any:
    """Return the module of a recipe, or skip the test where its framework is missing."""
    pytest.importorskip(framework, reason=MISSING)
    return import_module(f"examples.recipes.{name}")


@asynccontextmanager
async def serve_asgi(app: Any) -> AsyncIterator[str]:
    """Serve an ASGI application, its lifespan included, and say where."""
    uvicorn = pytest.importorskip("uvicorn", reason=MISSING)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="on", log_config=None, ws="none"))
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started and not running.done():  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listening.close()


@asynccontextmanager
async def serve_aiohttp(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield site.name
    finally:
        await runner.cleanup()


Shop = tuple[Any, dict[str, str]]
"""The server of a recipe, not started, and the headers of a customer who is logged in."""

MINE = {"X-Session": "mine"}


def fastapi(customer_id: str) -> Shop:
    module = recipe("fastapi_app", "fastapi")
    from fastapi import Request

    def current_customer(request: Request) -> str:
        return customer_id if _is_mine(request) else module.current_customer(request)

    module.app.dependency_overrides[module.current_customer] = current_customer
    return serve_asgi(module.app), MINE


def litestar(customer_id: str) -> Shop:
    module = recipe("litestar_app", "litestar")
    from litestar import Request
    from litestar.exceptions import NotAuthorizedException

    async def current_customer(request: Request[Any, Any, Any]) -> str:
        if not _is_mine(request):
            raise NotAuthorizedException
        return customer_id

    return serve_asgi(module.make_app(current_customer)), MINE


def django(customer_id: str) -> Shop:
    module = recipe("django_app", "django")
    from django.contrib.sessions.backends.signed_cookies import SessionStore

    session = SessionStore()
    session["customer_id"] = customer_id
    session.save()
    token = "t" * 32
    cookies = f"sessionid={session.session_key}; csrftoken={token}"
    return serve_asgi(module.app), {"Cookie": cookies, "X-CSRFToken": token}


def aiohttp_web(customer_id: str) -> Shop:
    module = recipe("aiohttp_app", "aiohttp")

    async def current_customer(request: web.Request) -> str:
        if not _is_mine(request):
            raise web.HTTPUnauthorized
        return customer_id

    return serve_aiohttp(module.make_app(current_customer)), MINE


def _is_mine(request: Any) -> bool:
    return request.headers.get("X-Session") == "mine"


@pytest.fixture
def card_id(perfectpay_sandbox: Sandbox) -> str:
    return perfectpay_sandbox.seed_cards(1)[0]


@pytest.fixture(params=[fastapi, litestar, django, aiohttp_web], ids=lambda make: make.__name__)
def web_recipe(
    request: pytest.FixtureRequest,
    perfectpay_sandbox: Sandbox,
    perfectpay_env: None,
    card_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Shop:
    """A shop in which the owner of the card is logged in."""
    monkeypatch.setenv("DJANGO_SECRET_KEY", "for tests")
    return request.param(perfectpay_sandbox.store.methods[card_id].customer_id)
