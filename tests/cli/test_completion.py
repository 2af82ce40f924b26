"""Shell completion, as docs/cli.md sets it up."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("perfectpay")


def complete(*words: str) -> list[str]:
    ended = subprocess.run(
        [sys.executable, "-c", "from perfectpay_async.cli import main; main()"],
        env={
            **os.environ,
            "_PERFECTPAY_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(["perfectpay", *words]),
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr == ""
    return [line.removeprefix("plain,") for line in ended.stdout.splitlines()]


def test_the_commands():
    assert complete("me") == ["methods"]
    assert {"demo", "sandbox", "methods", "customers", "bulk", "doctor"} <= set(complete(""))
    assert "--version" in complete("--v")


def test_the_commands_of_a_group_and_their_options():
    assert complete("methods", "de") == ["default", "delete"]
    assert complete("methods", "create", "--exp") == ["--expiry"]
    assert complete("methods", "create", "--type", "") == ["credit", "debit"]
    assert complete("customers", "list", "--environment", "prod") == ["production"]


def test_completing_a_command_loads_nothing_heavy():
    script = (
        "import sys; from perfectpay_async.cli.app import app; import click; "
        "names = [item.value for item in app.shell_complete(click.Context(app), '')]; "
        "print(*names); sys.stderr.write(' '.join(sys.modules))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "methods" in ended.stdout.split()
    loaded = set(ended.stderr.split())
    assert not {"aiohttp", "attrs", "perfectpay_async.cli.methods"} & loaded


@pytest.mark.skipif(shutil.which("bash") is None or not PROGRAM.exists(), reason="needs bash")
def test_in_bash_as_it_is_documented():
    script = (
        'eval "$(_PERFECTPAY_COMPLETE=bash_source perfectpay)"; '
        "COMP_WORDS=(perfectpay methods cr); COMP_CWORD=2; "
        '$(complete -p perfectpay | sed "s/.*-F \\([^ ]*\\) .*/\\1/") perfectpay cr methods; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "create\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_documented_shell_has_its_script(shell):
    ended = subprocess.run(
        [sys.executable, "-c", "from perfectpay_async.cli import main; main()"],
        env={**os.environ, "_PERFECTPAY_COMPLETE": f"{shell}_source"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"_PERFECTPAY_COMPLETE={shell}_complete" in ended.stdout
    page = Path(__file__).parents[2] / "docs" / "cli.md"
    assert f"{shell}_source" in page.read_text("utf-8")
