"""taskiq: one client per worker, opened and closed with it, for single calls.

A message holds the id of a method and its new expiry, and never a card number. The update sets
absolute values, so a message that is delivered twice does no harm.
"""

import logging
from typing import Annotated

from taskiq import Context, InMemoryBroker, SmartRetryMiddleware, TaskiqDepends, TaskiqEvents
from taskiq import TaskiqState as State

from perfectpay_async import CardExpiry, Outcome, PerfectPay, PerfectPayError, RequestOptions

LOG = logging.getLogger("shop.cards")

broker = InMemoryBroker(await_inplace=True)  # yours: AioPikaBroker(url) of taskiq-aio-pika
broker = broker.with_middlewares(SmartRetryMiddleware(default_retry_count=5, use_jitter=True))


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def start(state: State) -> None:
    state.perfectpay = PerfectPay.from_env()


@broker.on_event(TaskiqEvents.WORKER_SHUTDOWN)
async def stop(state: State) -> None:
    await state.perfectpay.close(drain=10)


def opened(context: Annotated[Context, TaskiqDepends()]) -> PerfectPay:
    return context.state.perfectpay


@broker.task(retry_on_error=True)
async def renew_card(
    payment_method_id: str,
    month: int,
    year: int,
    client: Annotated[PerfectPay, TaskiqDepends(opened)],
) -> str:
    """Give a card a new expiry; returns what came of it."""
    try:
        await client.payment_methods.update(
            payment_method_id,
            expiry=CardExpiry(month, year),
            options=RequestOptions(deadline=20),
        )
    except PerfectPayError as error:
        LOG.warning("%s", error)  # holds no secret
        if error.is_retryable or error.outcome is Outcome.UNKNOWN:
            raise  # the middleware sends the message again
        return str(error.outcome)  # refused for good: mend the data, do not repeat
    return "ok"
