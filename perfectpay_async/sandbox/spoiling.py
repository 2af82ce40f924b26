"""What a fault does to an answer: above HTTP by another answer, below it on the bare socket."""

from __future__ import annotations

import asyncio
import socket
import struct
import zlib
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from .answers import JSON, TEXT, Answer, plain, server_error
from .faults import Fault

_SERVER_ERRORS: Final = range(500, 600)
_BLOCK: Final = 1_000_000


def spoiled_answer(fault: Fault, answer: Answer) -> Answer | None:
    """Return what is answered instead, or None when the fault works below HTTP.

    Args:
        fault: What goes wrong.
        answer: What would have been answered.
    """
    match fault.kind:
        case "latency":
            return answer
        case "status":
            return _status_answer(fault)
        case "redirect":
            return plain(fault.status_code, "", {"Location": fault.location})
        case "bad_json":
            return Answer(200, b'{"payment_method_id": "pm_')
        case "gzip_bomb":
            return Answer(200, _bomb(fault.size), {"Content-Encoding": "gzip"})
        case _:
            return None


async def break_connection(
    transport: asyncio.Transport, fault: Fault, answer: Answer, headers: Mapping[str, str]
) -> None:
    """Write what the fault lets through, and drop the connection.

    Args:
        transport: The connection.
        fault: What goes wrong.
        answer: What would have been answered.
        headers: Its headers, but for Content-Length.
    """
    body = answer.body
    head = _head(
        answer.status, {**headers, "Content-Length": str(len(body)), "Connection": "close"}
    )
    match fault.kind:
        case "reset_before" | "reset_after":
            _reset(transport)
        case "truncate":
            transport.write(head + body[: len(body) // 2])
        case "stall":
            if fault.applied and not fault.silent:
                transport.write(head)
            await asyncio.sleep(fault.seconds)
        case "drip":
            transport.write(head)
            for place in range(len(body)):
                await asyncio.sleep(fault.seconds)
                transport.write(body[place : place + 1])
        case _:
            transport.write(fault.body or b"")
    transport.close()


def _status_answer(fault: Fault) -> Answer:
    headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
    if fault.body is not None:
        content_type = JSON if fault.body[:1] in {b"{", b"["} else TEXT
        return Answer(fault.status_code, fault.body, headers, content_type)
    if fault.status_code in _SERVER_ERRORS:
        body = server_error(fault.status_code).answer.body
        return Answer(fault.status_code, body, headers)
    return plain(fault.status_code, "", headers)


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


@lru_cache(maxsize=4)
def _bomb(size: int) -> bytes:
    squeeze = zlib.compressobj(9, wbits=31)
    block = bytes(_BLOCK)
    parts = [squeeze.compress(block) for _ in range(size // _BLOCK)]
    parts += [squeeze.compress(bytes(size % _BLOCK)), squeeze.flush()]
    return b"".join(parts)


def _reset(transport: asyncio.Transport) -> None:
    """Drop the connection with a TCP reset instead of an orderly end."""
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
