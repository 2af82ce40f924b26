from __future__ import annotations

import importlib
import io
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from perfectpay_async.cli.app import run
from perfectpay_async.cli.bulk.inputs import Input
from perfectpay_async.sandbox import Fault
from tests.cli.bulk.commands import UPDATE, wait_for


def open_files(pid):
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            yield str(descriptor.readlink())


def is_asleep(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


CARD_NUMBER = "4242424242424242"
HEADER = "payment_method_id,exp_month,exp_year\n"
NOT_FOUND = (
    "the server answered 404 Not Found (HE_02: Payment method does not exist in our records)"
)


class TestExitCodes:
    def test_all_rows_done_is_0(self, sandbox, write_csv, capsys):
        ids = sandbox.seed_cards(50)

        assert run(["bulk", "run", write_csv(*ids)]) == 0

        shown = capsys.readouterr()
        assert {sandbox.ledger.expiry_of(card) for card in ids} == {("12", "31")}
        assert shown.out.splitlines()[0].startswith("50 rows in ")
        assert "0 requests throttled" in shown.out.splitlines()[1]
        assert [line.split() for line in shown.out.splitlines()[2:]] == [
            ["ok", "50"],
            ["rejected", "0"],
            ["exhausted", "0"],
            ["unknown", "0"],
            ["invalid", "0"],
            ["skipped", "0"],
        ]
        assert shown.err.startswith("The job is cards-1, in ")
        assert len(shown.err.splitlines()) == 1

    def test_a_file_without_rows_is_done(self, write_csv):
        assert run(["bulk", "run", write_csv()]) == 0

    def test_some_rows_not_done_is_1_and_they_are_named(self, sandbox, write_csv, capsys):
        (card,) = sandbox.seed_cards(1)
        file = write_csv(card, "pm_gone", f"{card},13,31", "pm_old,1,2001")

        assert run(["bulk", "run", file]) == 1

        lines = capsys.readouterr().err.splitlines()
        assert lines[0] == "2 of 4 rows break a rule and will not be sent."
        said = "The rows that are not ok: perfectpay bulk dead-letter cards-1 --state-dir"
        assert lines[-1].startswith(said)
        assert sorted(line.split(" (request id")[0] for line in lines[2:-1]) == [
            f"line 3, pm_gone: rejected: {NOT_FOUND}",
            f"line 4, {card}: invalid: exp_month must be 1 to 12",
            "line 5, pm_old: invalid: expiry must not be in the past",
        ]

    def test_rows_without_lines_are_counted_as_rows(self, tmp_path, capsys):
        arrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
        file = tmp_path / "cards.parquet"
        columns = {"payment_method_id": ["pm_1"], "exp_month": [13], "exp_year": [2031]}
        parquet.write_table(arrow.table(columns), file)

        assert run(["bulk", "run", str(file)]) == 1
        assert "row 1, pm_1: invalid: exp_month must be 1 to 12" in capsys.readouterr().err

    def test_many_problems_are_cut(self, write_csv, capsys):
        assert run(["bulk", "run", write_csv(*["pm_1,0,31"] * 25)]) == 1
        assert "\n... and 5 more rows that are not ok\n" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["--environment", "sandbox", "--base-url", "https://x"], "not both"),
            (["--base-url", "http://example.com"], "--base-url must use https"),
            (["--environment", "moon"], "--environment"),
            (["--concurrency", "0"], "--concurrency"),
            (["--environment", "production"], "api.perfectpay.ai is not a sandbox: say --yes"),
            (["--base-url", "https://pay.example.com"], "pay.example.com is not a sandbox"),
        ],
    )
    def test_wrong_usage_is_2(self, sandbox, write_csv, capsys, arguments, sentence):
        assert run(["bulk", "run", write_csv(*sandbox.seed_cards(1)), *arguments]) == 2
        assert sentence in capsys.readouterr().err
        assert sandbox.ledger.requests == []

    def test_no_address_is_2(self, environment, write_csv, capsys):
        environment.delenv("PERFECTPAY_BASE_URL")

        assert run(["bulk", "run", write_csv("pm_1")]) == 2
        assert "say where to send it: --environment sandbox" in capsys.readouterr().err

    def test_a_missing_file_is_2(self, tmp_path):
        assert run(["bulk", "run", str(tmp_path / "none.csv")]) == 2

    @pytest.mark.parametrize(
        ("lines", "sentence"),
        [
            ([f"{CARD_NUMBER},12,31"], "line 3, column 1 (payment_method_id)"),
            (['"pm_1,1,31'], "line 3: quotes are out of place"),
        ],
    )
    def test_input_refused_is_3_and_nothing_is_sent(
        self, sandbox, write_csv, capsys, lines, sentence
    ):
        assert run(["bulk", "run", write_csv("pm_1", *lines)]) == 3

        shown = capsys.readouterr()
        assert shown.err.startswith(f"Error: {sentence}")
        assert shown.out == ""
        assert CARD_NUMBER not in shown.err
        assert sandbox.ledger.requests == []

    def test_so_is_a_wrong_header(self, write_csv, capsys):
        assert run(["bulk", "run", write_csv(header="card,exp_month,exp_year\n")]) == 3
        assert "the header lacks the column payment_method_id" in capsys.readouterr().err

    def test_no_key_is_4(self, environment, write_csv, capsys):
        environment.delenv("PERFECTPAY_API_KEY")

        assert run(["bulk", "run", write_csv("pm_1")]) == 4
        assert "PERFECTPAY_API_KEY is not set" in capsys.readouterr().err

    def test_a_malformed_key_is_4_and_not_shown(self, environment, write_csv, capsys):
        environment.setenv("PERFECTPAY_API_KEY", "snd_with space")

        assert run(["bulk", "run", write_csv("pm_1")]) == 4
        assert "snd_with" not in capsys.readouterr().err

    def test_a_refused_key_is_4_with_the_account(self, environment, sandbox, write_csv, capsys):
        environment.setenv("PERFECTPAY_API_KEY", "snd_wrong_key")
        ids = sandbox.seed_cards(100)

        assert run(["bulk", "run", write_csv(*ids), "--concurrency", "4"]) == 4

        shown = capsys.readouterr()
        assert "Stopped: payment_methods.update: the server answered 401" in shown.err
        assert shown.out.splitlines()[-1].split() == ["remaining", "100"]
        assert "100 rows have not ended. Go on with: perfectpay bulk run " in shown.err
        assert "snd_wrong_key" not in shown.err + shown.out


class TestAddress:
    def test_production_is_changed_with_yes(self, environment, sandbox, write_csv):
        environment.setattr("perfectpay_async.cli.bulk.options.is_sandbox", lambda _address: False)

        assert run(["bulk", "run", write_csv(*sandbox.seed_cards(1)), "--yes"]) == 0

    @pytest.mark.parametrize(("typed", "code"), [("127.0.0.1", 0), ("yes", 2), ("", 2)])
    def test_or_when_its_name_is_typed(self, environment, sandbox, write_csv, typed, code):
        environment.setattr("perfectpay_async.cli.bulk.options.is_sandbox", lambda _address: False)
        terminal = io.StringIO(f"{typed}\n")
        terminal.isatty = lambda: True
        environment.setattr(sys, "stdin", terminal)

        assert run(["bulk", "run", write_csv(*sandbox.seed_cards(3))]) == code

        assert len(sandbox.ledger.writes) == (0 if code else 3)

    def test_the_environment_variables_say_where(self, environment, write_csv, capsys):
        environment.delenv("PERFECTPAY_BASE_URL")
        environment.setenv("PERFECTPAY_ENVIRONMENT", "production")

        assert run(["bulk", "run", write_csv("pm_1")]) == 2
        assert "api.perfectpay.ai is not a sandbox" in capsys.readouterr().err

    def test_with_a_closed_stdin_nobody_can_be_asked(self, environment, write_csv, capsys):
        environment.setattr(sys, "stdin", None)

        file = write_csv("pm_1")
        assert run(["bulk", "run", file, "--environment", "production"]) == 2
        assert "api.perfectpay.ai is not a sandbox: say --yes" in capsys.readouterr().err

    def test_an_option_wins_over_them(self, environment, sandbox, write_csv):
        environment.setenv("PERFECTPAY_BASE_URL", "https://elsewhere.example.com")

        file = write_csv(*sandbox.seed_cards(1))
        assert run(["bulk", "run", file, "--base-url", sandbox.url]) == 0


class TestJson:
    def test_it_is_one_object_with_the_whole_account(self, sandbox, write_csv, capsys):
        (card,) = sandbox.seed_cards(1)

        assert run(["bulk", "run", write_csv(card, "pm_gone"), "--json"]) == 1

        account = json.loads(capsys.readouterr().out)
        elapsed, rate = account.pop("elapsed"), account.pop("requests_per_second")
        (problem,) = account.pop("problems")
        control = account.pop("rate")
        assert (control["cuts"], control["throttled"], control["gate_seconds"]) == (0, 0, 0)
        assert elapsed > 0
        assert rate > 0
        assert account == {
            "schema": 1,
            "job": "cards-1",
            "rows": 2,
            "finished": 2,
            "ok": 1,
            "rejected": 1,
            "exhausted": 0,
            "unknown": 0,
            "invalid": 0,
            "skipped": 0,
            "remaining": 0,
            "earlier": 0,
            "retried": 0,
            "requests": 2,
            "requests_at_least": False,
            "stopped_by": None,
            "why": None,
            "problem_count": 1,
        }
        assert problem.pop("elapsed") > 0
        assert problem.pop("request_id")
        assert problem == {
            "number": 3,
            "payment_method_id": "pm_gone",
            "verdict": "rejected",
            "attempts": 1,
            "status": 404,
            "code": "HE_02",
            "message": NOT_FOUND,
        }

    def test_a_refused_key_is_named(self, environment, sandbox, write_csv, capsys):
        environment.setenv("PERFECTPAY_API_KEY", "snd_wrong_key")

        assert run(["bulk", "run", write_csv(*sandbox.seed_cards(1)), "--json"]) == 4
        assert json.loads(capsys.readouterr().out)["stopped_by"] == "AuthenticationError"


class TestFaults:
    def test_a_short_outage_costs_no_row(self, sandbox, write_csv, capsys):
        ids = sandbox.seed_cards(100)
        sandbox.faults.add(Fault.status(503, times=6, operation=UPDATE))

        assert run(["bulk", "run", write_csv(*ids), "--rate", "inf", "--json"]) == 0
        account = json.loads(capsys.readouterr().out)
        assert account["retried"] >= 4
        assert account["requests"] == 106

    def test_attempts_are_as_many_as_asked_for(self, sandbox, write_csv, capsys):
        ids = sandbox.seed_cards(3)
        sandbox.faults.add(Fault.status(503, operation=UPDATE))

        assert run(["bulk", "run", write_csv(*ids), "--attempts", "2", "--json"]) == 1

        account = json.loads(capsys.readouterr().out)
        assert (account["unknown"], account["requests"]) == (3, 6)


class TestStdin:
    def test_its_rows_are_sent(self, sandbox, start):
        first, second = sandbox.seed_cards(2)
        process = start("bulk", "run", "-", "--json")

        out, err = process.communicate(f"{HEADER}{first},12,31\n{second},12,31\n", timeout=60)

        assert process.returncode == 0, err
        assert json.loads(out)["ok"] == 2

    def test_all_of_it_is_read_before_anything_is_sent(self, sandbox, start):
        (card,) = sandbox.seed_cards(1)
        process = start("bulk", "run", "-", "--json")

        out, err = process.communicate(f"{HEADER}{card},12,31\n{CARD_NUMBER},12,31\n", timeout=60)

        assert process.returncode == 3
        assert out == ""
        assert "Error: line 3, column 1 (payment_method_id) looks like a card number" in err
        assert CARD_NUMBER not in err
        assert sandbox.ledger.requests == []

    def test_a_refusal_at_once_is_3(self, start):
        process = start("bulk", "run", "-")

        _, err = process.communicate("nonsense\n", timeout=60)

        assert process.returncode == 3
        assert "the header lacks the column payment_method_id" in err

    def test_it_cannot_be_confirmed(self, capsys):
        assert run(["bulk", "run", "-", "--environment", "production"]) == 2
        assert "say --yes" in capsys.readouterr().err


class TestSignals:
    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_a_signal_finishes_what_is_under_way(self, sandbox, write_csv, start, number, code):
        ids = sandbox.seed_cards(500)
        sandbox.faults.add(Fault.latency(0.3))
        process = start("bulk", "run", write_csv(*ids), "--json", "--concurrency", "8")
        wait_for(lambda: len(sandbox.ledger.requests) > 8)

        process.send_signal(number)
        out, err = process.communicate(timeout=60)

        account = json.loads(out)
        assert process.returncode == code, err
        assert "Finishing what is under way" in err
        assert account["ok"] == account["finished"] == len(sandbox.ledger.writes)
        assert account["remaining"] == 500 - account["ok"]

    def test_a_second_signal_abandons_it(self, sandbox, write_csv, start):
        ids = sandbox.seed_cards(10)
        sandbox.faults.add(Fault.stall())
        process = start("bulk", "run", write_csv(*ids), "--json", "--concurrency", "4")
        wait_for(lambda: len(sandbox.ledger.requests) == 4)

        process.send_signal(signal.SIGINT)
        while "Finishing" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)

        account = json.loads(out)
        assert process.returncode == 130
        assert (account["unknown"], account["remaining"]) == (0, 10)

    @pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks into /proc")
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_it_does_not_wait_for_a_silent_stdin(self, sandbox, tmp_path, start, number):
        process = start("bulk", "run", "-", TMPDIR=str(tmp_path))
        process.stdin.write(f"{HEADER}pm_1,12,31\n")
        process.stdin.flush()
        # The copy of stdin: it has no name, so that it is gone whatever ends the process.
        wait_for(
            lambda: any(
                str(tmp_path) in name and name.endswith("(deleted)")
                for name in open_files(process.pid)
            )
        )
        assert list(tmp_path.iterdir()) == []
        # Python loses a signal that comes just before a read begins: so let it have begun.
        wait_for(lambda: is_asleep(process.pid))

        process.send_signal(number)
        process.wait(timeout=60)

        assert process.returncode in (130, -signal.SIGTERM)
        assert sandbox.ledger.requests == []


class TestDuplicates:
    def test_they_are_refused_before_anything_is_sent(self, sandbox, write_csv, capsys):
        (card,) = sandbox.seed_cards(1)

        assert run(["bulk", "run", write_csv(card, "pm_2", card)]) == 3

        assert capsys.readouterr().err == (
            "Error: 1 of 3 rows repeats the card of an earlier one, first line 4 that of line 2; "
            "leave one row for each card, or say --on-duplicate allow to send them in their order\n"
        )
        assert sandbox.ledger.requests == []

    def test_or_sent_in_their_order(self, sandbox, write_csv):
        (card,) = sandbox.seed_cards(1)
        file = write_csv(card, f"{card},1,33", f"{card},11,32")

        assert run(["bulk", "run", file, "--on-duplicate", "allow"]) == 0
        assert sandbox.ledger.expiry_of(card) == ("11", "32")
        assert len(sandbox.ledger.writes) == 3


class TestFileThatChanges:
    """Between the reading that checks it and the reading that sends it."""

    @pytest.fixture
    def change_it(self, environment):
        """Has a change done right before the second reading."""

        def arrange(change):
            inspect = Input.inspect

            def changed(opened, **options):
                inspection = inspect(opened, **options)
                change()
                return inspection

            environment.setattr(Input, "inspect", changed)

        return arrange

    def test_a_longer_file_is_refused(self, sandbox, write_csv, change_it, capsys):
        file = Path(write_csv(*sandbox.seed_cards(3)))
        change_it(lambda: file.write_text(file.read_text() + "pm_x,12,31\n"))

        assert run(["bulk", "run", str(file)]) == 3
        assert "Error: the file was changed while it was read; nothing" in capsys.readouterr().err
        assert sandbox.ledger.requests == []

    def test_so_is_one_of_the_same_size_and_time(self, sandbox, write_csv, change_it, capsys):
        file = Path(write_csv(*sandbox.seed_cards(3)))
        before = file.stat()

        def change():
            file.write_text(file.read_text().replace(",31", ",32"))
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

        change_it(change)

        assert run(["bulk", "run", str(file)]) == 3
        assert (
            "from line 2 on, the input is not the one that the job was begun with"
            in capsys.readouterr().err
        )
        assert sandbox.ledger.requests == []

    def test_one_that_was_replaced_is_sent_as_it_was_checked(self, sandbox, write_csv, change_it):
        (card,) = sandbox.seed_cards(1)
        file = Path(write_csv(card))
        other = file.with_name("other.csv")
        other.write_text(f"{HEADER}{card},01,35\n")
        change_it(lambda: other.replace(file))

        assert run(["bulk", "run", str(file)]) == 0
        assert sandbox.ledger.expiry_of(card) == ("12", "31")


class TestOtherFormats:
    def test_jsonl_with_names_of_its_own(self, sandbox, tmp_path):
        (card,) = sandbox.seed_cards(1)
        file = tmp_path / "cards.jsonl"
        file.write_text(json.dumps({"card_ref": card, "good thru": "12/31"}) + "\n")

        arguments = ["--map", "payment_method_id=card_ref", "--expiry-column", "good_thru"]
        assert run(["bulk", "run", str(file), *arguments]) == 0
        assert sandbox.ledger.expiry_of(card) == ("12", "31")


def test_a_reader_that_has_gone_is_no_bug_of_ours(sandbox, write_csv, start):
    process = start("bulk", "run", write_csv(*sandbox.seed_cards(1)), "--json")
    process.stdout.close()
    process.stdout = None

    _, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert err.startswith("The job is cards-1, in ")
    assert len(err.splitlines()) == 1


def test_a_rate_that_is_no_number_is_wrong_usage(tmp_path, monkeypatch):
    monkeypatch.setenv("PERFECTPAY_API_KEY", "snd_key")
    path = tmp_path / "cards.csv"
    path.write_text("payment_method_id,exp_month,exp_year\npm_1,3,2031\n")
    arguments = ["bulk", "run", str(path), "--base-url", "http://127.0.0.1:9", "--rate", "nan"]
    assert run(arguments) == 2
