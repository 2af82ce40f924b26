"""What is to be done about the rows of each class."""

from __future__ import annotations

import shlex
from typing import Final

from attrs import frozen

from perfectpay_async.bulk.jobs import JobAccount
from perfectpay_async.bulk.report import Verdict

_MEANINGS: Final = {
    Verdict.OK: "the server applied it",
    Verdict.REJECTED: "the server refused it for good; nothing was changed",
    Verdict.EXHAUSTED: "turned away or not reached on every attempt; nothing was changed",
    Verdict.UNKNOWN: "it may have been applied",
    Verdict.INVALID: "it breaks a rule and was not sent",
    Verdict.SKIPPED: "left out on purpose",
}
_MEND: Final = "mend the rows and run them as a new job"


@frozen
class Commands:
    """The commands that go on with a job.

    Attributes:
        resume: Goes on with it; empty when its input is no file.
        retry_failed: Runs what may succeed now again.
        dead_letter: Writes the rows that are not ok to a file.
    """

    resume: str
    retry_failed: str
    dead_letter: str

    @classmethod
    def of(cls, account: JobAccount, *more: str) -> Commands:
        """Return the commands for a job.

        Args:
            account: The job.
            *more: What each command needs besides, such as `--state-dir` and a directory.
        """
        facts = account.facts
        resume = ["perfectpay", "bulk", "run", facts.path, "--resume"]
        if facts.host:
            resume += ["--base-url", facts.host]
        if facts.shard:
            resume += ["--shard", facts.shard]
        return cls(
            resume=shlex.join([*resume, *more]) if facts.path else "",
            retry_failed=shlex.join(["perfectpay", "bulk", "retry-failed", account.name, *more]),
            dead_letter=shlex.join(["perfectpay", "bulk", "dead-letter", account.name, *more]),
        )


@frozen
class Step:
    """One class of rows, and what is to be done about them.

    Attributes:
        name: The class, or `remaining`.
        rows: How many they are; None when it is not known.
        means: What became of them.
        do: What to do next; empty for nothing.
        command: The command that does it; empty when there is none.
    """

    name: str
    rows: int | None
    means: str
    do: str = ""
    command: str = ""


def next_steps(account: JobAccount, commands: Commands) -> list[Step]:
    """Return all classes, in the order in which they are told, and the rows that have not ended."""
    todo = {
        Verdict.REJECTED: (_MEND, commands.dead_letter),
        Verdict.EXHAUSTED: ("run them again", commands.retry_failed),
        Verdict.UNKNOWN: ("run them again: the values are absolute", commands.retry_failed),
        Verdict.INVALID: (_MEND, commands.dead_letter),
    }
    going_on = ("go on with the job", commands.resume)
    if account.running:
        going_on = ("wait: the job is running", "")
    elif not commands.resume:
        going_on = ("go on with the job: give it the same rows again", "")
    if account.superseded_by is not None:
        going_on = (f"nothing: the newer job {account.superseded_by} has replaced this one", "")
        todo = dict.fromkeys(todo, going_on)
    steps = [
        Step(verdict.value, rows, _MEANINGS[verdict], *(todo.get(verdict, ()) if rows else ()))
        for verdict, rows in account.counts.items()
    ]
    steps.append(
        Step(
            "remaining",
            account.remaining,
            "not begun, or cut short",
            *(going_on if account.remaining != 0 else ()),
        )
    )
    return steps
