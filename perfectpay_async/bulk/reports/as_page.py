"""The account of a job as one HTML page: it loads nothing from elsewhere and runs no script."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Final, NamedTuple

from perfectpay_async._version import __version__
from perfectpay_async.bulk.counted import counted
from perfectpay_async.bulk.jobs import JobAccount

from . import charts
from .course import Stretch, stretches, throttled
from .steps import Commands, Step, next_steps
from .style import STYLE
from .words import duration, headline, how_ended, lower_bound, moment, number, printable, state

_WIDTHS: Final = (("wide", 880.0), ("narrow", 360.0))
_HATCH: Final = (
    '<svg width="0" height="0" aria-hidden="true" style="position:absolute"><defs>'
    '<pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><line class="hatch" x1="0" y1="0" x2="0" y2="7"/></pattern>'
    "</defs></svg>"
)


class _Column(NamedTuple):
    heading: str
    is_number: bool = False


def report_page(account: JobAccount, commands: Commands) -> str:
    """Return the account of a job as a page for people.

    Args:
        account: The job.
        commands: What goes on with it.
    """
    head = headline(account)
    where = f"{account.facts.input} to {account.facts.host or 'no server yet'}"
    kind, mark = ("good", "✓") if head.good else ("bad", "!")
    parts = [
        f'<p class="kicker">Bulk job · {_text(where)}</p>',
        f"<h1>{_text(account.name)}</h1>",
        f'<p class="headline {kind}">{mark} {_text(head.text)}.</p>',
        _figures(account),
        "<h2>What became of the rows</h2>",
        _classes(account, next_steps(account, commands)),
        "<h2>The course</h2>",
        _course(account),
        "<h2>Why rows are not ok</h2>",
        _groups(account),
        "<h2>Runs</h2>",
        _runs(account),
        "<h2>The job</h2>",
        _facts(account),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        # A browser keeps to it even if something should slip through below.
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(account.name)}: {_text(head.text)}</title>\n"
        f"<style>{STYLE}</style>\n</head>\n<body>\n{_HATCH}\n" + "\n".join(parts) + "\n</body>\n"
        "</html>\n"
    )


def _text(text: str) -> str:
    return escape(printable(text))


def _figures(account: JobAccount) -> str:
    requests, seconds = account.requests, account.seconds
    turned_away = throttled(account)
    share = f" ({turned_away / requests:.1%})" if requests and turned_away else ""
    figures = [
        ("rows that have ended", f"{account.finished:,} of {number(account.rows)}"),
        ("requests", f"{requests:,}"),
        ("requests per second", f"{requests / seconds:,.1f}" if seconds else "0"),
        ("throttled", f"{turned_away:,}{share}"),
        ("time at work", duration(seconds)),
    ]
    shown = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures)
    note = lower_bound(account)
    more = f'<p class="note">{note}</p>' if note else ""
    return f'<dl class="figures">{shown}</dl>{more}'


def _classes(account: JobAccount, steps: list[Step]) -> str:
    known = [(step.name, step.rows or 0) for step in steps]
    total = sum(rows for _, rows in known)
    lines = list[list[str]]()
    for step in steps:
        swatch = f'<span class="swatch" style="--swatch:var(--{step.name})"></span>'
        do = _text(step.do)
        if step.command:
            do += f"<br>{_command(step.command)}"
        share = "" if account.rows is None else _share(step.rows or 0, total)
        lines.append([swatch + step.name, number(step.rows), share, _text(step.means), do])
    drawn = charts.bar(known) if total else ""
    columns = [
        _Column("class"),
        _Column("rows", is_number=True),
        _Column("share", is_number=True),
        _Column("means"),
        _Column("do next"),
    ]
    dimmed = [step.rows == 0 for step in steps]
    return drawn + _table(columns, lines, dimmed)


def _command(command: str) -> str:
    """Return a command whose words are not torn apart at hyphens."""
    words = (f"<span>{_text(word)}</span>" for word in command.split(" "))
    return f"<code>{' '.join(words)}</code>"


def _share(many: int, total: int) -> str:
    if not many:
        return ""
    return "&lt; 0.1%" if many < total / 1_000 else f"{many / total:.1%}"


def _course(account: JobAccount) -> str:
    course = stretches(account)
    if not any(stretch.end > stretch.begin for stretch in course):
        return '<p class="note">Nothing has been recorded of a run yet.</p>'
    span = f"{moment(course[0].begin)} to {moment(course[-1].end)}"
    return (
        f'<p class="legend"><b>Rows that have ended</b></p>'
        f"{_drawn(charts.progress, account, course)}"
        f'<p class="legend"><b>Requests per second</b>{_key("line", "blue", "sent")}'
        f"{_key('line dashed', 'soft', 'granted by the rate control')}</p>"
        f"{_drawn(charts.pace, account, course)}"
        f"{_trouble(account, course)}"
        f'<p class="note">{span}; times in UTC. Where nothing ran the charts are hatched, and long '
        "pauses are drawn shorter than they were.</p>"
    )


def _trouble(account: JobAccount, course: Sequence[Stretch]) -> str:
    title = "What went wrong, per second"
    if not any(span.throttled or span.failed for stretch in course for span in stretch.spans):
        return f'<p class="legend"><b>{title}</b><span>nothing</span></p>'
    return (
        f'<p class="legend"><b>{title}</b>{_key("swatch", "exhausted", "requests throttled")}'
        f"{_key('swatch', 'rejected', 'rows that failed')}</p>"
        f"{_drawn(charts.trouble, account, course)}"
    )


def _drawn(
    draw: Callable[[JobAccount, Sequence[Stretch], float], str],
    account: JobAccount,
    course: Sequence[Stretch],
) -> str:
    """Return a chart for wide and for narrow screens; the style shows one of them."""
    return "".join(
        f'<div class="{name}">{draw(account, course, width)}</div>' for name, width in _WIDTHS
    )


def _key(kind: str, colour: str, text: str) -> str:
    return f'<span><i class="{kind}" style="--swatch:var(--{colour})"></i>{text}</span>'


def _groups(account: JobAccount) -> str:
    if not account.groups:
        return '<p class="note">There are none.</p>'
    columns = [
        _Column("class"),
        _Column("rows", is_number=True),
        _Column("status"),
        _Column("code"),
        _Column("message"),
        _Column(f"first {account.facts.unit}", is_number=True),
    ]
    lines = [
        [
            f'<span class="swatch" style="--swatch:var(--{group.verdict})"></span>{group.verdict}',
            f"{group.rows:,}",
            "" if group.status is None else str(group.status),
            "" if group.code is None else f"<code>{_text(group.code)}</code>",
            f"<bdi>{_text(group.message)}</bdi>",
            f"{group.first:,}",
        ]
        for group in account.groups
    ]
    told = sum(group.rows for group in account.groups)
    rest = account.problem_count - told
    more = (
        f'<p class="note">And {counted(rest, "row")} more, of rarer kinds.</p>' if rest > 0 else ""
    )
    return _table(columns, lines) + more


def _runs(account: JobAccount) -> str:
    if not account.runs:
        return '<p class="note">There was none yet.</p>'
    columns = [
        _Column("run", is_number=True),
        _Column("began"),
        _Column("took", is_number=True),
        _Column("requests", is_number=True),
        _Column("rows retried", is_number=True),
        _Column("ended by"),
    ]
    lines = [
        [
            str(run.number),
            moment(run.began),
            duration(run.seconds),
            f"{run.requests:,}",
            f"{run.retried:,}",
            _text(how_ended(account, run)),
        ]
        for run in account.runs
    ]
    return _table(columns, lines)


def _facts(account: JobAccount) -> str:
    facts = account.facts
    known = [
        ("job", facts.id),
        ("created", moment(facts.created)),
        ("operation", facts.operation),
        ("server", facts.host),
        ("input", facts.path or facts.input),
        ("bytes", "" if facts.size < 0 else f"{facts.size:,}"),
        ("SHA-256", facts.sha256),
        ("rows", number(account.rows)),
        ("generation", str(facts.generation)),
        ("shard", facts.shard),
        ("state", state(account)),
        ("written by", f"perfectpay_async {__version__}"),
    ]
    shown = "".join(f"<dt>{name}</dt><dd>{_text(text)}</dd>" for name, text in known if text)
    return f'<dl class="facts">{shown}</dl>'


def _table(
    columns: Sequence[_Column], lines: Iterable[Sequence[str]], dimmed: Sequence[bool] = ()
) -> str:
    """Return a table; the cells are markup already."""
    head = "".join(
        f"<th{' class=n' if column.is_number else ''}>{column.heading}</th>" for column in columns
    )
    body = list[str]()
    for index, line in enumerate(lines):
        cells = "".join(
            f'<td data-label="{column.heading}" class="{_cell_class(column, cell)}">'
            f"<div>{cell}</div></td>"
            for column, cell in zip(columns, line, strict=True)
        )
        row = '<tr class="none">' if dimmed and dimmed[index] else "<tr>"
        body.append(f"{row}{cells}</tr>")
    return (
        f'<table class="stacked"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>"
    )


def _cell_class(column: _Column, cell: str) -> str:
    return " ".join(name for name, held in (("n", column.is_number), ("empty", not cell)) if held)
