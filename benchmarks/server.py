"""The neutral server: nginx where it is installed, else a raw asyncio protocol, on its own core.

It says the same whatever it is asked, but for the id, so its speed is nobody's advantage:
`/failing/...` answers one request in a hundred with 503, and the same is there over TLS.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import trustme

from .answers import ANSWERS, FAILURE, ID

CLIENT_CORE: Final = 0
SERVER_CORE: Final = 1
_LONGEST_WORD: Final = 4_000  # in nginx's configuration; what is longer comes from a file


class Address(NamedTuple):
    """Where the server is."""

    kind: str
    url: str
    tls_url: str
    trust: ssl.SSLContext


def pin(core: int) -> None:
    """Stay on one core, where the machine has several and lets us choose."""
    if hasattr(os, "sched_setaffinity") and {CLIENT_CORE, SERVER_CORE} <= os.sched_getaffinity(0):
        os.sched_setaffinity(0, {core})


@contextmanager
def running() -> Iterator[Address]:
    """Run the server in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        folder = Path(name)
        authority = trustme.CA()
        certificate = authority.issue_cert("localhost")
        certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "tls.pem"))
        trust = ssl.create_default_context()
        authority.configure_trust(trust)
        port, tls_port = _free_ports()
        address = (f"http://127.0.0.1:{port}", f"https://localhost:{tls_port}")
        if shutil.which("nginx"):
            (folder / "nginx.conf").write_text(_nginx(folder, port, tls_port))
            command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
            process = subprocess.Popen(_pinned(command), stderr=subprocess.DEVNULL)
            try:
                _wait_for(tls_port)
                yield Address("nginx", *address, trust)
            finally:
                process.terminate()
                process.wait()
        else:
            child = multiprocessing.get_context("spawn").Process(
                target=_serve, args=(port, tls_port, str(folder / "tls.pem")), daemon=True
            )
            child.start()
            try:
                _wait_for(tls_port)
                yield Address("asyncio protocol", *address, trust)
            finally:
                child.terminate()
                child.join()


def _pinned(command: list[str]) -> list[str]:
    several = hasattr(os, "sched_getaffinity") and SERVER_CORE in os.sched_getaffinity(0)
    return ["taskset", "-c", str(SERVER_CORE), *command] if several else command


def _free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


def _wait_for(port: int) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


def _nginx(folder: Path, port: int, tls_port: int) -> str:
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    locations = ""
    for path, body in ANSWERS.items():
        answer = f"return 200 '{body.decode().replace(ID, '$id')}';"
        if len(body) > _LONGEST_WORD:
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_bytes(body)
            answer = f"root {folder}; try_files /{path} =404;"
        locations += (
            f"location ~ ^(?:/v1)?/{path}[/_](?<id>[^/]+) {{ {answer} }}\n"
            f"location ~ ^/failing(?:/v1)?/{path}[/_](?<id>[^/]+) {{\n"
            f"  if ($fails) {{ return 503 '{FAILURE.decode()}'; }}\n  {answer}\n}}\n"
        )
    return f"""
daemon off; master_process off; worker_processes 1;
pid {folder}/pid; error_log /dev/null;
events {{ worker_connections 8192; }}
http {{
access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
default_type application/json;
large_client_header_buffers 4 32k;
{temporary}
split_clients $request_id $fails {{ 1% 1; * 0; }}
server {{
listen 127.0.0.1:{port} backlog=4096;
listen 127.0.0.1:{tls_port} ssl backlog=4096;
ssl_certificate {folder}/tls.pem; ssl_certificate_key {folder}/tls.pem;
{locations}
}}
}}
"""


class _Protocol(asyncio.Protocol):
    """Answers each request that arrives; a request here always fits into one packet."""

    seen = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not isinstance(self._transport, asyncio.Transport) or b" HTTP/1.1\r\n" not in data:
            return  # the body of a request, which came by itself
        target = data.split(b" ", 2)[1].decode().removeprefix("/failing").removeprefix("/v1")
        body = next(body for path, body in ANSWERS.items() if target[1:].startswith(path))
        body = body.replace(ID.encode(), target.split("/")[2].encode())
        status = "200 OK"
        _Protocol.seen += 1
        if b" /failing/" in data and _Protocol.seen % 100 == 0:
            status, body = "503 Service Unavailable", FAILURE
        self._transport.write(
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )


def _serve(port: int, tls_port: int, certificate: str) -> None:
    pin(SERVER_CORE)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        plain = await loop.create_server(_Protocol, "127.0.0.1", port, backlog=4096)
        await loop.create_server(_Protocol, "127.0.0.1", tls_port, ssl=context, backlog=4096)
        await plain.serve_forever()

    asyncio.run(run())
