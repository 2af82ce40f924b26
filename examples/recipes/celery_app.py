"""Celery: one client and one event loop per worker process, for single calls.

A message holds the id of a method and its new expiry, and never a card number. The update sets
absolute values, so a message that is delivered twice does no harm.
"""

import asyncio
import logging

from celery import Celery, Task
from celery.signals import worker_process_init, worker_process_shutdown

from perfectpay_async import CardExpiry, Outcome, PerfectPay, PerfectPayError, RequestOptions

LOG = logging.getLogger("shop.cards")

app = Celery("shop")
app.config_from_object("celeryconfig")  # broker and result backend, yours
app.conf.task_acks_late = True  # a task whose worker is killed is run again ...
app.conf.task_reject_on_worker_lost = True  # ... by another one


class Worker:
    """What a worker process has of its own: made after the fork, and never before it."""

    runner: asyncio.Runner
    client: PerfectPay


async def _open() -> PerfectPay:
    return PerfectPay.from_env()


@worker_process_init.connect
def start(**_signal: object) -> None:
    Worker.runner = asyncio.Runner()
    Worker.client = Worker.runner.run(_open())


@worker_process_shutdown.connect
def stop(**_signal: object) -> None:
    Worker.runner.run(Worker.client.close())
    Worker.runner.close()


@app.task(bind=True, max_retries=5)
def renew_card(task: "Task[..., str]", payment_method_id: str, month: int, year: int) -> str:
    """Give a card a new expiry; returns what came of it."""
    update = Worker.client.payment_methods.update(
        payment_method_id,
        expiry=CardExpiry(month, year),
        options=RequestOptions(deadline=20),  # below the time limit of the task
    )
    try:
        Worker.runner.run(update)
    except PerfectPayError as error:
        LOG.warning("%s", error)  # holds no secret
        if error.is_retryable or error.outcome is Outcome.UNKNOWN:
            wait = error.retry_after or 2**task.request.retries
            raise task.retry(countdown=wait, exc=error) from error
        return str(error.outcome)  # refused for good: mend the data, do not repeat
    return "ok"
