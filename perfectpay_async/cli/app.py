"""The command group. Commands are imported when they are run, so that `--help` is instant."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import click
from click.shell_completion import CompletionItem

from perfectpay_async._version import __version__

from .card_numbers import refuse_card_numbers
from .exits import ExitCode

_COMMANDS: Final = {
    "demo": "Show it all: a sandbox, many cards, faults, a bulk update, and the proof.",
    "sandbox": "Run a PerfectPay on this machine, to develop and test against.",
    "methods": "Look at and change saved payment methods, one call each.",
    "customers": "Look at and change customers, one call each.",
    "bulk": "Work on many cards at once.",
    "fleet": "Work on many cards at once with many workers.",
    "doctor": "Check key, host, network and clock, and say what to do.",
}


class _LazyGroup(click.Group):
    """A group whose commands are the attributes of that name in the modules of that name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - as above
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"{__package__}.{cmd_name}"), cmd_name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands without importing them: this runs at each press of the tab key."""
        names = [
            CompletionItem(name, help=text)
            for name, text in _COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - as above
        formatter: click.HelpFormatter,
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_LazyGroup)
@click.version_option(__version__, prog_name="perfectpay")
def app() -> None:
    """Save, update and delete payment methods at PerfectPay."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: The arguments, by default those of the process.

    Returns:
        The exit code; see `ExitCode`.
    """
    try:
        refuse_card_numbers(sys.argv[1:] if arguments is None else arguments)
        code = app(arguments, prog_name="perfectpay", standalone_mode=False)
    except click.Abort:
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        # Whoever read stdout has gone. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.NOT_ALL_DONE
    except Exception as error:  # noqa: BLE001 - the last resort
        # Without its message: that of a foreign exception may quote anything.
        where = "".join(traceback.format_tb(error.__traceback__))
        click.echo(
            f"{where}{type(error).__name__}\n"
            "This is an error in perfectpay itself; please report the lines above.",
            err=True,
        )
        return ExitCode.BUG
    return int(code or ExitCode.DONE)
