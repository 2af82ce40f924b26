from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from perfectpay_async.bulk.jobs import read_account
from perfectpay_async.bulk.jobs.journal import Journal
from perfectpay_async.cli.app import run
from perfectpay_async.sandbox import Fault
from tests.cli.bulk.commands import bulk, updates, wait_for


class TestKilled:
    def test_nothing_is_lost_and_little_is_repeated(self, sandbox, write_csv, start, jobs):
        ids = sandbox.seed_cards(1_500)
        file = write_csv(*ids)
        kills = 0
        while kills < 20:
            seen = len(updates(sandbox))
            process = start("bulk", "run", file, "--resume", "--rate", "off", "--quiet")
            wait_for(
                lambda seen=seen, process=process: (
                    len(updates(sandbox)) >= seen + 400 or process.poll() is not None
                )
            )
            process.kill()
            if process.wait() == 0:
                break
            kills += 1

        account = read_account(jobs / "cards-1.job")
        assert kills >= 3
        assert account.state == "finished"
        assert (account.counts["ok"], len(account.runs)) == (1_500, kills + 1)
        assert {sandbox.ledger.expiry_of(card) for card in ids} == {("12", "31")}
        assert sandbox.ledger.max_in_flight_per_id == 1
        repeats = len(updates(sandbox)) - 1_500
        # Under way, and what was not on the disk yet: that depends on the disk, and is bounded.
        assert repeats <= kills * (64 + 200)

    @pytest.mark.parametrize("moment", ["begin", "write_chunk", "write_run"])
    def test_a_crash_while_it_writes_leaves_a_good_journal(
        self, sandbox, write_csv, jobs, moment, tmp_path
    ):
        file = write_csv(*sandbox.seed_cards(50))
        script = tmp_path / "crash.py"
        script.write_text(
            "import os, sys\n"
            "from perfectpay_async.bulk.jobs import journal\n"
            "from perfectpay_async.cli import main\n"
            "count = 0\n"
            "def crash(*arguments):\n"
            "    global count\n"
            "    count += 1\n"
            f"    if count > {0 if moment == 'write_run' else 1}:\n"
            "        os._exit(9)\n"
            "    return real(*arguments)\n"
            f"name = {'transaction' if moment == 'begin' else moment!r}\n"
            "real = getattr(journal.Journal, name)\n"
            "setattr(journal.Journal, name, crash)\n"
            "main()\n"
        )
        sandbox.faults.add(Fault.latency(0.03))  # so that no single commit has all the rows
        command = ("bulk", "run", file, "--rate", "off", "--concurrency", "4")
        code = subprocess.run(
            [sys.executable, str(script), *command],
            env=dict(os.environ),
            check=False,
            capture_output=True,
        ).returncode
        assert code == 9

        assert bulk("run", file, "--resume", "--rate", "off") == 0
        assert read_account(jobs / "cards-1.job").counts["ok"] == 50


class TestJournalTrouble:
    def test_a_full_disk_is_7_and_nothing_more_is_sent(
        self, sandbox, write_csv, environment, jobs, capsys
    ):
        ids = sandbox.seed_cards(300)
        file = write_csv(*ids)
        write, calls = Journal.write_chunk, []

        def full(journal, number, state):
            calls.append(number)
            if len(calls) > 3:
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorname = "SQLITE_FULL"
                raise error
            write(journal, number, state)

        environment.setattr(Journal, "write_chunk", full)
        sandbox.faults.add(Fault.latency(0.02))
        assert bulk("run", file, "--concurrency", 4, "--rate", "off") == 7
        assert "the disk is full; make room and resume the job" in capsys.readouterr().err
        sent = len(updates(sandbox))
        assert sent < 150

        environment.setattr(Journal, "write_chunk", write)
        assert bulk("run", file, "--resume", "--rate", "off") == 0
        assert {sandbox.ledger.expiry_of(card) for card in ids} == {("12", "31")}

    def test_a_deleted_journal_is_7(self, sandbox, write_csv, start, jobs):
        file = write_csv(*sandbox.seed_cards(2_000))
        sandbox.faults.add(Fault.latency(0.05))
        process = start("bulk", "run", file, "--rate", "off", "--quiet", "--concurrency", "8")
        wait_for(lambda: len(updates(sandbox)) > 40)

        (jobs / "cards-1.job").unlink()
        _, err = process.communicate(timeout=60)

        assert process.returncode == 7
        assert "was deleted or replaced while the job was under way" in err
        assert len(updates(sandbox)) < 1_000

    @pytest.mark.parametrize("spoil", ["newer", "foreign"])
    def test_a_journal_that_cannot_be_read_is_7(self, sandbox, write_csv, jobs, spoil, capsys):
        file = write_csv(*sandbox.seed_cards(3))
        assert bulk("run", file, "--limit", 1) == 1
        journal = jobs / "cards-1.job"
        if spoil == "newer":
            with sqlite3.connect(journal) as database:
                database.execute("PRAGMA user_version=99")
        else:
            journal.write_bytes(b"nothing that SQLite knows" * 100)

        assert bulk("status", "cards-1") == 7
        assert bulk("retry-failed", "cards-1") == 7
        err = capsys.readouterr().err
        assert ("a newer version" if spoil == "newer" else "is not a journal") in err

    def test_an_unknown_job_is_7(self, jobs, capsys):
        for command in ("status", "retry-failed", "dead-letter", "verify"):
            assert bulk(command, "nothing") == 7
            assert "there is no job nothing in" in capsys.readouterr().err
        assert bulk("status", "../cards") == 7


def test_a_stopped_run_says_how_it_goes_on(sandbox, write_csv, start, jobs):
    file = write_csv(*sandbox.seed_cards(300))
    sandbox.faults.add(Fault.latency(0.1))
    process = start("bulk", "run", file, "--quiet", "--concurrency", "4")
    wait_for(lambda: len(updates(sandbox)) > 8)

    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 143
    command = err.partition("Go on with: ")[2].splitlines()[0].split()
    assert run([*command[1:], "--rate", "off"]) == 0
    assert read_account(jobs / "cards-1.job").counts["ok"] == 300
