"""Where a command sends its requests, and with which key."""

from __future__ import annotations

import os
from typing import Final

import click
from yarl import URL

from perfectpay_async.client import PerfectPay
from perfectpay_async.errors import ConfigurationError
from perfectpay_async.http.address import ENVIRONMENTS, is_loopback, resolve_address
from perfectpay_async.secrets import Secret

from .exits import KeyNotTaken
from .naming import renamed

_SANDBOX_HOST: Final = URL(ENVIRONMENTS["sandbox"]).host


def find_address(environment: str | None, base_url: str | None) -> URL:
    """Return where to send it: what was asked for, else what the environment variables say.

    Raises:
        UsageError: Nothing says it, or the address is not one that a key may be sent to.
    """
    names = {"base_url": "--base-url", "environment": "--environment"}
    if environment is None and base_url is None:
        names = {"base_url": "PERFECTPAY_BASE_URL", "environment": "PERFECTPAY_ENVIRONMENT"}
        base_url = os.environ.get("PERFECTPAY_BASE_URL") or None
        environment = None if base_url else os.environ.get("PERFECTPAY_ENVIRONMENT") or None
    if environment is None and base_url is None:
        raise click.UsageError(
            "say where to send it: --environment sandbox, --environment production, "
            "--base-url URL, or PERFECTPAY_BASE_URL"
        )
    try:
        return resolve_address(environment, base_url)
    except ConfigurationError as error:
        raise click.UsageError(renamed(error.message, **names)) from error


def is_sandbox(address: URL) -> bool:
    """Return whether nothing real can be changed there: the public sandbox, or this machine."""
    return address.host == _SANDBOX_HOST or is_loopback(address.host or "")


def key_from_environment() -> Secret:
    """Return the key. It is never an argument: those are seen by every user of the machine.

    Raises:
        KeyNotTaken: PERFECTPAY_API_KEY is not set.
    """
    if not os.environ.get("PERFECTPAY_API_KEY"):
        raise KeyNotTaken("PERFECTPAY_API_KEY is not set; put your secret key there")
    return Secret(os.environ["PERFECTPAY_API_KEY"])


def bulk_client(key: Secret | str, address: URL | str, concurrency: int) -> PerfectPay:
    """Return a client for one bulk run.

    Raises:
        KeyNotTaken: The key has characters that no key has.
    """
    try:
        return PerfectPay(key, base_url=str(address), max_connections=concurrency)
    except ConfigurationError as error:
        raise KeyNotTaken(renamed(error.message)) from error
