from __future__ import annotations

import json
from pathlib import Path

import pytest

from perfectpay_async.bulk.jobs import BulkJob, read_account
from perfectpay_async.sandbox import Fault
from tests.cli.bulk.commands import bulk, updates


class TestResume:
    def test_only_what_has_not_ended_is_sent(self, sandbox, write_csv, capsys):
        ids = sandbox.seed_cards(20)
        file = write_csv(*ids)
        assert bulk("run", file, "--limit", 7) == 1
        assert "13 rows have not ended. Go on with: perfectpay bulk run" in capsys.readouterr().err

        assert bulk("run", file, "--resume", "--json") == 0

        account = json.loads(capsys.readouterr().out)
        assert (account["job"], account["ok"], account["earlier"]) == ("cards-1", 20, 7)
        assert account["requests"] == 13
        assert sorted(r.payment_method_id for r in updates(sandbox)) == sorted(ids)

    def test_without_a_job_it_begins_one(self, sandbox, write_csv, capsys):
        assert bulk("run", write_csv(*sandbox.seed_cards(2)), "--resume") == 0
        assert "There is no job on this input yet" in capsys.readouterr().err

    def test_a_job_that_has_ended_has_nothing_to_do(self, sandbox, write_csv, capsys):
        file = write_csv(*sandbox.seed_cards(2))
        assert bulk("run", file) == 0

        assert bulk("run", file, "--resume", "--json") == 0
        account = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (account["ok"], account["requests"]) == (2, 0)

    def test_an_unfinished_job_is_not_begun_again_by_mistake(self, sandbox, write_csv, capsys):
        file = write_csv(*sandbox.seed_cards(4))
        assert bulk("run", file, "--limit", 1) == 1
        before = len(updates(sandbox))

        assert bulk("run", file) == 6
        assert "the job cards-1 on this input is not finished: 1 of 4" in capsys.readouterr().err
        assert len(updates(sandbox)) == before

    def test_one_that_was_superseded_cannot_be_resumed(self, sandbox, write_csv, jobs, capsys):
        file = write_csv(*sandbox.seed_cards(4))
        assert bulk("run", file, "--limit", 1) == 1
        assert bulk("run", file, "--supersede") == 0

        assert bulk("retry-failed", "cards-1") == 6
        assert "cards-1 has been replaced by cards-2" in capsys.readouterr().err
        keys = {request.idempotency_key for request in updates(sandbox)}
        assert len(keys) == 5  # the repeats of a new job are requests of their own

        assert bulk("status", "cards-1") == 0
        assert "cards-1: superseded by cards-2, cards.csv to" in capsys.readouterr().out
        assert bulk("status") == 0
        assert "superseded by cards-2" in capsys.readouterr().out
        assert bulk("status", "--json") == 0
        newer, older = json.loads(capsys.readouterr().out)["jobs"]
        assert (newer["state"], newer["superseded_by"]) == ("finished", None)
        assert (older["state"], older["superseded_by"]) == ("superseded", "cards-2")
        assert bulk("report", "cards-1") == 0
        shown = capsys.readouterr().out
        assert "generation 1, superseded by cards-2." in shown
        assert "nothing: the newer job cards-2 has replaced this one" in shown
        assert "--resume" not in shown

    def test_a_changed_file_is_refused(self, sandbox, write_csv, capsys):
        ids = sandbox.seed_cards(4)
        file = write_csv(*ids)
        assert bulk("run", file, "--limit", 2) == 1
        Path(file).write_text(Path(file).read_text().replace(",31", ",32"))
        before = len(updates(sandbox))

        assert bulk("run", file, "--resume") == 6
        assert "the input has been changed since the job cards-1" in capsys.readouterr().err
        assert len(updates(sandbox)) == before
        assert bulk("run", file, "--supersede") == 0

    def test_a_renamed_file_is_the_same_input(self, sandbox, write_csv):
        file = Path(write_csv(*sandbox.seed_cards(3)))
        assert bulk("run", file, "--limit", 1) == 1
        other = file.rename(file.with_name("other.csv"))

        assert bulk("run", other, "--resume") == 0
        assert len(updates(sandbox)) == 3

    def test_another_host_is_refused(self, sandbox, write_csv, environment, capsys):
        file = write_csv(*sandbox.seed_cards(3))
        assert bulk("run", file, "--limit", 1) == 1

        other = ["--base-url", "http://127.0.0.1:9"]
        assert bulk("run", file, "--resume", *other) == 6
        assert f"was begun with {sandbox.url}" in capsys.readouterr().err

    def test_other_columns_are_refused(self, sandbox, write_csv, capsys):
        file = write_csv(*sandbox.seed_cards(3))
        assert bulk("run", file, "--limit", 1) == 1

        assert bulk("run", file, "--resume", "--map", "payment_method_id=exp_year") == 6
        assert "was begun with another columns" in capsys.readouterr().err

    def test_what_the_job_was_begun_with_need_not_be_said_again(self, sandbox, tmp_path):
        ids = sandbox.seed_cards(3)
        file = tmp_path / "cards.csv"
        file.write_text("ref,exp\n" + "".join(f"{card},12/31\n" for card in ids))
        options = ["--map", "payment_method_id=ref", "--expiry-column", "exp"]
        assert bulk("run", file, "--limit", 1, *options, "--only-forward") == 1

        assert bulk("run", file, "--resume") == 0
        assert {sandbox.ledger.expiry_of(card) for card in ids} == {("12", "31")}
        looks = [r for r in sandbox.ledger.requests if r.operation == "payment_methods.retrieve"]
        assert len(looks) == 3

    def test_two_processes_cannot_have_one_job(self, sandbox, write_csv, jobs, capsys):
        file = write_csv(*sandbox.seed_cards(3))
        assert bulk("run", file, "--limit", 1) == 1

        with BulkJob(jobs / "cards-1.job"):
            assert bulk("run", file, "--resume") == 6
            assert "another process is running the job" in capsys.readouterr().err
            assert bulk("run", file, "--supersede") == 6
            assert "is being run" in capsys.readouterr().err
            assert read_account(jobs / "cards-1.job").running

    def test_after_a_refused_key_it_goes_on(self, sandbox, write_csv, environment, capsys):
        ids = sandbox.seed_cards(60)
        file = write_csv(*ids)
        sandbox.faults.add(Fault.latency(0.02))
        arrived, loop_key = sandbox.ledger.arrive, sandbox.api_key

        def revoke(entry):
            arrived(entry)
            if len(sandbox.ledger.requests) == 30:
                sandbox.api_key = "snd_another"

        environment.setattr(sandbox.ledger, "arrive", revoke)
        assert bulk("run", file, "--concurrency", 8, "--rate", "off") == 4
        # No more than those under way when the first refusal came.
        refused = [r for r in updates(sandbox) if r.status == 401]
        assert 1 <= len(refused) <= 8
        capsys.readouterr()

        sandbox.api_key = loop_key
        assert bulk("run", file, "--resume", "--json", "--rate", "off") == 0
        assert json.loads(capsys.readouterr().out)["ok"] == 60

    def test_shards_take_all_rows_once(self, sandbox, write_csv, capsys):
        ids = sandbox.seed_cards(40)
        file = write_csv(*ids)
        skipped = []
        for index in range(3):
            assert bulk("run", file, "--shard", f"{index}/3", "--json", "--rate", "inf") == 0
            skipped.append(json.loads(capsys.readouterr().out)["skipped"])

        assert sum(40 - count for count in skipped) == 40
        assert sorted(r.payment_method_id for r in updates(sandbox)) == sorted(ids)

    def test_a_job_goes_on_with_its_own_shard_alone(self, sandbox, write_csv, capsys):
        file = write_csv(*sandbox.seed_cards(40))
        assert bulk("run", file, "--limit", 3) == 1
        before = len(updates(sandbox))

        assert bulk("run", file, "--shard", "0/2", "--resume") == 6
        assert "cards-1 was begun with all rows, and not the shard 0/2" in capsys.readouterr().err
        assert len(updates(sandbox)) == before

    def test_and_so_does_a_job_on_a_shard(self, sandbox, write_csv, capsys):
        file = write_csv(*sandbox.seed_cards(40))
        assert bulk("run", file, "--shard", "0/2", "--limit", 3) == 1

        for other in ([], ["--shard", "0/3"]):
            assert bulk("run", file, "--resume", *other) == 6
            assert "cards-1 was begun with the shard 0/2" in capsys.readouterr().err
        assert bulk("run", file, "--resume", "--shard", "0/2") == 0

    @pytest.mark.parametrize("text", ["3/3", "-1/3", "x", "1", "0/0"])
    def test_a_shard_that_does_not_exist_is_2(self, write_csv, text):
        assert bulk("run", write_csv("pm_1"), "--shard", text) == 2

    def test_a_dry_run_knows_the_limit_and_the_shard(self, sandbox, write_csv, capsys):
        file = write_csv(*sandbox.seed_cards(30))

        assert bulk("run", file, "--dry-run", "--limit", 10) == 0
        assert capsys.readouterr().out == f"10 rows would be sent to {sandbox.url}\n"
        assert bulk("run", file, "--dry-run", "--shard", "0/4") == 0
        assert capsys.readouterr().out.endswith(", those of the shard 0/4 alone\n")
        assert bulk("run", file, "--dry-run", "--json", "--shard", "0/4", "--limit", 40) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["to_send"], said["shard"]) == (30, "0/4")

    def test_a_dry_run_sends_nothing(self, sandbox, write_csv, jobs, capsys):
        file = write_csv(*sandbox.seed_cards(3), "pm_x,13,31")

        assert bulk("run", file, "--dry-run") == 0
        assert f"3 rows would be sent to {sandbox.url}" in capsys.readouterr().out
        assert bulk("run", file, "--limit", 1) == 1
        assert bulk("run", file, "--dry-run", "--resume", "--json") == 0
        said = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (said["to_send"], said["job"]) == (3, "cards-1")
        assert len(updates(sandbox)) == 1

    def test_to_go_on_and_to_give_up_is_2(self, write_csv, capsys):
        assert bulk("run", write_csv("pm_1"), "--resume", "--supersede") == 2
        assert "not both" in capsys.readouterr().err

    def test_a_journal_that_cannot_be_read_is_never_passed_over(
        self, sandbox, write_csv, jobs, capsys
    ):
        file = write_csv(*sandbox.seed_cards(3))
        assert bulk("run", file, "--limit", 1) == 1
        (jobs / "cards-1.job").write_bytes(b"nothing that SQLite knows" * 100)
        capsys.readouterr()

        assert bulk("run", file) == 7
        assert bulk("run", file, "--resume") == 7
        assert "it could be of a job on this input" in capsys.readouterr().err
        assert bulk("status") == 0
        assert "Left out: the journal" in capsys.readouterr().err
        assert len(updates(sandbox)) == 1
