from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from perfectpay_async.bulk import Verdict
from perfectpay_async.bulk.jobs import ProblemGroup, RunRecord, Sample
from perfectpay_async.bulk.reports import Commands, report_page

NASTY = "<script>alert('1')</script>\"' onload=x &lt; </td></title></style><img src=//evil> \x1b[1m"
VOID = {"meta", "rect", "line", "polyline", "polygon", "br"}
KNOWN = VOID | {
    *("html", "head", "title", "style", "body", "h1", "h2", "p", "div", "span", "b", "i", "bdi"),
    *("table", "thead", "tbody", "tr", "th", "td", "code", "dl", "dt", "dd"),
    *("svg", "defs", "pattern", "text"),
}


class Page(HTMLParser):
    """Checks that all tags are known and closed, and collects what is in the page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert tag in KNOWN, tag
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


@pytest.fixture
def page():
    def read(job):
        return Page(report_page(job, Commands.of(job)))

    return read


@pytest.fixture
def troubled(account, begin):
    """A job with all kinds of trouble; `more` goes into what identifies it."""

    def make(*, ending="SafetyStop", code="HE_02", message="gone", **more):
        at = [begin + n for n in range(1, 100)]
        late = [begin + 50_000 + n for n in range(1, 100)]
        return account(
            rows=1_000,
            ok=300,
            rejected=5,
            exhausted=4,
            unknown=3,
            invalid=2,
            skipped=1,
            runs=[
                RunRecord(1, begin, at[-1], None, 150, 3),
                RunRecord(2, begin + 50_000, late[-1], ending, 170, 3),
            ],
            groups=[ProblemGroup(Verdict.REJECTED, 404, code, message, 5, 17)],
            samples=[
                *(Sample(1, when, n, n // 20, n, n // 10, 40.0) for n, when in enumerate(at)),
                *(Sample(2, when, 99 + n, 5, n, 0, None) for n, when in enumerate(late)),
            ],
            **more,
        )

    return make


def test_it_says_at_once_whether_all_rows_were_applied(page, account, troubled):
    assert "✓ All 100 rows were applied." in page(account(ok=100)).texts["p"]
    said = page(troubled()).texts["p"]
    assert any(text.startswith("! Not all rows were applied: 685 of 1,000 have") for text in said)


def test_it_loads_nothing_and_runs_nothing(page, troubled):
    found = page(troubled())

    assert "script" not in found.tags
    for name, value in found.attributes:
        assert name not in {"src", "href", "srcset", "action", "data", "xlink:href"}
        assert not name.startswith("on")
        assert not value.startswith(("http:", "https:", "//"))
    style = "".join(found.texts["style"])
    assert "@import" not in style
    assert re.findall(r"url\(([^)]*)\)", style) == ["#hatch"]
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in found.attributes


def test_it_is_for_light_dark_phones_and_paper(page, account):
    style = "".join(page(account()).texts["style"])

    for rule in ("prefers-color-scheme: dark", "max-width: 640px", "@media print"):
        assert rule in style


@pytest.mark.parametrize("field", ["ending", "code", "message", "input", "name", "path", "shard"])
def test_data_cannot_be_markup(page, troubled, field):
    plain, nasty = page(troubled(**{field: "x"})), page(troubled(**{field: NASTY}))

    assert set(nasty.tags) == set(plain.tags)
    shown = "".join(text for texts in nasty.texts.values() for text in texts)
    assert "<script>alert('1')</script>" in shown or field == "path"
    assert "\x1b" not in shown


def test_classes_are_a_bar_and_a_table(page, troubled):
    found = page(troubled())

    bars = [value for name, value in found.attributes if name == "class" and value in set(Verdict)]
    assert bars == [verdict.value for verdict in Verdict]
    label = next(value for name, value in found.attributes if value.startswith("300 ok"))
    assert label == (
        "300 ok, 5 rejected, 4 exhausted, 3 unknown, 2 invalid, 1 skipped, 685 remaining"
    )
    cells = [text.strip() for text in found.texts["div"]]
    for verdict in Verdict:
        assert verdict.value in cells


def test_each_class_says_what_to_do(page, troubled):
    words = page(troubled()).texts["span"]

    assert {"dead-letter", "retry-failed"} <= set(words)


def test_runs_and_the_pauses_between_them_are_marked(page, troubled):
    found = page(troubled())

    assert [found.texts["text"].count(name) for name in ("run 1", "run 2")] == [6, 6]
    assert "nothing ran for 13 h 51 min" in found.texts["title"]
    assert "13 h 51 min" in found.texts["text"]
    said = next(text for text in found.texts["title"] if text.startswith("run 1:"))
    assert said == "run 1: 2026-03-01 10:13:20 UTC, 1 min 39 s, killed"


def test_the_curves_stay_in_the_picture(troubled):
    job = troubled()
    page = report_page(job, Commands.of(job))

    charts = re.findall(r'<svg class="chart" viewBox="0 0 (\d+) (\d+)".*?</svg>', page)
    assert charts == [("880", "220"), ("360", "220")] * 2 + [("880", "132"), ("360", "132")]
    for chart in re.finditer(r'<svg class="chart" viewBox="0 0 (\d+) (\d+)"(.*?)</svg>', page):
        width, height = int(chart[1]), int(chart[2])
        for points in re.findall(r'points="([^"]*)"', chart[3]):
            for point in points.split():
                x, y = map(float, point.split(","))
                assert 46 <= x <= width
                assert 0 <= y <= height


def test_nothing_wrong_needs_no_chart(page, account, begin):
    job = account(
        ok=100,
        runs=[RunRecord(1, begin, begin + 9, "end of input", 100, 0)],
        samples=[Sample(1, begin + 9, 100, 0, 100, 0, 40.0)],
    )

    assert "nothing" in page(job).texts["span"]


def test_a_job_without_a_run(page, account):
    said = page(account(rows=-1)).texts["p"]

    assert "Nothing has been recorded of a run yet." in said
    assert "There was none yet." in said
    assert "There are none." in said


def test_groups_that_are_not_told_are_counted(page, account):
    job = account(rejected=7, groups=[ProblemGroup(Verdict.REJECTED, 404, None, "gone", 5, 1)])

    assert "And 2 rows more, of rarer kinds." in page(job).texts["p"]


def test_a_run_of_weeks_makes_a_page_of_bounded_size(account, begin):
    samples = [Sample(1, begin + 60 * n, n, n % 7, n, n % 5, 40.0 + n % 9) for n in range(20_000)]
    job = account(
        rows=20_000, ok=19_999, runs=[RunRecord(1, begin, samples[-1].at)], samples=samples
    )

    assert len(report_page(job, Commands.of(job))) < 200_000
