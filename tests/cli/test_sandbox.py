from __future__ import annotations

import signal
import socket
import urllib.request

import pytest

from perfectpay_async.cli.app import run


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_end_and_says_how_to_use_it(start, number):
    process = start("sandbox", "--port", "0", "--api-key", "snd_mine", "--cards", "3")
    lines = [process.stdout.readline().strip() for _ in range(9)]

    exports = dict(line.removeprefix("export ").split("=") for line in lines if "export" in line)
    assert exports["PERFECTPAY_API_KEY"] == "snd_mine"
    assert lines[0] == f"PerfectPay sandbox on {exports['PERFECTPAY_BASE_URL']} (Ctrl-C ends it)"
    assert lines[5] == "There is a customer, cus_1, and 3 other customers, each with a card."
    curl = lines[8].split()
    assert curl[:4] == ["curl", "-H", '"api-key:', 'snd_mine"']
    request = urllib.request.Request(curl[4], headers={"api-key": "snd_mine"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200
    assert curl[4].rpartition("/")[2] in lines[6]

    process.send_signal(number)
    out, err = process.communicate(timeout=60)

    assert (process.returncode, out, err) == (0, "", "")


def test_settings_reach_the_server(start):
    process = start("sandbox", "--port", "0", "--cards", "0", "--faults", "503=1")
    url = process.stdout.readline().split()[3]

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{url}/payment_methods/x", timeout=60)

    assert refused.value.code == 503
    refused.value.close()


def test_a_port_that_is_taken_is_2(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(["sandbox", "--port", str(port)]) == 2

    assert "the port cannot be used" in capsys.readouterr().err


def test_faults_that_cannot_be_read_are_2(capsys):
    assert run(["sandbox", "--faults", "503"]) == 2
    assert "NAME=PROBABILITY" in capsys.readouterr().err
