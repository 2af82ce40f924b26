from __future__ import annotations

import socket

import pytest

from perfectpay_async import ConnectError
from perfectpay_async.cli.app import run
from perfectpay_async.cli.naming import renamed


def test_arguments_are_called_as_the_command_line_calls_them():
    assert renamed("give api_key, base_url or my_base_url") == (
        "give PERFECTPAY_API_KEY, --base-url (or PERFECTPAY_BASE_URL) or my_base_url"
    )
    assert renamed("base_url is wrong", base_url="--base-url") == "--base-url is wrong"
    assert renamed(ConnectError("no route")) == (
        "no route; check --base-url (or PERFECTPAY_BASE_URL), DNS and the network"
    )


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (["--base-url", "ftp://x"], {}, "--base-url must be an absolute address"),
        (["--base-url", "http://x.example"], {}, "--base-url must use https"),
        (
            ["--base-url", "https://x.example", "--environment", "sandbox"],
            {},
            "give either --environment or --base-url, not both",
        ),
        ([], {"PERFECTPAY_BASE_URL": "ftp://x"}, "PERFECTPAY_BASE_URL must be an absolute"),
        (
            [],
            {"PERFECTPAY_ENVIRONMENT": "staging"},
            "PERFECTPAY_ENVIRONMENT must be 'sandbox' or 'production'; for another host",
        ),
    ],
)
@pytest.mark.parametrize("command", [["methods", "get", "pm_1"], ["bulk", "run", "-"]])
def test_what_the_user_can_change_is_named(
    command, arguments, variables, said, monkeypatch, capsys
):
    for name in ("PERFECTPAY_BASE_URL", "PERFECTPAY_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert run([*command, *arguments]) == 2

    shown = capsys.readouterr().err
    assert f"Error: {said}" in shown
    assert "base_url" not in shown


def test_the_key_is_named_by_its_variable(monkeypatch, capsys):
    monkeypatch.setenv("PERFECTPAY_API_KEY", "a b")
    assert run(["methods", "get", "pm_1", "--base-url", "http://127.0.0.1:9"]) == 4
    assert "Error: PERFECTPAY_API_KEY must be a non-empty string" in capsys.readouterr().err


def test_so_is_the_address_when_nobody_answers_there(monkeypatch, capsys):
    monkeypatch.setenv("PERFECTPAY_API_KEY", "snd_x")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert run(["methods", "get", "pm_1", "--base-url", f"http://127.0.0.1:{port}"]) == 1
    assert "check --base-url (or PERFECTPAY_BASE_URL), DNS" in capsys.readouterr().err
