"""JSON text to values and back, strictly: what RFC 8259 allows and nothing more."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from .errors import ResponseDecodingError
from .secrets import MaskedBytes


def encode_json(value: object) -> MaskedBytes:
    """Return `value` as compact UTF-8 JSON with a masked `repr`.

    Raises:
        TypeError: A part of the value has no JSON form.
        ValueError: The value holds NaN, an infinity or a cycle.
    """
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return MaskedBytes(text.encode())


def decode_json(body: bytes) -> Any:
    """Return the value of a JSON body.

    Raises:
        ResponseDecodingError: It is not UTF-8, not JSON, nested too deeply, or holds NaN or an
            infinity. The message never quotes the body.
    """
    problem = ""
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        problem = "is not UTF-8"
    except RecursionError:
        problem = "is nested too deeply"
    except ValueError:
        problem = "is not valid JSON" if body.strip() else "is empty"
    del body  # it may hold a client secret, and this frame is about to enter a traceback
    raise ResponseDecodingError(f"the body of the answer {problem}")


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("not a JSON number")
