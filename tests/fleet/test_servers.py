"""The command that starts the servers to try a fleet out."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress

import pytest

from tests.fleet.servers import Postgres, RabbitMq, Redis


def answers(port):
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_servers_end_with_the_command(number):
    for kind in (RabbitMq, Postgres, Redis):
        if reason := kind.missing():
            pytest.skip(reason)
    command = [sys.executable, "-m", "tests.fleet.servers"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = "".join(process.stdout.readline() for _ in range(4))
            ports = [int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", said)]
            assert len(ports) == 3
            assert all(map(answers, ports))
            process.send_signal(number)
            process.send_signal(number)  # somebody who is impatient
            assert process.wait(60) == 0
            assert not any(map(answers, ports))
        finally:
            process.kill()
