"""What a fault does to an answer: above HTTP by another answer, below it on the bare socket."""

from __future__ import annotations

import asyncio
import socket
import struct
import zlib
from collections.abc import Awaitable, Callable
from typing import Final

from .answers import Answer, plain, refused
from .faults import Fault

_SERVER_ERROR: Final = range(500, 600)
_BLOCK: Final = bytes(1_000_000)


def spoiled_answer(fault: Fault, answer: Answer) -> Answer | None:
    """Return what is answered instead, or None when the fault works below HTTP."""
    match fault.kind:
        case "latency":
            return answer
        case "status":
            return _status_answer(fault)
        case "redirect":
            return plain(fault.status_code, "", Location=fault.location)
        case "bad_json":
            return Answer(200, b'{"payment_method_id": "pm_', {})
        case "gzip_bomb":
            return Answer(200, _bomb(fault.size), {"Content-Encoding": "gzip"})
        case _:
            return None


async def break_connection(
    transport: asyncio.Transport,
    fault: Fault,
    answer: Answer,
    pause: Callable[[float], Awaitable[None]],
) -> None:
    """Write what the fault lets through, and drop the connection.

    Args:
        transport: The connection.
        fault: What goes wrong.
        answer: What would have been answered.
        pause: Waits so many seconds, or until the server stops.
    """
    body = answer.body
    head = (
        f"HTTP/1.1 {answer.status} OK\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    match fault.kind:
        case "reset_before" | "reset_after":
            _reset(transport)
            return
        case "raw":
            transport.write(fault.body or b"")
        case "truncate":
            transport.write(head + body[: len(body) // 2])
        case "stall":
            transport.write(head if fault.applied else b"")
            await pause(fault.seconds)
        case _:
            transport.write(head)
            for place in range(len(body)):
                if transport.is_closing():
                    break
                transport.write(body[place : place + 1])
                await pause(fault.seconds)
    transport.close()


def _status_answer(fault: Fault) -> Answer:
    if fault.body is not None:
        answer = plain(fault.status_code, fault.body.decode(errors="replace"))
    elif fault.status_code in _SERVER_ERROR:
        answer = refused(fault.status_code, "HE_00", "Something went wrong", "api").answer
    else:
        answer = plain(fault.status_code, "")
    if fault.retry_after is not None:
        answer.headers["Retry-After"] = fault.retry_after
    return answer


def _bomb(size: int) -> bytes:
    squeeze = zlib.compressobj(9, wbits=31)
    parts = [squeeze.compress(_BLOCK) for _ in range(size // len(_BLOCK))]
    parts += [squeeze.compress(_BLOCK[: size % len(_BLOCK)]), squeeze.flush()]
    return b"".join(parts)


def _reset(transport: asyncio.Transport) -> None:
    """Drop the connection with a TCP reset instead of an orderly end."""
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
