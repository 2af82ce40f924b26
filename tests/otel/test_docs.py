"""Every Python example of the page on observability is a program; they are run as they stand."""

import json
import os
import re
import subprocess
import sys

import pytest

from perfectpay_async import ConnectError, NotFound
from perfectpay_async.testing import Answer, VirtualClock, payment_method
from tests.documentation import examples_of, text_of

PAGE = text_of("docs/observability.md")
LOGS, SHORT, LONG = examples_of("docs/observability.md")


@pytest.fixture
def run(perfectpay_env, perfectpay_sandbox):
    perfectpay_sandbox.seed_customer("cus_1")

    def run(source):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", source],
            env=dict(os.environ), capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        return done.stdout, done.stderr

    return run


def test_the_logs_are_json_with_the_facts(run):
    out, err = run(LOGS)
    facts = json.loads(err)
    assert out == ""
    assert (facts["level"], facts["perfectpay_status"]) == ("INFO", 404)
    assert facts["perfectpay_outcome"] == "refused"


def test_without_an_sdk_nothing_is_said(run):
    assert run(SHORT) == ("", "")


def test_with_one_the_spans_and_metrics_are_there(run):
    out, err = run(LONG)
    names = re.findall(r'^    "name": "([^"]*)"', out, re.MULTILINE)
    expected = ["GET /customers/{customer_id}/payment_methods", "payment_methods.list", "checkout"]
    assert names == expected
    assert err == ""
    for metric in re.findall(r"^\| `(\w+\.client\.[\w.]+)`", PAGE, re.MULTILINE):
        assert (f'"{metric}"' in out) == (metric != "perfectpay.client.retries")


async def test_the_attributes_of_log_records_are_those_on_the_page(perfectpay_mock, caplog):
    gone = Answer.error(404, "HE_02")
    perfectpay_mock.expect("payment_methods.retrieve", ConnectError, payment_method("pm_1"), gone)
    methods = perfectpay_mock.client().payment_methods
    caplog.set_level("DEBUG", logger="perfectpay_async")
    with VirtualClock():
        await methods.retrieve("pm_1")
        with pytest.raises(NotFound):
            await methods.retrieve("pm_1")
    retry, success, failure = (
        {name for name in vars(one) if "perfectpay" in name} for one in caplog.records
    )
    rows = re.findall(r"^\| (`perfectpay_.*?) \| (all|calls|retries) \|", PAGE, re.MULTILINE)
    documented = {where: set() for where in ("all", "calls", "retries")}
    for names, where in rows:
        documented[where] |= set(re.findall(r"`(\w+)`", names))
    assert success == failure == documented["all"] | documented["calls"]
    assert retry == documented["all"] | documented["retries"]
