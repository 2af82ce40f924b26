"""What a decoded JSON value is."""

from __future__ import annotations

from typing import Any, Final, TypeGuard

_NAMES: Final[dict[type, str]] = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def name_of(value: object) -> str:
    """Return what JSON calls the kind of this value, for error messages."""
    return _NAMES[type(value)]


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Return whether the value is a JSON object."""
    return type(value) is dict


def is_array(value: object) -> TypeGuard[list[Any]]:
    """Return whether the value is a JSON array."""
    return type(value) is list
