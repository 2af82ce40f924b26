"""Results on stdout: as lines for people, as JSON for programs.

Never shown are secrets, fields that this version does not know, and details of free form, which may
hold account numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, cast

import attrs
import click

from perfectpay_async.entities import Entity, OpenEnum
from perfectpay_async.secrets import Secret

_LEFT_OUT: Final = frozenset({"extra", "response", "bank_transfer", "wallet"})


def show(entity: Entity, *, as_json: bool) -> None:
    """Print a result: its fields as lines, or one JSON object on one line."""
    data = as_data(entity)
    if as_json:
        click.echo(json.dumps(data))
        return
    lines = list(_lines(data))
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        click.echo(f"{name:<{width}}  {value}")


def as_data(entity: Entity) -> dict[str, Any]:
    """Return what may be shown of an entity, as JSON has it; nulls are left out."""
    values = {
        field.name: _plain(getattr(entity, field.name))
        for field in attrs.fields(type(entity))
        if field.name not in _LEFT_OUT
    }
    return {name: value for name, value in values.items() if value is not None}


def printable(value: object) -> str:
    """Return a value of the server as one line that cannot steer a terminal."""
    text = value if isinstance(value, str) else json.dumps(value)
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _plain(value: object) -> Any:
    if isinstance(value, Entity):
        return as_data(value)
    if isinstance(value, Secret):
        return None
    if isinstance(value, OpenEnum):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, tuple):
        return [_plain(item) for item in cast("tuple[object, ...]", value)]
    return dict(cast("Mapping[str, object]", value)) if isinstance(value, Mapping) else value


def _lines(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in data.items():
        if isinstance(value, dict):
            yield from _lines(cast("dict[str, Any]", value), f"{prefix}{printable(name)}.")
        else:
            yield f"{prefix}{printable(name)}", printable(value)
