"""Litestar: one client per process, opened and closed by the lifespan."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from litestar import Litestar, Request, Response, put
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody

from perfectpay_async import PerfectPay, PerfectPayError

from .renewal import http_answer, renew


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    async with PerfectPay.from_env() as client:
        app.state.perfectpay = client
        yield


@dataclass
class NewExpiry:
    expiry: str


@put("/account/cards/{payment_method_id:str}/expiry")
async def put_expiry(
    state: State,
    payment_method_id: FromPath[str],
    data: JSONBody[NewExpiry],
    customer_id: NamedDependency[str],
) -> dict[str, str]:
    return await renew(state.perfectpay, customer_id, payment_method_id, data.expiry)


def failed(_request: Request[Any, Any, Any], error: PerfectPayError) -> Response[dict[str, str]]:
    answer = http_answer(error)
    return Response(answer.body, status_code=answer.status, headers=answer.headers)


def make_app(current_customer: Callable[..., Awaitable[str]]) -> Litestar:
    """Make the application; `current_customer` reads your session, and raises 401 without one."""
    return Litestar(
        [put_expiry],
        lifespan=[lifespan],
        dependencies={"customer_id": Provide(current_customer)},
        exception_handlers={PerfectPayError: failed},
    )
