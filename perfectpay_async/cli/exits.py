"""How the command ends: its exit codes, and errors that carry one."""

from __future__ import annotations

import signal
from enum import IntEnum
from typing import ClassVar

import click


class ExitCode(IntEnum):
    """The exit codes. Scripts rely on them: they never change their meaning.

    Attributes:
        DONE: Every row was applied (`demo`: everything was proven).
        NOT_ALL_DONE: It finished, but some rows were not applied.
        USAGE: The command was called wrongly, or not confirmed. Nothing was sent.
        INPUT_REFUSED: The input was refused and nothing was sent.
        CREDENTIALS: The key is missing, malformed, refused or not allowed to do this.
        SAFETY_STOP: Too many cards failed, or the API was away for too long.
        JOB_REFUSED: The job is being run by another process, was begun with another input or host,
            or has been replaced by a newer one. Nothing was sent.
        JOURNAL: The journal cannot be read or written. Nothing more was sent; resume when mended.
        BUG: An error of this program.
        INTERRUPTED: Ended by SIGINT (Ctrl-C).
        TERMINATED: Ended by SIGTERM.
    """

    DONE = 0
    NOT_ALL_DONE = 1
    USAGE = 2
    INPUT_REFUSED = 3
    CREDENTIALS = 4
    SAFETY_STOP = 5
    JOB_REFUSED = 6
    JOURNAL = 7
    BUG = 70
    INTERRUPTED = 128 + signal.SIGINT
    TERMINATED = 128 + signal.SIGTERM


class InputNotTaken(click.ClickException):
    """The input was refused before anything was sent."""

    exit_code: ClassVar[int] = ExitCode.INPUT_REFUSED


class KeyNotTaken(click.ClickException):
    """There is no key, or one that cannot be sent."""

    exit_code: ClassVar[int] = ExitCode.CREDENTIALS


class JobNotTaken(click.ClickException):
    """The job is in use, was begun with something else, or has been replaced."""

    exit_code: ClassVar[int] = ExitCode.JOB_REFUSED


class JournalFailed(click.ClickException):
    """The journal cannot be read or written."""

    exit_code: ClassVar[int] = ExitCode.JOURNAL
