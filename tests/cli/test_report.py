from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from perfectpay_async.bulk.jobs import JobStore
from perfectpay_async.cli.app import run

KEY = "snd_planted_key_123"
NOT_FOUND = "HE_02: Payment method does not exist in our records"


@pytest.fixture(autouse=True)
def _environment(environment):
    return environment


@pytest.fixture
def job(sandbox, write_csv, environment, capsys):
    """A job that has run: two rows are ok, one is not there, one breaks a rule."""
    sandbox.api_key = KEY
    environment.setenv("PERFECTPAY_API_KEY", KEY)
    file = write_csv(*sandbox.seed_cards(2), "pm_gone", "pm_bad,13,2047")
    assert run(["bulk", "run", file, "--quiet"]) == 1
    capsys.readouterr()
    return file


def written(capsys, *arguments):
    assert run(["bulk", "report", "cards-1", *arguments]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    return shown.out


class TestFormats:
    def test_markdown_by_default(self, job, capsys):
        out = written(capsys)

        assert out.startswith("# Bulk job cards-1\n\n**Not all rows were applied: 2 of 4 were not")
        assert out == written(capsys, "--format", "markdown")

    def test_json(self, job, capsys):
        account = json.loads(written(capsys, "--format", "json"))

        assert (account["schema"], account["rows"], account["ok"]) == (1, 4, 2)
        assert {group["first"] for group in account["groups"]} == {4, 5}
        assert account["runs"][0]["ending"] == "end of input"

    def test_html(self, job, capsys):
        out = written(capsys, "--format", "html")

        assert out.startswith("<!doctype html>")
        assert NOT_FOUND in out

    @pytest.mark.parametrize("form", ["json", "markdown", "html"])
    def test_nothing_secret_is_in_any(self, job, capsys, form):
        out = written(capsys, "--format", form)

        for secret in (KEY, "13,2047", "exp_year="):
            assert secret not in out
        # Not as part of a port, a time, a colour or the name of a temporary directory.
        assert not re.search(r"(?<![\w.#-])(2031|2047)(?!\w)", out)


class TestOutput:
    @pytest.mark.parametrize(
        ("name", "begin"),
        [
            ("r.html", "<!doctype"),
            ("r.HTM", "<!doctype"),
            ("r.json", "{"),
            ("r.md", "#"),
            ("r", "#"),
        ],
    )
    def test_its_name_says_the_format(self, job, capsys, tmp_path, name, begin):
        assert written(capsys, "--output", str(tmp_path / name)) == ""
        assert (tmp_path / name).read_text().startswith(begin)

    def test_unless_that_is_said(self, job, capsys, tmp_path):
        written(capsys, "--output", str(tmp_path / "r.txt"), "--format", "html")

        assert (tmp_path / "r.txt").read_text().startswith("<!doctype")

    def test_an_earlier_report_is_replaced(self, job, capsys, tmp_path):
        (tmp_path / "r.md").write_text("old")
        before = set(tmp_path.iterdir())

        written(capsys, "--output", str(tmp_path / "r.md"))

        assert (tmp_path / "r.md").read_text().startswith("# Bulk job")
        assert set(tmp_path.iterdir()) == before

    def test_a_place_that_cannot_be_written(self, job, capsys, tmp_path):
        assert run(["bulk", "report", "cards-1", "--output", str(tmp_path / "no" / "r.md")]) == 2
        assert "cannot be written: No such file or directory" in capsys.readouterr().err

    def test_the_files_of_the_job_are_not_overwritten(self, job, capsys, tmp_path):
        journal = str(tmp_path / "jobs" / "cards-1.job")
        for file in (job, journal, str(tmp_path / "jobs" / ".." / "cards.csv")):
            before = Path(file).read_bytes()
            assert run(["bulk", "report", "cards-1", "--output", file]) == 2
            assert "belongs to the job; name another file" in capsys.readouterr().err
            assert Path(file).read_bytes() == before


class TestJobs:
    def test_there_is_none(self, capsys):
        assert run(["bulk", "report", "cards-1"]) == 7
        assert "there is no job cards-1" in capsys.readouterr().err

    def test_one_that_cannot_be_read(self, job, capsys, tmp_path):
        (tmp_path / "jobs" / "cards-1.job").write_bytes(b"")

        assert run(["bulk", "report", "cards-1"]) == 7
        assert "is not a journal of a bulk job" in capsys.readouterr().err

    def test_one_that_is_running(self, job, capsys, tmp_path):
        job = JobStore(tmp_path / "jobs").open(tmp_path / "jobs" / "cards-1.job")
        try:
            assert "the job is running" in written(capsys)
        finally:
            job.close()

    def test_its_commands_work_as_they_are_written(self, job, capsys, tmp_path):
        out = written(capsys)

        assert f"`perfectpay bulk dead-letter cards-1 --state-dir {tmp_path / 'jobs'}`" in out


class TestStatus:
    def test_it_tells_the_same(self, job, capsys):
        assert run(["bulk", "status", "cards-1"]) == 0
        out = capsys.readouterr().out
        assert "Not all rows were applied: 2 of 4 were not.\n" in out
        assert NOT_FOUND in out

        assert run(["bulk", "status", "cards-1", "--json"]) == 0
        status = json.loads(capsys.readouterr().out)
        report = json.loads(written(capsys, "--format", "json"))
        assert status == {key: report[key] for key in status}

    def test_the_list_of_jobs(self, job, capsys):
        assert run(["bulk", "status"]) == 0
        assert "cards-1" in capsys.readouterr().out
        assert run(["bulk", "status", "--json"]) == 0
        assert [job["job"] for job in json.loads(capsys.readouterr().out)["jobs"]] == ["cards-1"]

    def test_names_are_no_markup(self, sandbox, tmp_path, capsys):
        file = tmp_path / "[bold]a[red].csv"
        file.write_text(f"payment_method_id,exp_month,exp_year\n{sandbox.seed_cards(1)[0]},1,31\n")
        assert run(["bulk", "run", str(file), "--quiet"]) == 0
        capsys.readouterr()

        assert run(["bulk", "status"]) == 0
        assert "[bold]a[red].csv" in capsys.readouterr().out

    def test_no_jobs(self, capsys, tmp_path):
        assert run(["bulk", "status", "--state-dir", str(tmp_path / "[none]")]) == 0
        assert capsys.readouterr().out == f"There are no jobs in {tmp_path}/[none]\n"
