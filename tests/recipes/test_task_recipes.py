"""The recipes for task queues: a real Celery worker that forks, and taskiq's broker in memory."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from perfectpay_async import ClientClosedError
from perfectpay_async.sandbox import Fault
from tests.recipes.conftest import MISSING, recipe

UPDATE = "payment_methods.update"
ROOT = Path(__file__).parents[2]
CELERYCONFIG = """
broker_url = "filesystem://"
broker_transport_options = {{
    "data_folder_in": "{folder}",
    "data_folder_out": "{folder}",
    "control_folder": "{folder}/control",
}}
result_backend = "file://{folder}/results"
worker_hijack_root_logger = False
"""


@pytest.fixture
def celery(tmp_path, monkeypatch, perfectpay_env):
    """A Celery worker with two processes, and the task to send to it."""
    pytest.importorskip("celery", reason=MISSING)
    folder = tmp_path / "queue"
    (folder / "results").mkdir(parents=True)
    (folder / "control").mkdir()
    (tmp_path / "celeryconfig.py").write_text(CELERYCONFIG.format(folder=folder))
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("examples.recipes.celery_app", "celeryconfig"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    module = importlib.import_module("examples.recipes.celery_app")
    worker = subprocess.Popen(
        [
            *(sys.executable, "-m", "celery", "-A", "examples.recipes.celery_app", "worker"),
            *("--concurrency", "2", "--without-gossip", "--without-mingle", "--without-heartbeat"),
        ],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    ended = []

    def end():
        if not ended:
            worker.send_signal(signal.SIGTERM)
            ended.append(worker.communicate(timeout=60)[0])
        return ended[0]

    yield module.renew_card, end
    end()


def test_celery_runs_single_calls_in_processes_with_a_client_each(
    celery, perfectpay_sandbox, perfectpay_ledger, perfectpay_faults
):
    renew_card, end = celery
    cards = perfectpay_sandbox.seed_cards(4)
    perfectpay_faults.add(Fault.reset_after(operation=UPDATE, id=cards[0], times=4))
    results = [renew_card.delay(card, 12, 2036) for card in cards]
    gone = renew_card.delay("pm_gone", 12, 2036)
    assert [result.get(timeout=60) for result in results] == ["ok"] * 4
    assert gone.get(timeout=60) == "refused"
    assert all(perfectpay_ledger.expiry_of(card) == ("12", "36") for card in cards)
    output = end()
    assert "Unclosed" not in output
    assert perfectpay_sandbox.api_key not in output


@pytest.fixture
async def taskiq(perfectpay_env):
    module = recipe("taskiq_app", "taskiq")
    await module.broker.startup()
    yield module
    await module.broker.shutdown()


async def test_taskiq_runs_single_calls_with_the_client_of_the_worker(
    taskiq, perfectpay_sandbox, perfectpay_ledger, perfectpay_faults, caplog
):
    caplog.set_level(logging.INFO)
    lost, fine = perfectpay_sandbox.seed_cards(2)
    perfectpay_faults.add(Fault.reset_after(operation=UPDATE, id=lost, times=4))
    at_once = taskiq.renew_card.kicker().with_labels(delay=0.01)
    task = await at_once.kiq(lost, 12, 2036)
    assert (await task.wait_result(timeout=20)).return_value == "ok"
    assert perfectpay_ledger.expiry_of(lost) == ("12", "36")
    assert len(perfectpay_ledger.requests) == 5  # three attempts, and the message once more
    for card, result in ((fine, "ok"), ("pm_gone", "refused")):
        task = await at_once.kiq(card, 12, 2036)
        assert (await task.wait_result(timeout=20)).return_value == result
    client = taskiq.broker.state.perfectpay
    await taskiq.broker.shutdown()
    with pytest.raises(ClientClosedError):
        await client.payment_methods.retrieve(fine)
    assert perfectpay_sandbox.api_key not in caplog.text
