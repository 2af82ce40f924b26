"""`perfectpay bulk`: work on many cards at once."""

from __future__ import annotations

from typing import Any

import click

from perfectpay_async.bulk import InputRefused, JobRefused, JournalError
from perfectpay_async.cli.exits import InputNotTaken, JobNotTaken, JournalFailed

from .dead_letter import dead_letter
from .plan import plan
from .report import report
from .retry_failed import retry_failed
from .run import run
from .status import status
from .verify import verify


class _BulkGroup(click.Group):
    """A group whose commands end with the exit codes of what is wrong with an input or a job."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InputRefused as error:
            raise InputNotTaken(error.message) from error
        except JobRefused as error:
            raise JobNotTaken(error.message) from error
        except JournalError as error:
            raise JournalFailed(error.message) from error


@click.group(cls=_BulkGroup)
def bulk() -> None:
    """Work on many cards at once."""


for _command in (plan, run, status, report, dead_letter, retry_failed, verify):
    bulk.add_command(_command)
