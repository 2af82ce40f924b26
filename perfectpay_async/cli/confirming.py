"""Asks before something real is changed, and before anything is deleted."""

from __future__ import annotations

import sys

import click

from .calling import Target


def confirm_change(target: Target, what: str) -> None:
    """Ask before a change anywhere but in a sandbox.

    Args:
        target: Where it is made.
        what: What it does, as "this ...".

    Raises:
        UsageError: It was not confirmed, or there is nobody to ask.
    """
    from .connect import is_sandbox

    if target.yes or is_sandbox(target.address):
        return
    host = target.address.host
    check_terminal(f"{host} is not a sandbox: say --yes to change something there")
    confirm_host(host, what)


def confirm_deletion(target: Target, what: str) -> None:
    """Ask before a deletion, in a sandbox too.

    Args:
        target: Where it is done.
        what: What it does, as "this ...".

    Raises:
        UsageError: As `confirm_change`.
    """
    from .connect import is_sandbox

    if not is_sandbox(target.address):
        confirm_change(target, what)
    elif not target.yes:
        check_terminal("say --yes to delete without being asked")
        if not click.confirm(f"This {what} for good. Go on?", err=True):
            raise click.UsageError("not confirmed, so nothing was sent")


def confirm_host(host: str | None, what: str) -> None:
    """Have the name of a host typed before something real is changed there.

    Args:
        host: The host.
        what: What is done, as "this ...".

    Raises:
        UsageError: It was not.
    """
    click.echo(f"This {what} at {host}, which is not a sandbox.", err=True)
    typed: str = click.prompt(
        "Type the host's name to go on", default="", show_default=False, err=True
    )
    if typed.strip() != host:
        raise click.UsageError("not confirmed, so nothing was sent")


def check_terminal(advice: str) -> None:
    """Check that there is somebody to ask.

    Raises:
        UsageError: There is nobody; it says the advice.
    """
    if sys.stdin is None or not sys.stdin.isatty():  # pyright: ignore[reportUnnecessaryComparison]
        raise click.UsageError(advice)
