"""Parts that request bodies have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perfectpay_async.errors import InvalidRequestError
from perfectpay_async.jsontext import encode_json


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that have a value: to the server, null is the same as absent."""
    return {name: value for name, value in fields.items() if value is not None}


def json_object(name: str, value: Mapping[str, object]) -> dict[str, object]:
    """Return a mapping as a JSON object.

    Raises:
        InvalidRequestError: It is no mapping, or holds something that JSON does not have.
    """
    try:
        plain = dict(value)
        encode_json(plain)
    except (TypeError, ValueError, InvalidRequestError):
        pass
    else:
        return plain
    raise InvalidRequestError(f"{name} must be a mapping of values that JSON has", field=name)
