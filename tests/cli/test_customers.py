from __future__ import annotations

import io
import json
import sys

import pytest

from perfectpay_async.cli.app import run


@pytest.fixture
def perfectpay(sandbox, environment, capsys, monkeypatch):
    """Runs `perfectpay customers`, and returns exit code, stdout and stderr."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def perfectpay(*arguments: str) -> tuple[int, str, str]:
        code = run(["customers", *arguments])
        return (code, *capsys.readouterr())

    return perfectpay


def test_a_customers_life(perfectpay):
    code, out, _ = perfectpay(
        "create", "--id", "cus_ida", "--name", "Ida Brook", "--email", "ida@example.com",
        "--metadata", "segment=beta", "--metadata", "note=a=b", "--json",
    )  # fmt: skip
    assert code == 0
    made = json.loads(out)
    assert (made["customer_id"], made["metadata"]) == (
        "cus_ida",
        {"segment": "beta", "note": "a=b"},
    )
    code, out, _ = perfectpay("update", "cus_ida", "--phone", "5555550100")
    assert code == 0
    assert ["name", "Ida", "Brook"] in [line.split() for line in out.splitlines()]
    code, out, _ = perfectpay("get", "cus_ida")
    assert "5555550100" in out
    assert "metadata.segment" in out
    assert perfectpay("delete", "cus_ida")[0] == 2
    code, out, _ = perfectpay("delete", "cus_ida", "--yes", "--json")
    assert (code, json.loads(out)["customer_deleted"]) == (0, True)
    assert perfectpay("list")[1] == "cus_ida  deleted\n"
    assert perfectpay("update", "cus_ida", "--name", "x")[0] == 1


def test_the_server_makes_an_id(perfectpay):
    code, out, _ = perfectpay("create", "--json")
    assert code == 0
    assert json.loads(out)["customer_id"].startswith("cus_")


def test_the_list_is_streamed_page_by_page(perfectpay, sandbox):
    for number in range(250):
        sandbox.seed_customer(f"cus_{number}")
    code, out, _ = perfectpay("list")
    assert code == 0
    assert out.split() == [f"cus_{number}" for number in range(250)]
    _, out, _ = perfectpay("list", "--limit", "2", "--offset", "100", "--json")
    assert [json.loads(line)["customer_id"] for line in out.splitlines()] == ["cus_100", "cus_101"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["create", "--metadata", "novalue"], 2),
        (["create", "--metadata", "a=1", "--metadata", "a=2"], 2),
        (["create", "--name", "x" * 256], 3),
        (["create", "--id", "list"], 3),
        (["update", "cus_1"], 3),
        (["get", "cus_gone"], 1),
        (["list", "--limit", "0"], 2),
    ],
)
def test_the_exit_codes(perfectpay, sandbox, arguments, code):
    assert perfectpay(*arguments)[0] == code
    assert len(sandbox.ledger.requests) == (1 if code == 1 else 0)


@pytest.mark.parametrize("command", [["create"], ["update", "c", "--name", "x"], ["delete", "c"]])
def test_outside_a_sandbox_every_change_asks(perfectpay, environment, command):
    environment.setenv("PERFECTPAY_BASE_URL", "https://pay.invalid")
    code, _, err = perfectpay(*command)
    assert code == 2
    assert "pay.invalid is not a sandbox" in err
