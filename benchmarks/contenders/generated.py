"""An SDK that openapi-python-client generates, here and now, from a description of our own."""

from __future__ import annotations

import atexit
import importlib
import shutil
import ssl
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openapi_python_client  # noqa: F401 - says what is missing

from . import KEY, Opened

_DESCRIPTION = Path(__file__).parents[1] / "openapi.json"


def _generate() -> Any:
    folder = tempfile.mkdtemp(prefix="benchmarks-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(_DESCRIPTION),
         "--output-path", f"{folder}/generated_sdk", "--meta", "none"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    sys.path.insert(0, folder)
    return importlib.import_module("generated_sdk")


_SDK = _generate()


@asynccontextmanager
async def open_calls(url: str, trust: ssl.SSLContext) -> Opened:
    import httpx

    api = "generated_sdk.api.default"
    update = importlib.import_module(f"{api}.update_payment_method").asyncio
    retrieve = importlib.import_module(f"{api}.retrieve_payment_method").asyncio
    listing = importlib.import_module(f"{api}.list_payment_methods").asyncio
    models = importlib.import_module("generated_sdk.models")
    card = models.UpdateCard(card_exp_month="12", card_exp_year="31")
    body = models.Update(payment_method_data=models.UpdateData(card=card))
    limits = httpx.Limits(max_connections=2_000, max_keepalive_connections=2_000)
    async with _SDK.AuthenticatedClient(
        base_url=url, token=KEY, prefix="", auth_header_name="api-key", verify_ssl=trust,
        timeout=httpx.Timeout(60), httpx_args={"limits": limits},
    ) as client:  # fmt: skip
        yield {
            "update": lambda name: update(f"pm_{name}", client=client, body=body),
            "retrieve": lambda name: retrieve(f"pm_{name}", client=client),
            "list 3": lambda name: listing(f"cus_3_{name}", client=client),
            "list 100": lambda name: listing(f"cus_100_{name}", client=client),
        }
