"""The account of a job as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from perfectpay_async.bulk.counted import counted
from perfectpay_async.bulk.jobs import JobAccount

from .course import throttled
from .steps import Commands, next_steps
from .words import duration, headline, how_ended, lower_bound, moment, number, printable, state

# What begins markup within a line, and what GitHub makes a link of.
_MARKUP: Final = re.compile(r"[\\`*_\[\]<>|~&#$@!]|:(?=//)|(?<=www)\.", re.IGNORECASE)


def report_markdown(account: JobAccount, commands: Commands) -> str:
    """Return the account of a job as Markdown (CommonMark with the tables of GitHub).

    Args:
        account: The job.
        commands: What goes on with it.
    """
    facts, requests, seconds = account.facts, account.requests, account.seconds
    turned_away = throttled(account)
    share = f" ({turned_away / requests:.2%})" if requests else ""
    about = (
        f"{_text(facts.input)} to {_text(facts.host or 'no server yet')}, begun "
        f"{moment(facts.created)}, generation {facts.generation}, {_text(state(account))}. "
        f"{counted(len(account.runs), 'run')} took {duration(seconds)} and "
        f"{counted(requests, 'request')}, {turned_away:,} of them throttled{share}."
    )
    parts = [
        f"# Bulk job {_text(account.name)}",
        f"**{_text(headline(account).text)}.**",
        " ".join(filter(None, (about, lower_bound(account)))),
        "## What became of the rows",
        _table(
            ("class", "rows:", "means", "do next"),
            (
                (
                    step.name,
                    number(step.rows),
                    step.means,
                    f"{step.do}: {_code(step.command)}" if step.command else step.do,
                )
                for step in next_steps(account, commands)
            ),
        ),
        "## Why rows are not ok",
        _groups(account),
        "## Runs",
        _table(
            ("run:", "began", "took:", "requests:", "rows retried:", "ended by"),
            (
                (
                    str(run.number),
                    moment(run.began),
                    duration(run.seconds),
                    f"{run.requests:,}",
                    f"{run.retried:,}",
                    _text(how_ended(account, run)),
                )
                for run in account.runs
            ),
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _groups(account: JobAccount) -> str:
    if not account.groups:
        return "There are none."
    return _table(
        ("class", "rows:", "status", "code", "message", f"first {account.facts.unit}:"),
        (
            (
                group.verdict.value,
                f"{group.rows:,}",
                "" if group.status is None else str(group.status),
                _text(group.code or ""),
                _text(group.message),
                f"{group.first:,}",
            )
            for group in account.groups
        ),
    )


def _text(text: str) -> str:
    """Return a text without markup."""
    return _MARKUP.sub(lambda found: f"\\{found[0]}", printable(text))


def _code(text: str) -> str:
    """Return a text as code in a cell of a table."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{printable(text)}{pad}{fence}".replace("|", "\\|")


def _table(headings: Sequence[str], lines: Iterable[Iterable[str]]) -> str:
    """Return a table. A heading that ends with a colon is one of numbers."""
    table = [
        [heading.rstrip(":") for heading in headings],
        ["---:" if heading.endswith(":") else "---" for heading in headings],
        *lines,
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in table)
