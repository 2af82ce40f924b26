"""The entities of this library as pydantic models, as equal to them as pydantic allows.

Frozen, unknown fields kept, secrets masked, enumerations that take any string: the fields are
taken from the attrs classes themselves.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Any

import attrs
from pydantic import BaseModel, ConfigDict, SecretStr, create_model

from perfectpay_async.entities import Entity, PaymentMethodList
from perfectpay_async.secrets import Secret

_CONFIG = ConfigDict(frozen=True, extra="allow")


def _model_of(cls: type) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for entry in attrs.fields(attrs.resolve_types(cls)):
        if entry.name not in {"extra", "response"}:
            default = ... if entry.default is attrs.NOTHING else entry.default
            fields[entry.name] = (_type_of(entry.type), default)
    return create_model(cls.__name__, __config__=_CONFIG, **fields)


def _type_of(kind: Any) -> Any:
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if kind is Secret:
        return SecretStr
    if origin is types.UnionType:
        return typing.Union[tuple(map(_type_of, parts))]  # noqa: UP007 - made of a tuple
    if origin is tuple:
        return tuple[_type_of(parts[0]), ...]  # type: ignore[misc]
    if origin is Mapping:
        return dict[str, Any]
    if isinstance(kind, type) and issubclass(kind, Entity):
        return _model_of(kind)
    return kind


Methods = _model_of(PaymentMethodList)
