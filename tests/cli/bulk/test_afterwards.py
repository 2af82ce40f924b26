from __future__ import annotations

import csv
import importlib
import io
import json
import re
import shlex
from datetime import datetime
from pathlib import Path

import pytest

from perfectpay_async import CardExpiry
from perfectpay_async.bulk import ExpiryRow, InputRefused
from perfectpay_async.bulk.duplicates import DuplicateFinder
from perfectpay_async.bulk.jobs import read_account
from perfectpay_async.cli.bulk import job_input
from perfectpay_async.sandbox import Fault
from tests.cli.bulk.commands import bulk, updates

# The package's attribute of that name is the command.
retrying = importlib.import_module("perfectpay_async.cli.bulk.retry_failed")


class Later(datetime):
    """A clock by which the expiry of a row has passed since it was sent."""

    @classmethod
    def now(cls, tz=None):
        return super().now(tz).replace(year=2032, month=1)


def _told(shown: str) -> list[list[str]]:
    """Return the commands that were told."""
    return [
        shlex.split(line.partition(": ")[2])
        for line in shown.splitlines()
        if ": perfectpay bulk " in line
    ]


class TestAfterwards:
    @pytest.fixture
    def finished(self, sandbox, write_csv, capsys):
        """A job with rows of several classes."""
        good = sandbox.seed_cards(5)
        (lost,) = sandbox.seed_cards(1)
        sandbox.faults.add(Fault.reset_after(id=lost, times=2))
        lines = [*good, lost, "pm_gone", "=pm_formula", "pm_bad,13,31"]
        assert bulk("run", write_csv(*lines), "--attempts", 2) == 1
        capsys.readouterr()
        return good, lost

    def test_status_lists_jobs_and_shows_one(self, finished, sandbox, capsys):
        assert bulk("status") == 0
        assert "cards-1" in capsys.readouterr().out
        assert bulk("status", "--json") == 0
        (job,) = json.loads(capsys.readouterr().out)["jobs"]
        assert (job["state"], job["ok"], job["unknown"]) == ("finished", 5, 1)
        assert (job["rejected"], job["invalid"], job["host"]) == (2, 1, sandbox.url)

        assert bulk("status", "cards-1") == 0
        shown = capsys.readouterr().out
        assert "cards-1: finished, cards.csv to" in shown
        assert "1 x rejected: the server answered 404" in shown
        assert bulk("status", "cards-1", "--json") == 0
        assert json.loads(capsys.readouterr().out)["remaining"] == 0

    def test_no_jobs(self, capsys):
        assert bulk("status") == 0
        assert "There are no jobs in" in capsys.readouterr().out

    def test_dead_letters_can_be_mended_and_run(self, finished, sandbox, tmp_path, capsys):
        _, lost = finished

        assert bulk("dead-letter", "cards-1") == 0
        rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
        assert [row["class"] for row in rows] == ["unknown", "rejected", "rejected", "invalid"]
        assert [row["line"] for row in rows] == ["7", "8", "9", "10"]
        assert rows[0] | {"request_id": ""} == {
            "payment_method_id": lost,
            "exp_month": "12",
            "exp_year": "31",
            "line": "7",
            "class": "unknown",
            "status": "",
            "code": "",
            "request_id": "",
            "attempts": "2",
            "message": rows[0]["message"],
        }
        assert rows[2]["payment_method_id"] == "'=pm_formula"
        assert rows[3]["message"] == "exp_month must be 1 to 12"
        bad = [rows[3][name] for name in ("payment_method_id", "exp_month", "exp_year")]
        assert bad == ["pm_bad", "13", "31"]

        output = tmp_path / "again.jsonl"
        arguments = ["--class", "unknown", "--format", "jsonl", "--output", output]
        assert bulk("dead-letter", "cards-1", *arguments) == 0
        assert json.loads(output.read_text())["payment_method_id"] == lost
        assert bulk("dead-letter", "cards-1", *arguments) == 2
        assert "File exists" in capsys.readouterr().err
        assert bulk("run", output) == 0

    def test_what_may_succeed_now_is_tried_again(self, finished, sandbox, jobs, capsys):
        _, lost = finished
        before = len(updates(sandbox))

        assert bulk("retry-failed", "cards-1", "--json") == 1

        shown = capsys.readouterr()
        account = json.loads(shown.out)
        assert "1 row of the job cards-1 is tried again" in shown.err
        assert (account["ok"], account["unknown"], account["rejected"]) == (6, 0, 2)
        (repeat,) = updates(sandbox)[before:]
        assert repeat.payment_method_id == lost
        assert repeat.idempotency_key not in {r.idempotency_key for r in updates(sandbox)[:before]}
        assert read_account(jobs / "cards-1.job").facts.generation == 2

    def test_refused_ones_on_request(self, finished, sandbox, capsys):
        assert bulk("retry-failed", "cards-1", "--class", "rejected", "--json") == 1
        assert json.loads(capsys.readouterr().out)["requests"] == 2

    def test_a_row_with_a_later_one_for_its_card_is_not_tried_again(
        self, sandbox, write_csv, capsys
    ):
        (card,) = sandbox.seed_cards(1)
        sandbox.faults.add(Fault.status(503, id=card, times=1))
        file = write_csv(f"{card},11,31", f"{card},12,32")
        assert bulk("run", file, "--on-duplicate", "allow", "--attempts", 1) == 1

        assert bulk("retry-failed", "cards-1") == 1
        assert "0 rows of the job cards-1 are tried again" in capsys.readouterr().err
        assert sandbox.ledger.expiry_of(card) == ("12", "32")
        assert bulk("verify", "cards-1") == 0

    def test_a_later_row_counts_although_its_expiry_has_passed_meanwhile(
        self, sandbox, write_csv, capsys, monkeypatch
    ):
        (card,) = sandbox.seed_cards(1)
        sandbox.faults.add(Fault.status(503, id=card, times=1))
        file = write_csv(f"{card},12,32", f"{card},11,31")
        assert bulk("run", file, "--on-duplicate", "allow", "--attempts", 1) == 1

        monkeypatch.setattr(job_input, "datetime", Later)
        capsys.readouterr()
        assert bulk("verify", "cards-1") == 0
        assert bulk("retry-failed", "cards-1") == 1
        assert "0 rows of the job cards-1 are tried again" in capsys.readouterr().err
        assert sandbox.ledger.expiry_of(card) == ("11", "31")

    @pytest.mark.parametrize("command", ["retry-failed", "dead-letter", "verify"])
    def test_no_room_to_look_for_duplicates_is_3(
        self, sandbox, write_csv, capsys, monkeypatch, command
    ):
        (card,) = sandbox.seed_cards(1)
        assert bulk("run", write_csv(card), "--on-duplicate", "allow") == 0

        def full(_finder):
            raise InputRefused("there is no room")

        monkeypatch.setattr(DuplicateFinder, "_write", full)
        assert bulk(command, "cards-1") == 3
        assert "there is no room" in capsys.readouterr().err

    def test_an_older_value_is_no_dead_letter(self, sandbox, write_csv, tmp_path, capsys):
        one, two = sandbox.seed_cards(2)
        sandbox.faults.add(Fault.status(503, id=one, times=1), Fault.status(503, id=two, times=2))
        file = write_csv(f"{one},11,31", f"{two},11,31", f"{one},12,32", f"{two},12,32")
        assert bulk("run", file, "--on-duplicate", "allow", "--attempts", 1) == 1
        capsys.readouterr()

        output = tmp_path / "again.csv"
        assert bulk("dead-letter", "cards-1", "--output", output) == 0
        assert "2 more are left out: a later row is for the same card" in capsys.readouterr().err
        assert bulk("run", output) == 0

        assert sandbox.ledger.expiry_of(one) == ("12", "32")
        assert sandbox.ledger.expiry_of(two) == ("12", "32")

    def test_a_job_that_has_not_ended_is_not_tried_again(self, sandbox, write_csv, capsys):
        ids = sandbox.seed_cards(9)
        sandbox.faults.add(Fault.status(503, id=ids[0], times=1))
        assert bulk("run", write_csv(*ids), "--limit", 3, "--attempts", 1) == 1
        sent = len(updates(sandbox))

        assert bulk("retry-failed", "cards-1") == 6
        assert "6 rows of the job cards-1 have not ended; go on" in capsys.readouterr().err
        assert len(updates(sandbox)) == sent

    def test_the_commands_that_go_on_find_the_job(self, sandbox, write_csv, tmp_path, capsys):
        elsewhere = ["--state-dir", tmp_path / "my jobs"]
        (card,) = sandbox.seed_cards(1)
        sandbox.faults.add(Fault.status(503, id=card, times=2))
        file = Path(write_csv(card))
        assert bulk("run", file, "--attempts", 1, *elsewhere) == 1
        told = _told(capsys.readouterr().err)
        assert [parts[2] for parts in told] == ["retry-failed", "dead-letter"]

        moved = file.rename(tmp_path / "moved.csv")
        assert bulk(*told[1][2:], "--file", moved) == 0
        capsys.readouterr()
        assert bulk(*told[0][2:], "--file", moved, "--attempts", 1) == 1
        again, _ = _told(capsys.readouterr().err)
        assert bulk(*again[2:], "--file", moved) == 0

    def test_verify_proves_what_is_ok(self, finished, sandbox, capsys):
        good, _ = finished

        assert bulk("verify", "cards-1", "--json") == 0
        proof = json.loads(capsys.readouterr().out)
        assert (proof["checked"], proof["holds"], proof["proven"]) == (5, 5, True)

        sandbox.store.methods[good[1]].card = sandbox.store.methods[good[1]].card.merged(
            "01", None, None, None
        )
        sandbox.store.delete(good[2])
        assert bulk("verify", "cards-1") == 1
        shown = capsys.readouterr()
        assert f"line 3, {good[1]}: differs" in shown.err
        assert f"line 4, {good[2]}: gone" in shown.err
        assert bulk("verify", "cards-1", "--sample", "2", "--seed", "1", "--json") in (0, 1)
        assert json.loads(capsys.readouterr().out)["checked"] == 2

    def test_verify_with_a_refused_key_is_4(self, finished, environment, capsys):
        environment.setenv("PERFECTPAY_API_KEY", "snd_other")
        assert bulk("verify", "cards-1") == 4
        assert "Stopped: " in capsys.readouterr().err

    def test_the_input_must_be_the_same(self, finished, tmp_path, capsys):
        file = tmp_path / "cards.csv"
        kept = file.read_bytes()
        file.write_bytes(kept + b"pm_more,12,31\n")
        for command in ("dead-letter", "verify", "retry-failed"):
            assert bulk(command, "cards-1") == 6
            assert "is not the input that the job was begun with" in capsys.readouterr().err

        file.unlink()
        moved = tmp_path / "moved.csv"
        moved.write_bytes(kept)
        assert bulk("dead-letter", "cards-1") == 3
        assert bulk("dead-letter", "cards-1", "--file", moved) == 0

    @pytest.mark.parametrize("command", ["retry-failed", "dead-letter", "verify"])
    def test_an_input_that_cannot_be_read_is_3(
        self, finished, tmp_path, monkeypatch, capsys, command
    ):
        def broken(*_arguments, **_settings):
            yield ExpiryRow(2, "pm_1", CardExpiry(12, 2031))
            raise OSError(5, "Input/output error")

        file = tmp_path / "cards.csv"
        kept = file.rename(tmp_path / "kept.csv")
        assert bulk(command, "cards-1") == 3
        file.mkdir()
        assert bulk(command, "cards-1") == 3
        file.rmdir()
        file.symlink_to("/proc/self/mem")  # it can be opened, but not be read from its start
        assert bulk(command, "cards-1") == 3
        kept.replace(file)
        monkeypatch.setattr("perfectpay_async.cli.bulk.inputs.read_rows", broken)
        assert bulk(command, "cards-1") == 3

        told = [line for line in capsys.readouterr().err.splitlines() if "Error" in line]
        assert told == [
            "Error: the file cannot be read: No such file or directory",
            "Error: the file cannot be read: Is a directory",
            "Error: the file cannot be read: Input/output error",
            "Error: the file cannot be read: Input/output error",
        ]

    def test_what_there_is_one_of_is_told_as_one(self, sandbox, write_csv, capsys):
        file = write_csv("pm_gone")
        assert bulk("plan", file) == 0
        assert bulk("run", file) == 1
        for command in ("status", "report", "dead-letter", "verify"):
            assert bulk(command, "cards-1") == 0
        assert bulk("report", "cards-1", "--format", "html") == 0
        assert bulk("retry-failed", "cards-1", "--class", "rejected") == 1

        shown = capsys.readouterr()
        both = shown.out + shown.err
        assert "1 row, about" in both
        assert "1 row in" in both
        assert "1 run, 1 request in" in both
        assert "1 row of the job cards-1 is tried again" in both
        assert re.findall(r"(?<![\w.,:/-])1 (?!was\b)(?:more )?\w*[^s\W]s\b", both) == []

    def test_a_disk_that_is_full_keeps_no_dead_letters(self, finished, capsys):
        output = Path("/dev/full")
        opened = Path.open
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Path, "open", lambda path, _mode, **how: opened(path, "w", **how))
            assert bulk("dead-letter", "cards-1", "--output", output) == 2
        assert "Error: --output /dev/full: No space left on device" in capsys.readouterr().err

    def test_a_job_on_stdin_asks_for_its_input(self, sandbox, start, capsys):
        (card,) = sandbox.seed_cards(1)
        process = start("bulk", "run", "-", "--quiet")
        process.communicate(f"payment_method_id,exp_month,exp_year\n{card},12,31\n", timeout=60)
        assert process.returncode == 0

        assert bulk("verify", "stdin-1") == 2
        assert "say with --file where it is" in capsys.readouterr().err
