"""The plugin in pytest runs of its own, beside one async plugin, the other, both and none."""

import os
import re
import subprocess
import sys

import pytest

TESTS = """
import asyncio
import pytest
from perfectpay_async import PerfectPay, ServerError
from perfectpay_async.sandbox import Fault
from perfectpay_async.testing import payment_method

MARK

async def test_client_faults_and_ledger(
    perfectpay_sandbox, perfectpay_client, perfectpay_faults, perfectpay_ledger
):
    perfectpay_sandbox.seed_customer("cus_1")
    perfectpay_faults.add(Fault.status(503, operation="payment_methods.list", times=1))
    assert len(await perfectpay_client.payment_methods.list("cus_1")) == 0
    assert [request.status for request in perfectpay_ledger.requests] == [503, 200]

async def test_each_test_has_a_fresh_one(perfectpay_client, perfectpay_ledger):
    assert perfectpay_ledger.requests == []
    with pytest.raises(Exception, match="404"):
        await perfectpay_client.payment_methods.list("cus_1")

async def test_the_client_may_be_closed(perfectpay_client):
    async with perfectpay_client:
        with pytest.raises(Exception, match="404"):
            await perfectpay_client.payment_methods.list("cus_1")

async def test_it_may_stay_unused(perfectpay_client):
    pass

async def test_from_env(perfectpay_env, perfectpay_sandbox):
    perfectpay_sandbox.seed_customer("cus_2")
    async with PerfectPay.from_env() as client:
        assert len(await client.payment_methods.list("cus_2")) == 0

async def test_mock(perfectpay_mock):
    perfectpay_mock.expect("payment_methods.retrieve", payment_method("pm_1"))
    method = await perfectpay_mock.client().payment_methods.retrieve("pm_1")
    assert method.payment_method_id == "pm_1"

async def test_mocked_api(perfectpay_mocked_api):
    perfectpay_mocked_api.get(
        "https://sandbox.perfectpay.ai/payment_methods/pm_1", payload=payment_method("pm_1")
    )
    async with PerfectPay("snd_x", environment="sandbox") as client:
        await client.payment_methods.retrieve("pm_1")
"""
SYNCHRONOUS = """
import asyncio

def test_synchronous(perfectpay_sandbox, perfectpay_client, perfectpay_ledger):
    perfectpay_sandbox.seed_customer("cus_1")
    async def main():
        return await perfectpay_client.payment_methods.list("cus_1")
    assert len(asyncio.run(main())) == 0
    assert len(perfectpay_ledger.requests) == 1
"""
ANYIO = """pytestmark = pytest.mark.anyio

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""
STRICT = "pytestmark = pytest.mark.asyncio"
WHOLE_MODULE = 'pytestmark = pytest.mark.asyncio(loop_scope="module")'


SETTINGS = """[pytest]
filterwarnings =
    error
    ignore:The configuration option "asyncio_default_fixture_loop_scope" is unset
"""


@pytest.fixture
def run(tmp_path):
    """Runs pytest on the given tests, with every warning an error."""

    def run(source, *options):
        (tmp_path / "pytest.ini").write_text(SETTINGS)
        (tmp_path / "test_it.py").write_text(source)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
            env={name: value for name, value in os.environ.items() if "PYTEST" not in name},
        )  # fmt: skip
        return done.stdout + done.stderr

    return run


@pytest.mark.parametrize(
    ("mark", "options"),
    [
        ("", ["-p", "no:anyio", "-o", "asyncio_mode=auto"]),
        (STRICT, ["-p", "no:anyio"]),
        (WHOLE_MODULE, ["-p", "no:anyio"]),
        (ANYIO, ["-p", "no:asyncio"]),
        (ANYIO, []),
        (STRICT, []),
    ],
    ids=["auto", "strict", "module loop", "anyio", "anyio beside it", "strict beside it"],
)
def test_the_fixtures_work_with(run, mark, options):
    output = run(TESTS.replace("MARK", mark), *options)
    assert re.search(r"^7 passed in", output, re.MULTILINE), output


def test_the_fixtures_work_without_an_async_plugin(run):
    output = run(SYNCHRONOUS, "-p", "no:asyncio", "-p", "no:anyio")
    assert re.search(r"^1 passed in", output, re.MULTILINE), output


def test_settings_of_the_sandbox_can_be_overridden(run):
    output = run("""
import pytest

@pytest.fixture
def perfectpay_sandbox_options():
    return {"api_key": "snd_mine", "rate_limit": 7}

def test_it(perfectpay_sandbox, perfectpay_client):
    assert (perfectpay_sandbox.api_key, perfectpay_sandbox.rate_limit) == ("snd_mine", 7)
""")  # fmt: skip
    assert "1 passed" in output, output


def test_what_the_mock_expected_and_did_not_get_fails_the_test(run):
    output = run("""
def test_it(perfectpay_mock):
    perfectpay_mock.expect("payment_methods.list", {})
""")  # fmt: skip
    assert "AssertionError: never came: payment_methods.list, 1 more" in output
    assert "1 error" in output


def test_starting_pytest_imports_nothing_of_the_client(run):
    """Of a project that merely has this package installed, and uses none of its fixtures."""
    # Not anyio's plugin either: where trio is installed it loads that, and with it attrs.
    output = run(
        """
import sys

def test_it():
    assert "perfectpay_async.testing.plugin" in sys.modules
    ours = {name for name in sys.modules if name.startswith("perfectpay_async")}
    assert ours <= {
        "perfectpay_async", "perfectpay_async._version",
        "perfectpay_async.testing", "perfectpay_async.testing.plugin",
    }
    heavy = {"aiohttp", "attrs", "cattrs", "tenacity", "aioresponses", "click", "opentelemetry"}
    assert not heavy & sys.modules.keys()
""",
        "-p", "no:anyio",
    )  # fmt: skip
    assert "1 passed" in output, output


def test_the_fixtures_are_listed_with_their_purpose(run):
    output = run("", "--fixtures")
    names = re.findall(r"^(perfectpay_\w+) .*\n    (\S.*)", output, re.MULTILINE)
    assert sorted(name for name, _ in names) == [
        "perfectpay_client",
        "perfectpay_env",
        "perfectpay_faults",
        "perfectpay_ledger",
        "perfectpay_mock",
        "perfectpay_mocked_api",
        "perfectpay_sandbox",
        "perfectpay_sandbox_options",
    ]


def test_a_missing_extra_is_named(run):
    output = run("""
import sys
sys.modules["aioresponses"] = None

def test_it(perfectpay_mocked_api):
    pass
""")  # fmt: skip
    assert "pip install 'perfectpay-async[testing]'" in output
