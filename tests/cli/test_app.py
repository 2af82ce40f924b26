from __future__ import annotations

import subprocess
import sys

import pytest

from perfectpay_async import __version__
from perfectpay_async.cli import app, main


def test_help_loads_nothing_heavy():
    script = (
        "import sys; from perfectpay_async.cli.app import run; code = run(['--help']); "
        "sys.stderr.write(' '.join(sys.modules)); sys.exit(code)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0
    assert "demo" in ended.stdout
    assert "sandbox" in ended.stdout
    assert "bulk" in ended.stdout
    assert "methods" in ended.stdout
    assert "doctor" in ended.stdout
    assert not {"aiohttp", "cattrs", "pyarrow", "rich", "tenacity"} & set(ended.stderr.split())


@pytest.mark.parametrize("group", ["methods", "customers"])
def test_nor_does_the_help_of_a_group(group):
    script = (
        f"import sys; from perfectpay_async.cli.app import run; code = run(['{group}', '--help']); "
        "sys.stderr.write(' '.join(sys.modules)); sys.exit(code)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not {"aiohttp", "cattrs", "pyarrow", "rich"} & set(ended.stderr.split())


def test_version(capsys):
    assert app.run(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    [
        ["demo"],
        ["sandbox"],
        ["doctor"],
        ["bulk"],
        ["bulk", "run"],
        ["bulk", "plan"],
        *(["methods", name] for name in ("list", "get", "create", "update", "delete", "default")),
        *(["customers", name] for name in ("list", "get", "create", "update", "delete")),
    ],
)
def test_every_command_explains_itself(command, capsys):
    assert app.run([*command, "--help"]) == 0
    assert "Usage: perfectpay " + " ".join(command) in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [["unknown"], ["--unknown"], ["bulk", "run"], ["demo", "--cards", "0"], ["demo", "--cards=x"]],
)
def test_wrong_usage_is_2(arguments, capsys):
    assert app.run(arguments) == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_extra_it_says_how_to_install_it(missing, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 2
    assert 'pip install "perfectpay-async[cli]"' in capsys.readouterr().err


def test_main_ends_with_the_exit_code(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["perfectpay", "unknown"])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 2


def test_an_error_of_ours_is_70_and_its_message_is_not_shown(monkeypatch, capsys):
    def broken(*_arguments, **_settings):
        raise ValueError("42" * 8)

    monkeypatch.setattr(app, "app", broken)

    assert app.run([]) == 70
    shown = capsys.readouterr()
    assert "ValueError" in shown.err
    assert "report" in shown.err
    assert "4242" not in shown.err + shown.out


def test_ctrl_c_anywhere_is_130(monkeypatch):
    def interrupted(*_arguments, **_settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("perfectpay_async.cli.sandbox.Sandbox", interrupted)

    assert app.run(["sandbox"]) == 130
