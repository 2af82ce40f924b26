"""docs/cli.md names every command that there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from perfectpay_async.cli.app import app, run

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"^\| `perfectpay (doctor|\w+ \w+)", PAGE, re.MULTILINE)))


@pytest.mark.parametrize("command", NAMED)
def test_a_named_command_is_there(command, capsys):
    assert run([*command.split(), "--help"]) == 0
    assert f"Usage: perfectpay {command}" in capsys.readouterr().out


def test_every_single_call_is_named():
    context = click.Context(app)
    there = {"doctor"}
    for name in ("methods", "customers"):
        group = app.get_command(context, name)
        there |= {f"{name} {command}" for command in group.commands}
    assert there == set(NAMED)


def test_the_exit_codes_are_all_named():
    assert set(re.findall(r"^\| ([\d, ]+) \|", PAGE, re.MULTILINE)) == {
        *("0", "1", "2", "3", "4", "70", "130, 143"),
    }
