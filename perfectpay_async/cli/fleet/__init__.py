"""`perfectpay fleet`: the same bulk job on many workers."""

from __future__ import annotations

from typing import Any

import click

from perfectpay_async.bulk import InputRefused, JobRefused, JournalError
from perfectpay_async.cli.exits import InputNotTaken, JobNotTaken, JournalFailed
from perfectpay_async.errors import ConfigurationError
from perfectpay_async.fleet import FleetError, LedgerError

from .status import status
from .stop import stop
from .submit import reconcile, submit
from .worker import worker


class _FleetGroup(click.Group):
    """A group whose commands end with the exit codes of what can be wrong with a fleet."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InputRefused as error:
            raise InputNotTaken(error.message) from error
        except JobRefused as error:
            raise JobNotTaken(error.message) from error
        except (JournalError, LedgerError, FleetError) as error:
            raise JournalFailed(error.message) from error
        except ConfigurationError as error:
            raise click.UsageError(error.message) from error


@click.group(cls=_FleetGroup)
def fleet() -> None:
    """Work on many cards at once with many workers.

    The ledger is in PostgreSQL (PERFECTPAY_FLEET_LEDGER=postgresql://user@host/database, or the
    path of a SQLite file for workers on one machine), and the queue in RabbitMQ
    (PERFECTPAY_FLEET_BROKER=amqp://user:password@host/). With PERFECTPAY_FLEET_REDIS=redis://host/
    the workers share one rate, instead of an equal part for each.
    """


for _command in (submit, reconcile, status, stop, worker):
    fleet.add_command(_command)
