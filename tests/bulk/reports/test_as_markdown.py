from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from perfectpay_async.bulk import Verdict
from perfectpay_async.bulk.jobs import ProblemGroup, RunRecord
from perfectpay_async.bulk.reports import Commands, report_markdown
from perfectpay_async.bulk.reports.as_markdown import _code, _text

MARKDOWN = MarkdownIt("commonmark").enable("table")

NASTY = (
    "<script>alert(1)</script> | **bold** _it_ [a](http://evil.example) ![b](x) `code` ~~s~~ "
    "&amp; \\| <http://evil.example> www.evil.example \\ ``` # - 1. > \x1b[31m\r\n| new | row |"
)


def cells(markdown):
    """The rows of cells of all tables, as a reader sees them."""
    found, row = [], []
    for token in MARKDOWN.parse(markdown):
        if token.type == "tr_open":
            found.append([])
            row = found[-1]
        elif token.type == "inline":
            row.append(token)
        elif token.type == "tr_close":
            row = []
    return found


def kinds(token):
    return {child.type for child in token.children}


def shown(token):
    return "".join(child.content for child in token.children)


def report(job):
    return report_markdown(job, Commands.of(job))


def test_what_it_says(account, begin):
    job = account(
        ok=90,
        rejected=10,
        runs=[RunRecord(1, begin, begin + 61, "end of input", 100, 3)],
        groups=[ProblemGroup(Verdict.REJECTED, 404, "HE_02", "gone", 10, 1_017)],
    )
    lines = report(job).splitlines()

    assert lines[0] == "# Bulk job march-1"
    assert "**Not all rows were applied: 10 of 100 were not.**" in lines
    assert "| rejected | 10 | 404 | HE\\_02 | gone | 1,017 |" in lines
    assert "| 1 | 2026-03-01 10:13:20 UTC | 1 min 1 s | 100 | 3 | end of input |" in lines
    assert any("`perfectpay bulk dead-letter march-1`" in line for line in lines)


def test_tables_have_the_same_number_of_cells_in_all_rows(account):
    job = account(ok=1, groups=[ProblemGroup(Verdict.REJECTED, None, NASTY, NASTY, 1, 1)])

    assert {len(row) for row in cells(report(job))} == {4, 6}


@pytest.mark.parametrize("field", ["code", "message", "input", "name", "path", "ending"])
def test_data_cannot_be_markup(account, begin, field):
    group = {"code": "", "message": "", **({field: NASTY} if field in {"code", "message"} else {})}
    job = account(
        ok=1,
        groups=[ProblemGroup(Verdict.REJECTED, 400, group["code"], group["message"], 1, 1)],
        runs=[RunRecord(1, begin, begin, NASTY if field == "ending" else "x")],
        **({field: NASTY} if field in {"input", "name", "path"} else {}),
    )
    markdown = report(job)

    seen = "".join(
        child.type
        for token in MARKDOWN.parse(markdown)
        for child in token.children or ()
        if child.type not in {"text", "code_inline", "strong_open", "strong_close"}
    )
    assert seen.replace("text_special", "") == ""
    assert "\x1b" not in markdown
    assert markdown.count("| new | row |") == 0 or field in {"path", "name"}


@given(st.text(st.characters()))
def test_a_text_is_shown_as_it_is_in_a_cell(text):
    table = f"| a | b |\n| --- | --- |\n| x{_text(text)}x | {_code('x' + text)} |"

    head, row = cells(table)
    assert len(head) == len(row) == 2
    assert kinds(row[0]) <= {"text", "text_special"}
    assert {child.type for child in row[1].children} == {"code_inline"}


def test_there_may_be_nothing_to_say(account):
    assert "There are none." in report(account())
