"""JSON text to values and back, strictly: what RFC 8259 allows and nothing more.

With the extra `speed`, orjson reads. It is as strict in all but two things: of two equal keys it
takes the last, and numbers that no float holds it rounds. So what it made is written again, which
takes a third of the time of reading: only if that is the text to the last byte, it is taken.
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

try:
    import orjson
except ImportError:  # the extra is not installed
    orjson = None  # type: ignore[assignment]

from .errors import InvalidRequestError, ResponseDecodingError
from .secrets import MaskedBytes


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("not a JSON number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Of two equal keys one reader takes the first and another the last: whoever can put a second
    # one in could make them see different answers.
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key occurs twice")
    return value


_WHITE_SPACE: Final = " \t\r\n"

# json.dumps and json.loads would make these anew on each call.
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_unique)


def encode_json(value: object) -> MaskedBytes:
    """Return `value` as compact UTF-8 JSON with a masked `repr`.

    Raises:
        InvalidRequestError: A part of the value has no JSON form: a type that JSON does not know,
            NaN, an infinity, a cycle. The message never quotes the value.
    """
    try:
        return MaskedBytes(_ENCODER.encode(value).encode())
    except (TypeError, ValueError, RecursionError):
        del value  # it may hold a card number, and this frame is about to enter a traceback
    raise InvalidRequestError("the body must consist of values that JSON has", field="json")


def decode_json(body: bytes) -> Any:
    """Return the value of a JSON body.

    Raises:
        ResponseDecodingError: It is not UTF-8, not JSON, nested too deeply, or holds NaN, an
            infinity or a key twice. The message never quotes the body.
    """
    try:
        return _parse(body)
    except UnicodeDecodeError:
        problem = "is not UTF-8"
    except RecursionError:
        problem = "is nested too deeply"
    except ValueError:
        problem = "is not valid JSON" if body.strip() else "is empty"
    del body  # it may hold a client secret, and this frame is about to enter a traceback
    raise ResponseDecodingError(f"the body of the answer {problem}")


def _parse(body: bytes) -> Any:
    if orjson is not None:
        try:
            value = orjson.loads(body)
            if orjson.dumps(value) == body:
                return value
        except (ValueError, TypeError):
            pass  # what is wrong with it is said below
    text = body.decode().strip(_WHITE_SPACE)
    # `decode` would look for white space with two regular expressions.
    value, end = _DECODER.raw_decode(text)
    if end != len(text):
        raise ValueError("text after the value")
    return value
