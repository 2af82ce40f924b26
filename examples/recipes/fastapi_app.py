"""FastAPI: one client per process, opened and closed by the lifespan."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, TypedDict

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from perfectpay_async import PerfectPay, PerfectPayError

from .renewal import http_answer, renew


class State(TypedDict):
    perfectpay: PerfectPay


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[State]:
    async with PerfectPay.from_env() as client:
        yield {"perfectpay": client}


def current_customer(_request: Request) -> str:
    """Yours: who is logged in, from the session. Never from the URL or the body."""
    raise HTTPException(401, "Please log in.")


class NewExpiry(BaseModel):
    expiry: str


app = FastAPI(lifespan=lifespan)


@app.put("/account/cards/{payment_method_id}/expiry")
async def put_expiry(
    request: Request,
    payment_method_id: str,
    new: NewExpiry,
    customer_id: Annotated[str, Depends(current_customer)],
) -> dict[str, str]:
    return await renew(request.state.perfectpay, customer_id, payment_method_id, new.expiry)


@app.exception_handler(PerfectPayError)
async def failed(_request: Request, error: PerfectPayError) -> JSONResponse:
    answer = http_answer(error)
    return JSONResponse(answer.body, answer.status, answer.headers)
