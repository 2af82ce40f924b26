"""Every Python example of the README is run as it stands, against the sandbox."""

import ast
import asyncio
import inspect
import os
import re
import sys

import pytest

from perfectpay_async import PerfectPay
from perfectpay_async.sandbox import Sandbox
from tests.documentation import examples_of

EXAMPLES = examples_of("README.md")
(QUICKSTART,) = examples_of("docs/index.md")


@pytest.fixture
async def sandbox():
    async with Sandbox() as sandbox:
        sandbox.seed_customer("cus_1")
        yield sandbox


@pytest.mark.parametrize(
    ("program", "operations"),
    [
        (EXAMPLES[0], ["create", "retrieve", "update", "list", "delete"]),
        (QUICKSTART, ["create", "update", "list"]),
    ],
    ids=["README", "index"],
)
async def test_the_first_example_is_a_whole_program(sandbox, program, operations):
    environment = {
        **os.environ,
        "PERFECTPAY_API_KEY": sandbox.api_key,
        "PERFECTPAY_BASE_URL": sandbox.url,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", program,
        env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert re.fullmatch(r"pm_\w+ 4242 12/2031\n", out.decode())
    assert [request.operation.split(".")[1] for request in sandbox.ledger.requests] == operations


@pytest.mark.parametrize("source", EXAMPLES[1:], ids=lambda source: source.split("\n")[0][:40])
async def test_the_other_examples_run_with_a_client_at_hand(sandbox, source):
    async with PerfectPay(sandbox.api_key, base_url=sandbox.url) as client:
        names = {"client": client, "api_key": sandbox.api_key, "base_url": sandbox.url}
        code = compile(source, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, names)
        if inspect.isawaitable(result):
            await result


async def test_the_example_of_a_test_passes(
    perfectpay_sandbox, perfectpay_client, perfectpay_faults, perfectpay_ledger
):
    (source,) = (source for source in EXAMPLES if "async def test_" in source)
    names = {}
    exec(source, names)
    (test,) = (value for name, value in names.items() if name.startswith("test_"))
    await test(perfectpay_sandbox, perfectpay_client, perfectpay_faults, perfectpay_ledger)


def test_there_are_examples_of_everything_promised():
    text = "\n".join(EXAMPLES)
    for promised in (
        *("Middlewares(", "RetryPolicy(", "client.request(", "bulk.update_expiries("),
        *("customers.list(", "set_default(", "ephemeral_keys.create("),
    ):
        assert promised in text
