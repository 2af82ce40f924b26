"""Run against an installed wheel, outside the source tree: what a user gets works."""

import asyncio
import importlib.metadata
import importlib.resources
import subprocess
import sys

import perfectpay_async
from perfectpay_async import CardExpiry, ConnectError, NewCard, PerfectPay


async def main() -> None:
    """Make one call that cannot reach anybody."""
    async with PerfectPay("snd_smoke", base_url="http://127.0.0.1:9", deadline=2) as client:
        card = NewCard("4242424242424242", CardExpiry(12, 2090), cvc="123")
        try:
            await client.payment_methods.create("cus_smoke", card)
        except ConnectError as error:
            assert str(error.outcome) == "not_sent"
        else:
            raise AssertionError("nobody listens there")


asyncio.run(main())
assert importlib.metadata.version("perfectpay-async") == perfectpay_async.__version__
assert importlib.resources.files(perfectpay_async).joinpath("py.typed").is_file()

# Without the extra, the command says what to install.
script = "import perfectpay_async.cli as cli; cli.main()"
done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
assert done.returncode == 2, done
assert "perfectpay-async[cli]" in done.stderr, done
print("wheel", perfectpay_async.__version__, "works")
