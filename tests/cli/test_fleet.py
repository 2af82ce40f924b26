"""The fleet's commands as far as they need no broker; `tests/fleet` has them at work."""

from __future__ import annotations

import asyncio
import json

import attrs
import pytest
from yarl import URL

from perfectpay_async.bulk import BulkJob, JobRefused, RowResult, Verdict
from perfectpay_async.cli.app import run
from perfectpay_async.fleet import FleetSettings, WorkerFacts, enter_job, open_ledger, plan_job
from perfectpay_async.fleet.export import export_journal
from perfectpay_async.fleet.records import Taken

BROKER = "amqp://guest:s3cret@127.0.0.1:9/"


@pytest.fixture
def ledger(environment, tmp_path):
    path = tmp_path / "fleet.db"
    environment.setenv("PERFECTPAY_FLEET_LEDGER", str(path))
    environment.setenv("PERFECTPAY_FLEET_BROKER", BROKER)
    return str(path)


def enter(ledger, file):
    async def main():
        opened = open_ledger(ledger)
        try:
            await opened.prepare()
            plan = plan_job(FleetSettings(location=file, format="csv"))
            return await enter_job(opened, plan, URL("http://127.0.0.1:9/"))
        finally:
            await opened.close()

    return asyncio.run(main())


async def finish(ledger, job, export=None):
    """Let one row of two be applied, and the other not."""
    opened = open_ledger(ledger)
    try:
        worker = WorkerFacts(id="one", name="one", version="1", rate=None)
        await opened.join(worker, 30.0, instead_of=None)
        (message,) = await opened.to_enqueue(job, window=1, stale=None)
        taken = await opened.take("one", message)
        assert isinstance(taken, Taken)
        taken.state.mark(0, Verdict.OK)
        taken.state.mark(1, Verdict.REJECTED)
        result = RowResult(3, "pm_gone", Verdict.REJECTED, attempts=1, message="not there")
        await opened.save(taken, taken.state, [(1, result, 1.0)], requests=2, retried=0)
        if export is not None:
            await export_journal(opened, job, export)
    finally:
        await opened.close()


class TestWhatIsMissing:
    @pytest.mark.parametrize("command", [["status"], ["stop", "1"], ["submit", "x"]])
    def test_the_addresses_are_asked_for(self, command, environment, capsys):
        environment.delenv("PERFECTPAY_FLEET_LEDGER", raising=False)
        environment.delenv("PERFECTPAY_FLEET_BROKER", raising=False)
        assert run(["fleet", *command]) == 2
        assert "is not set; 'perfectpay fleet --help' says what it holds" in capsys.readouterr().err

    def test_an_address_that_is_none(self, ledger, environment, capsys):
        environment.setenv("PERFECTPAY_FLEET_LEDGER", "mysql://root:s3cret@host/x")
        assert run(["fleet", "status"]) == 2
        said = capsys.readouterr().err
        assert "the ledger is postgresql://user@host/database" in said
        assert "s3cret" not in said

    def test_a_ledger_that_is_away(self, ledger, environment, capsys):
        environment.setenv("PERFECTPAY_FLEET_LEDGER", "postgresql://u:s3cret@127.0.0.1:9/x")
        assert run(["fleet", "status"]) == 7
        said = capsys.readouterr().err
        assert "the ledger cannot be reached" in said
        assert "s3cret" not in said

    def test_a_broker_that_is_away(self, ledger, write_csv, capsys):
        enter(ledger, write_csv("pm_1"))
        assert run(["fleet", "reconcile", "1"]) == 7
        said = capsys.readouterr().err
        assert "the broker cannot be reached" in said
        assert "s3cret" not in said


class TestSubmit:
    def test_a_bad_input_is_refused_before_anything_is_entered(self, ledger, write_csv, capsys):
        assert run(["fleet", "submit", write_csv("pm_1", "pm_1")]) == 3
        assert "leave one row for each card" in capsys.readouterr().err
        assert run(["fleet", "status"]) == 0
        assert "There are no jobs in the ledger." in capsys.readouterr().out

    def test_nobody_can_be_asked(self, ledger, write_csv, environment, capsys):
        environment.setenv("PERFECTPAY_BASE_URL", "https://api.test")
        assert run(["fleet", "submit", write_csv("pm_1")]) == 2
        assert "say --yes to change cards there" in capsys.readouterr().err

    def test_parquet(self, ledger, capsys):
        assert run(["fleet", "submit", "x.parquet"]) == 3
        assert "save the Parquet file as CSV" in capsys.readouterr().err


class TestStatus:
    def test_jobs_and_workers(self, ledger, write_csv, capsys):
        job = enter(ledger, write_csv("pm_1", "pm_2"))
        assert run(["fleet", "status", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["schema"], found["workers"]) == (1, [])
        (said,) = found["jobs"]
        assert (said["job"], said["id"], said["state"]) == (1, job.facts.id, "open")
        assert (said["rows"], said["remaining"], said["chunks"], said["done"]) == (2, 2, 1, 0)
        assert run(["fleet", "status", "1"]) == 0
        assert "cards.csv" in capsys.readouterr().out

    def test_there_is_no_such_job(self, ledger, capsys):
        assert run(["fleet", "status", "7"]) == 6
        assert "there is no job 7" in capsys.readouterr().err

    def test_watch_and_json(self, ledger):
        assert run(["fleet", "status", "--watch", "--json"]) == 2

    def test_a_job_is_stopped(self, ledger, write_csv, capsys):
        enter(ledger, write_csv("pm_1"))
        assert run(["fleet", "stop", "1"]) == 0
        assert run(["fleet", "status", "--json"]) == 0
        out = capsys.readouterr().out
        (said,) = json.loads(out[out.index("{") :])["jobs"]
        assert (said["state"], said["reason"]) == ("stopped", "it was stopped by an operator")
        assert run(["fleet", "stop", "1"]) == 0
        assert capsys.readouterr().out == "Job 1 was stopped already.\n"

    def test_a_job_that_has_finished_is_not(self, ledger, write_csv, capsys):
        asyncio.run(finish(ledger, enter(ledger, write_csv("pm_1", "pm_gone"))))
        assert run(["fleet", "stop", "1"]) == 0
        said = capsys.readouterr().out
        assert said == "Job 1 had finished already; there was nothing to stop.\n"
        assert run(["fleet", "status", "--json"]) == 0
        (job,) = json.loads(capsys.readouterr().out)["jobs"]
        assert (job["state"], job["requests"], job["requests_at_least"]) == ("finished", 2, False)
        assert 0 <= job["seconds"] < 60


def test_an_export_is_read_by_the_commands_of_one_machine(
    ledger, write_csv, environment, tmp_path, capsys
):
    job = enter(ledger, write_csv("pm_1", "pm_gone"))

    asyncio.run(finish(ledger, job, tmp_path / "jobs" / "cards-fleet-1.job"))
    assert run(["bulk", "status", "cards-fleet-1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["state"], said["ok"], said["rejected"]) == ("finished", 1, 1)
    assert run(["bulk", "report", "cards-fleet-1"]) == 0
    assert "not there" in capsys.readouterr().out
    assert run(["bulk", "dead-letter", "cards-fleet-1"]) == 0
    dead = capsys.readouterr().out
    assert "pm_gone" in dead
    assert "pm_1," not in dead


def test_no_job_of_one_machine_is_run_beside_that_of_a_fleet(
    ledger, write_csv, tmp_path, capsys, environment
):
    file = write_csv("pm_1")
    job = enter(ledger, file)
    path = tmp_path / "jobs" / "cards-fleet-1.job"
    environment.setenv("PERFECTPAY_BASE_URL", job.facts.host)

    async def export():
        opened = open_ledger(ledger)
        try:
            path.parent.mkdir(exist_ok=True)
            return await export_journal(opened, job, path)
        finally:
            await opened.close()

    assert asyncio.run(export())
    for command in (["run", file], ["run", file, "--resume"], ["retry-failed", "cards-fleet-1"]):
        assert run(["bulk", *command]) == 6
        assert "is that of a fleet" in capsys.readouterr().err
    with pytest.raises(JobRefused, match="perfectpay fleet reconcile"):
        BulkJob(path)


def test_an_export_that_was_gone_on_with_is_not_replaced(ledger, write_csv, tmp_path):
    job = enter(ledger, write_csv("pm_1"))
    path = tmp_path / "job.job"

    async def export(exported):
        opened = open_ledger(ledger)
        try:
            return await export_journal(opened, exported, path)
        finally:
            await opened.close()

    assert asyncio.run(export(job))
    assert asyncio.run(export(job))  # the same again
    newer = attrs.evolve(job, facts=attrs.evolve(job.facts, generation=2))
    assert not asyncio.run(export(newer))
