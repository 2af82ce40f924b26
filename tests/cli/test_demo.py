from __future__ import annotations

import signal
from pathlib import Path

import pytest

from perfectpay_async.cli.app import run
from perfectpay_async.sandbox import Ledger
from tests.cli.bulk.commands import wait_for

PROOF = "Proof, from the server's own ledger:"
ARRIVE, APPLY = Ledger.arrive, Ledger.apply
QUICK = (
    "503=0.05,429=0.05:retry_after=0,reset_before=0.05,reset_after=0.05,latency=0.05:seconds=0.01"
)


def test_it_proves_what_it_says(capfd):
    # Half of them take longer than results are gathered for a commit: the kill comes after one.
    assert run(["demo", "--cards", "1000"]) == 0

    lines = capfd.readouterr().out.splitlines()
    assert lines[0].endswith("with 1,000 cards that expire in " + lines[0].rpartition(" ")[2])
    assert lines[2].startswith("Killed in the middle, after 5")
    assert lines[3] == "Resumed from the journal:"
    assert lines[5].endswith(" rows had ended in earlier runs")
    assert lines[7].split() == ["ok", "1,000"]
    proofs = [line.strip() for line in lines[lines.index(PROOF) + 1 :]]
    assert len(proofs) == 4
    assert all(proof.startswith("proven") for proof in proofs)
    assert proofs[0] == "proven  1,000 of 1,000 cards hold their new expiry"


def test_many_faults_change_nothing(capfd):
    assert run(["demo", "--cards", "300", "--faults", QUICK, "--seed", "3"]) == 0

    shown = capfd.readouterr().out
    for name in ("429", "503", "latency", "reset before applying", "reset after applying"):
        assert f" x {name}" in shown


def test_what_fails_is_not_called_proven(capfd):
    assert run(["demo", "--cards", "20", "--faults", "400=0.5"]) == 1

    shown = capfd.readouterr()
    assert "FALSE" in shown.out
    assert "rejected: the server answered 400" in shown.err


def wrong_expiry(_ledger, _card):
    return ("01", "40")


def two_at_once(ledger, request):
    ARRIVE(ledger, request)
    ledger.max_in_flight_per_id = 2


def strange_write(ledger, request, card, values, **facts):
    APPLY(ledger, request, card, {**values, "exp_year": "99"}, **facts)
    APPLY(ledger, request, card, values, **facts)


@pytest.mark.parametrize(
    ("method", "truth", "sentence"),
    [
        ("expiry_of", wrong_expiry, "0 of 20 cards hold their new expiry"),
        ("arrive", two_at_once, "never two requests were under way for one card"),
        ("apply", strange_write, "nothing was written but what the file says"),
    ],
)
def test_the_proof_believes_the_ledger_alone(method, truth, sentence, capfd, monkeypatch):
    monkeypatch.setattr(Ledger, method, truth)

    assert run(["demo", "--cards", "20", "--faults", ""]) == 1
    assert f"FALSE   {sentence}" in capfd.readouterr().out


def catches(pid, number):
    """Whether a process handles a signal, which for SIGTERM is no default of Python's."""
    status = Path(f"/proc/{pid}/status").read_text().split()
    return bool(int(status[status.index("SigCgt:") + 1], 16) >> (number - 1) & 1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks into /proc")
def test_ctrl_c_ends_it_unproven(start):
    process = start("demo", "--cards", "200", "--faults", "latency=1:seconds=3")
    # From then on it hands a signal to the run, which has hardly begun.
    wait_for(lambda: catches(process.pid, signal.SIGTERM))

    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "FALSE" in out
