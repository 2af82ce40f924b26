"""What all answers of the API have in common: read-only mappings and room for unknown fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from operator import attrgetter
from typing import Any, Final

from attrs import field, fields, frozen

from perfectpay_async.drafts import Draftable


class FrozenMapping(Mapping[str, object]):
    """A read-only mapping whose `repr` shows its keys alone.

    It holds what the server sent without saying what it means: metadata, unknown fields, bank
    details. The values could be anything, an account number included, so they are not printed.

    Args:
        data: The keys and values; they are copied, but not deeply.
    """

    __slots__ = ("_data",)

    def __init__(self, data: Mapping[str, object]) -> None:
        self._data = dict(data)

    def __getitem__(self, key: str) -> object:
        return self._data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __repr__(self) -> str:
        return f"<keys: {', '.join(map(str, self._data)) or 'none'}>"


def freeze(data: Mapping[str, object] | None) -> FrozenMapping | None:
    """Return `data` as a `FrozenMapping`, or None for None."""
    return data if data is None or isinstance(data, FrozenMapping) else FrozenMapping(data)


@frozen(eq=False, repr=False)
class Entity(Draftable):
    """Base of everything that the API answers with, and of the parts of an answer.

    Entities are frozen. A field that the server left out or sent as null is None (or the field's
    default), and a field that this version does not know is kept in `extra`.

    Equality, hash and `repr` are written here once, and the entity classes say `eq=False,
    repr=False`: attrs would compile them for each class, which took a sixth of importing the
    package.
    """

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        cls: Any = type(self)
        values = _compared(cls)
        return bool(values(self) == values(other))

    def __hash__(self) -> int:
        cls: Any = type(self)
        return hash((cls, _hashed(cls)(self)))

    def __repr__(self) -> str:
        cls: Any = type(self)
        shown = [f"{name}={getattr(self, name)!r}" for name in _shown(cls)]
        return f"{cls.__qualname__}({', '.join(shown)})"


@cache
def _compared(cls: Any) -> Callable[[Entity], Any]:
    return attrgetter(*(entry.name for entry in fields(cls) if entry.eq))


@cache
def _hashed(cls: Any) -> Callable[[Entity], Any]:
    return attrgetter(*(entry.name for entry in fields(cls) if entry.eq and entry.hash is None))


@cache
def _shown(cls: Any) -> tuple[str, ...]:
    return tuple(entry.name for entry in fields(cls) if entry.repr)


NOTHING: Final = FrozenMapping({})


def mapping_field(default: FrozenMapping | None = None) -> Any:
    """Return an attrs field for an object of free form, which does not count for the hash."""
    return field(default=default, converter=freeze, hash=False)


def extra_field() -> Any:
    """Return the attrs field that keeps what this version of the library does not know."""
    return mapping_field(NOTHING)
