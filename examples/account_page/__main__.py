"""Run the account page on a sandbox with some cards: `python -m examples.account_page`."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import AsyncIterator
from datetime import date
from functools import partial

from aiohttp import web

from perfectpay_async import PerfectPay
from perfectpay_async.sandbox import Sandbox

from .app import make_app
from .sign_in import CUSTOMER_ID
from .state import Settings


def seed(sandbox: Sandbox, on: date) -> None:
    """Give the customer four cards: the default, a good one, one that ends soon and one past."""
    store = sandbox.store
    customer = store.add_customer(CUSTOMER_ID)
    for number, month, year in (
        ("4000056655665556", 6, on.year - 1),
        ("378282246310005", on.month, on.year),
        ("5555555555554444", 8, on.year + 2),
        ("4242424242424242", 12, on.year + 3),  # the last one saved is listed first
    ):
        card = store.vault(number, f"{month:02d}", f"{year}", holder="Ida Brook")
        method = store.save(customer, "card", "credit", card)
    store.set_default(customer.id, method.id)


def demonstration() -> web.Application:
    """Return the application with a sandbox that lives as long as it does."""
    sandbox = Sandbox()
    settings = Settings(secret=secrets.token_bytes(32), secure_cookies=False)

    async def with_sandbox(_app: web.Application) -> AsyncIterator[None]:
        async with sandbox:
            seed(sandbox, settings.today())
            yield

    app = make_app(settings, lambda: PerfectPay(sandbox.api_key, base_url=sandbox.url))
    app.cleanup_ctx.insert(0, with_sandbox)  # before the client, which needs its address
    return app


def main() -> None:
    """Serve on loopback until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m examples.account_page", description=__doc__)
    parser.add_argument("--port", type=int, default=8421, help="0 for any free one")
    port = parser.parse_args().port
    try:
        web.run_app(
            demonstration(),
            host="127.0.0.1",
            port=port,
            access_log=None,
            shutdown_timeout=2.0,
            print=partial(print, flush=True),
        )
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        sys.exit(f"Port {port} cannot be used ({reason}); choose another with --port.")


if __name__ == "__main__":
    main()
