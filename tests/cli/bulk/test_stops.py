from __future__ import annotations

import json

from perfectpay_async.sandbox import Fault
from tests.cli.bulk.commands import UPDATE, bulk, updates


class TestSafetyStops:
    def test_too_many_failures_are_5(self, sandbox, write_csv, capsys):
        ids = sandbox.seed_cards(600)
        sandbox.faults.add(Fault.status(400, probability=0.3, operation=UPDATE))
        sandbox.faults.add(Fault.latency(0.02))

        assert bulk("run", write_csv(*ids), "--rate", "off", "--concurrency", 8) == 5

        err = capsys.readouterr().err
        assert "rows failed, which is more than 5.0%" in err
        assert "Go on with" in err
        assert len(updates(sandbox)) < 500

    def test_an_outage_is_5(self, sandbox, write_csv, capsys):
        ids = sandbox.seed_cards(5_000)
        sandbox.faults.add(Fault.status(503, operation=UPDATE))

        options = ["--attempts", 1, "--max-outage", "0.3", "--max-failures", 1, "--rate", "off"]
        assert bulk("run", write_csv(*ids), *options, "--concurrency", 2) == 5

        assert "the server has not carried anything out for" in capsys.readouterr().err
        assert len(updates(sandbox)) < 5_000

    def test_the_time_is_up(self, sandbox, write_csv, capsys):
        ids = sandbox.seed_cards(500)
        sandbox.faults.add(Fault.latency(0.05))

        options = ["--max-duration", "0.5", "--rate", "off", "--concurrency", 4]
        assert bulk("run", write_csv(*ids), *options, "--json") == 1
        account = json.loads(capsys.readouterr().out)
        assert 0 < account["ok"] < 500
        assert account["stopped_by"] is None

    def test_a_server_that_is_not_there_is_5_and_named(self, environment, write_csv, capsys):
        environment.setenv("PERFECTPAY_BASE_URL", "http://127.0.0.1:9")

        assert bulk("run", write_csv("pm_1", "pm_2"), "--max-outage", "0.5") == 5

        err = capsys.readouterr().err
        assert "(could not connect to the server (ClientConnectorError))" in err
        assert "'perfectpay doctor' looks for the cause" in err
