"""Run the account page on a sandbox with some cards: `python -m examples.account_page`."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import signal
from datetime import UTC, date, datetime

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


async def main(port: int) -> None:
    """Serve until Ctrl-C.

    Args:
        port: Where; 0 for any free port.
    """
    async with Sandbox() as sandbox:
        seed(sandbox, datetime.now(UTC).date())
        app = make_app(
            Settings(secret=secrets.token_bytes(32), secure_cookies=False),
            lambda: PerfectPay(sandbox.api_key, base_url=sandbox.url),
        )
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            print(
                f"Account page: http://127.0.0.1:{runner.addresses[0][1]}/ (Ctrl-C ends it)",
                flush=True,
            )
            await _until_asked_to_stop()
        finally:
            await runner.cleanup()


async def _until_asked_to_stop() -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m examples.account_page", description=__doc__)
    parser.add_argument("--port", type=int, default=8421, help="0 for any free one")
    asyncio.run(main(parser.parse_args().port))
