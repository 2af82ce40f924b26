"""One call from the command line: its options, its errors, its exit code."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import IO, TYPE_CHECKING, Any, ClassVar, TypeVar

import click
from attrs import frozen
from yarl import URL

from perfectpay_async.errors import (
    AuthenticationError,
    InvalidRequestError,
    PerfectPayError,
    PermissionDenied,
)
from perfectpay_async.http.address import ENVIRONMENTS

from .exits import ExitCode
from .naming import renamed

if TYPE_CHECKING:
    from perfectpay_async.client import PerfectPay

T = TypeVar("T")


@frozen
class Target:
    """Where a command works, and how it speaks.

    Attributes:
        address: Root of the API.
        as_json: Whether results and errors are printed as JSON.
        yes: Whether it goes on without asking.
    """

    address: URL
    as_json: bool
    yes: bool = False


class CallFailed(click.ClickException):
    """A call that failed: the sentence goes to stderr and, where asked for, JSON to stdout.

    Args:
        error: Why.
        as_json: Whether to print it as JSON, too.
    """

    exit_code: ClassVar[int] = ExitCode.NOT_ALL_DONE

    def __init__(self, error: PerfectPayError, *, as_json: bool) -> None:
        notes: list[str] = getattr(error, "__notes__", [])
        could_be = f"It could be one of: {', '.join(error.candidates)}" if error.candidates else ""
        super().__init__("\n".join(filter(None, [renamed(error), *notes, could_be])))
        self._json = json.dumps({"error": _facts(error)}) if as_json else None

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it."""
        super().show(file)
        if self._json is not None:
            click.echo(self._json)


class _KeyRefused(CallFailed):
    exit_code: ClassVar[int] = ExitCode.CREDENTIALS


class _InputRefused(CallFailed):
    exit_code: ClassVar[int] = ExitCode.INPUT_REFUSED


def call_failed(error: PerfectPayError, target: Target) -> CallFailed:
    """Return the error to raise for a call that failed, with its exit code."""
    kind = CallFailed
    if isinstance(error, AuthenticationError | PermissionDenied):
        kind = _KeyRefused
    elif isinstance(error, InvalidRequestError):
        kind = _InputRefused
    return kind(error, as_json=target.as_json)


def call_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a call, and pass what they say as `target`."""

    @click.option("--environment", type=click.Choice(list(ENVIRONMENTS)), help="Where to send it.")
    @click.option("--base-url", metavar="URL", help="Any other address to send it to.")
    @click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
    @wraps(command)
    def with_target(
        *,
        environment: str | None,
        base_url: str | None,
        as_json: bool,
        yes: bool = False,
        **others: Any,
    ) -> Any:
        from .connect import find_address

        return command(target=Target(find_address(environment, base_url), as_json, yes), **others)

    return with_target


def change_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a call that changes something."""
    return click.option("--yes", is_flag=True, help="Do not ask before it is done.")(
        call_options(command)
    )


def perform(
    target: Target, call: Callable[[PerfectPay], Awaitable[T]], *, changes: bool = False
) -> T:
    """Return the result of a call, made with the key of the environment.

    Args:
        target: Where to make it.
        call: Makes it.
        changes: Whether it changes something, so that an interrupt leaves a doubt.

    Raises:
        CallFailed: It failed.
        KeyNotTaken: There is no key, or one that cannot be sent.
    """
    from .connect import bulk_client, key_from_environment

    client = bulk_client(key_from_environment(), target.address, concurrency=1)

    async def performed() -> T:
        async with client:
            return await call(client)

    try:
        return asyncio.run(performed())
    except PerfectPayError as error:
        raise call_failed(error, target) from None
    except KeyboardInterrupt:
        if changes:
            click.echo("Interrupted: it may have been done; look before you repeat it.", err=True)
        raise


def _facts(error: PerfectPayError) -> dict[str, object]:
    return {
        "class": type(error).__name__,
        "message": error.message,
        "outcome": error.outcome,
        "status": error.status,
        "code": error.code,
        "request_id": error.request_id,
        "attempts": len(error.attempts),
        "candidates": list(error.candidates),
    }
