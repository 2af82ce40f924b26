"""RabbitMQ, PostgreSQL and Redis for tests: real ones, each on a loopback port of its own.

All they write goes to a temporary directory, and they end with the context. `python -m
tests.fleet.servers` starts all three for as long as you like, to try a fleet out on one machine.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

PATIENCE = 60.0
"""Seconds that a server has to start on a busy machine."""


def free_port() -> int:
    """Return a port that nobody listens on, and that no outgoing connection takes meanwhile."""
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class ServerMissingError(Exception):
    """The server is not installed; the message says what to install."""


class Server:
    """A server in a process of its own; a context manager.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        directory: Where its files are.
    """

    name: ClassVar[str]
    programs: ClassVar[Sequence[Path | str]]

    def __init__(self) -> None:
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix=f"fleet-{self.name}-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._log = self.directory / "output.log"
        self._said_before = 0

    @classmethod
    def missing(cls) -> str:
        """Return why it cannot be started here; empty when it can."""
        if cls._program() is None:
            return f"{cls.name} is not installed; .ci/servers installs it"
        return ""

    @classmethod
    def _program(cls) -> str | None:
        for program in cls.programs:
            if found := shutil.which(str(program)):
                return found
        return None

    def __enter__(self) -> Self:
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self) -> None:
        """Start it, and wait until it answers. Also after `kill`: it finds its files again."""
        program = self._program()
        if program is None:
            raise ServerMissingError(self.missing())
        with self._log.open("ab") as log:
            self._said_before = log.tell()
            self._process = subprocess.Popen(
                self.command(program),
                cwd=self.directory,
                env={**os.environ, **self.environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._await(self.answers)

    def kill(self) -> None:
        """Kill it as a crash would: SIGKILL, to all of its processes."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _await(self, ready: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not ready():
            ended = self._process is not None and self._process.poll() is not None
            if ended or time.monotonic() > end:
                raise RuntimeError(f"{self.name} does not start:\n{self._said()[-2000:]}")
            time.sleep(0.05)

    def _said(self) -> str:
        """Return what it has said since it was started."""
        return self._log.read_bytes()[self._said_before :].decode(errors="replace")

    def _accepts(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def prepare(self) -> None:
        """Make its files."""

    def command(self, program: str) -> Sequence[str]:
        """Return the command that runs it in the foreground."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """Return what its environment must have."""
        return {}

    def answers(self) -> bool:
        """Return whether it can be used."""
        return self._accepts()


class Redis(Server):
    """A Redis that keeps nothing on the disk."""

    name = "redis-server"
    programs = ("redis-server",)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self, program: str) -> Sequence[str]:
        return [
            *(program, "--bind", "127.0.0.1", "--port", str(self.port)),
            *("--save", "", "--appendonly", "no"),
        ]


class Postgres(Server):
    """A PostgreSQL with the usual durability."""

    name = "postgresql"
    programs = (
        "postgres",
        *(f"/usr/lib/postgresql/{version}/bin/postgres" for version in (17, 16, 15, 14)),
    )

    @property
    def url(self) -> str:
        """Where it is; no password is asked for on the loopback."""
        return f"postgresql://fleet@127.0.0.1:{self.port}/postgres"

    def prepare(self) -> None:
        # It refuses to run as root.
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres", "postgres")
        program = self._program()
        if program is None:
            raise ServerMissingError(self.missing())
        initdb = Path(program).with_name("initdb")
        subprocess.run(
            self._as_user(
                [
                    *(str(initdb), "--pgdata", str(self.directory / "data"), "--username", "fleet"),
                    *("--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
                ]
            ),
            cwd=self.directory,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def command(self, program: str) -> Sequence[str]:
        return self._as_user(
            [
                *(program, "-D", str(self.directory / "data"), "-p", str(self.port)),
                *("-h", "127.0.0.1", "-k", str(self.directory)),
            ]
        )

    def answers(self) -> bool:
        return "ready to accept connections" in self._said()  # the recovery is over

    @staticmethod
    def _as_user(command: list[str]) -> list[str]:
        if os.geteuid() != 0:
            return command
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *command]


class RabbitMq(Server):
    """A RabbitMQ node that nothing but this machine can reach."""

    name = "rabbitmq-server"
    programs = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server")

    def __init__(self) -> None:
        super().__init__()
        self._epmd, self._dist = free_port(), free_port()

    @property
    def url(self) -> str:
        """Where it is, with the user that it allows on the loopback."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def prepare(self) -> None:
        (self.directory / "enabled_plugins").write_text("[].\n")
        (self.directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.console = true\nlog.file = false\n"
            "disk_free_limit.absolute = 50MB\n"
        )

    def environment(self) -> Mapping[str, str]:
        here = str(self.directory)
        loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
        return {
            "HOME": here,
            "RABBITMQ_NODENAME": f"fleet{self.port}@localhost",
            "RABBITMQ_CONFIG_FILE": f"{here}/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{here}/enabled_plugins",
            "RABBITMQ_MNESIA_BASE": f"{here}/mnesia",
            "RABBITMQ_LOG_BASE": f"{here}/log",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": f"{here}/pid",
            "RABBITMQ_DIST_PORT": str(self._dist),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{loopback} +S 1:1 +sbwt none",
            "RABBITMQ_CTL_ERL_ARGS": loopback,
            "ERL_EPMD_PORT": str(self._epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def command(self, program: str) -> Sequence[str]:
        return [program]

    def answers(self) -> bool:
        return "Server startup complete" in self._said()

    def kill(self) -> None:
        super().kill()
        # The port mapper of Erlang is a daemon of its own, and has left the process group.
        for pid in _children_with(f"ERL_EPMD_PORT={self._epmd}"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _children_with(setting: str) -> list[int]:
    """Return the processes that were started with that setting in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if setting.encode() in entry.read_bytes().split(b"\0"):
                found.append(int(entry.parent.name))
    return found


def main() -> None:
    """Start all three, and say how to use them; end them with this process."""
    for number in _ENDS:
        signal.signal(number, _end)
    with (
        contextlib.suppress(KeyboardInterrupt),
        RabbitMq() as broker,
        Postgres() as ledger,
        Redis() as redis,
    ):
        print("# RabbitMQ, PostgreSQL and Redis on this machine; Ctrl-C ends them.", flush=True)
        print(f"export PERFECTPAY_FLEET_BROKER={broker.url}")
        print(f"export PERFECTPAY_FLEET_LEDGER={ledger.url}")
        print(f"export PERFECTPAY_FLEET_REDIS={redis.url}", flush=True)
        signal.pause()


def _end(*_: object) -> None:
    for number in _ENDS:
        signal.signal(number, signal.SIG_IGN)  # another one would leave servers behind
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
