"""The cattrs converter: what JSON may hold for each type.

cattrs knows how types are composed. The hooks here are strict where cattrs is generous: it would
read null as "None" and "false" as true.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, NoReturn, get_args, get_origin

import attrs

from perfectpay_async.drafts import draft_of
from perfectpay_async.entities import Entity, FrozenMapping, OpenEnum, Percentage
from perfectpay_async.secrets import Secret

from .shapes import is_array, is_object, name_of

if TYPE_CHECKING:
    from cattrs import Converter

# cattrs hands a hook the value and the type. Ours know their type, and among them None will do.
_Hook = Callable[[Any, Any], Any]

# Ours, not the server's: a key of that name in an answer is an unknown one.
_OWN_FIELDS: Final = frozenset({"extra", "response"})
# Values that are of such a field's type are taken as they are, without a call to a hook.
_PLAIN: Final[dict[Any, type]] = {str: str, str | None: str, bool: bool, bool | None: bool}


class Mismatch(Exception):  # noqa: N818 - the codec makes an error of it
    """A value that breaks a rule.

    Attributes:
        rule: What the value must be, and what it is not; never the value.
        path: Where it is, such as `card.expiry_month`.
    """

    def __init__(self, rule: str, path: str = "") -> None:
        super().__init__(rule)
        self.rule = rule
        self.path: str = path

    def prepend(self, step: str) -> None:
        """Put a step before the path: the name of a field, or an index in brackets."""
        joint = "." if self.path and not self.path.startswith("[") else ""
        self.path = f"{step}{joint}{self.path}"


@cache
def converter() -> Converter:
    """Return the converter, made when it is first needed: cattrs takes time to import."""
    from cattrs import Converter

    made = Converter(detailed_validation=False)
    made.register_structure_hook(str, _string)
    made.register_structure_hook(bool, _boolean)
    made.register_structure_hook(int, _integer)
    made.register_structure_hook(float, _number)
    made.register_structure_hook(datetime, _moment)
    made.register_structure_hook(Secret, _secret)
    for enum in OpenEnum.__subclasses__():  # one by one: else the hooks of `str` would be theirs
        made.register_structure_hook(enum, _open_enum(enum))
        made.register_unstructure_hook(enum, str)
    made.register_structure_hook_func(_is_mapping, _mapping)
    made.register_structure_hook_factory(_is_tuple, _sequence)
    made.register_structure_hook_factory(_is_optional, _optional)
    made.register_structure_hook_factory(_is_surcharge_value, _surcharge_value)
    made.register_structure_hook_factory(_is_entity, _entity)

    made.register_unstructure_hook(datetime, _moment_text)
    made.register_unstructure_hook(FrozenMapping, dict)
    made.register_unstructure_hook_factory(_is_entity, _entity_object)
    return made


def _refuse(wanted: str, value: object) -> NoReturn:
    raise Mismatch(f"must be {wanted}, not {name_of(value)}")


def _string(value: Any, _kind: object) -> str:
    if type(value) is not str:
        _refuse("a string", value)
    return value


def _boolean(value: Any, _kind: object) -> bool:
    if type(value) is not bool:
        _refuse("a boolean", value)
    return value


def _integer(value: Any, _kind: object) -> int:
    if type(value) is not int:
        _refuse("a whole number", value)
    return value


def _number(value: Any, _kind: object) -> float:
    if type(value) is not float and type(value) is not int:
        _refuse("a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):  # JSON has no infinity, but 1e999 is read as one
        raise Mismatch("must be a number of at most 64 bits")
    return number


def _moment(value: Any, _kind: object) -> datetime:
    try:
        if type(value) is str:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is UTC:
                return moment
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        if type(value) is int or type(value) is float:
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise Mismatch("must be an ISO 8601 time or seconds since 1970") from None
    _refuse("an ISO 8601 time or seconds since 1970", value)


def _moment_text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _secret(value: Any, _kind: object) -> Secret:
    return Secret(_string(value, None))


def _mapping(value: Any, _kind: object) -> FrozenMapping:
    if not is_object(value):
        _refuse("an object", value)
    return FrozenMapping(value)


def _open_enum(cls: type[OpenEnum]) -> _Hook:
    known = {member.value: member for member in cls}

    def structure(value: Any, _kind: object) -> OpenEnum:
        if type(value) is not str:
            _refuse("a string", value)
        return known.get(value) or cls(value)

    return structure


def _sequence(kind: Any, made: Converter) -> _Hook:
    hook: _Hook = made.get_structure_hook(get_args(kind)[0])

    def structure(value: Any, _kind: object) -> tuple[Any, ...]:
        if not is_array(value):
            _refuse("an array", value)
        items: list[Any] = []
        try:
            for raw in value:
                items.append(hook(raw, None))  # noqa: PERF401 - its length is the culprit's index
        except Mismatch as mismatch:
            mismatch.prepend(f"[{len(items)}]")
            raise
        return tuple(items)

    return structure


def _optional(kind: Any, made: Converter) -> _Hook:
    # The hook of an entity passes over nulls: no hook of a field ever meets one.
    (inner,) = (arg for arg in get_args(kind) if arg is not NoneType)
    hook: _Hook = made.get_structure_hook(inner)
    return hook


def _surcharge_value(_kind: object, made: Converter) -> _Hook:
    percentage: _Hook = made.get_structure_hook(Percentage)

    def structure(value: Any, _kind: object) -> Any:
        hook = percentage if is_object(value) else _integer
        return hook(value, None)

    return structure


def _entity(cls: type[Entity], made: Converter) -> _Hook:
    """Return a hook that is written for this class, as attrs and cattrs write theirs.

    It reads like this, and takes half the time of a loop over the fields:

        def structure(value, _kind):
            ...
            draft = Draft()
            name = ""
            try:
                raw = get("scheme")
                if type(raw) is str:
                    draft.scheme = raw
                elif raw is None:
                    draft.scheme = default_scheme
                else:
                    name = "scheme"
                    draft.scheme = hook_scheme(raw, None)
                ...
    """
    fields, own_fields = _fields(cls)
    names: dict[str, Any] = {
        "Draft": draft_of(cls),
        "frozen": cls,
        "Mismatch": Mismatch,
        "refuse": _refuse,
        "known": frozenset(entry.name for entry in fields),
        "unknown": _unknown,
    }
    lines = [
        "def structure(value, _kind):",
        "    if type(value) is not dict:",
        "        refuse('an object', value)",
        "    get = value.get",
        *(line for entry in fields if entry.default is attrs.NOTHING for line in _required(entry)),
        "    draft = Draft()",
        "    name = ''",
        "    try:",
    ]
    for entry in fields:
        names[f"hook_{entry.name}"] = made.get_structure_hook(entry.type)
        names[f"default_{entry.name}"] = entry.default
        lines += _assigned(entry)
    lines += [
        "    except Mismatch as mismatch:",
        "        mismatch.prepend(name)",
        "        raise",
    ]
    for entry in own_fields:
        names[f"default_{entry.name}"] = entry.default
        lines.append(f"    draft.{entry.name} = default_{entry.name}")
    lines += [
        "    if not known.issuperset(value):",
        "        draft.extra = unknown(value, known)",
        "    draft.__class__ = frozen",
        "    return draft",
    ]
    exec(compile("\n".join(lines), f"<structure {cls.__name__}>", "exec"), names)  # noqa: S102
    hook: _Hook = names["structure"]
    return hook


def _required(entry: Any) -> Iterator[str]:
    yield f"    if get('{entry.name}') is None:"
    yield f"        raise Mismatch('is missing', '{entry.name}')"


def _assigned(entry: Any) -> Iterator[str]:
    name, plain = entry.name, _PLAIN.get(entry.type)
    yield f"        raw = get('{name}')"
    if plain is not None:  # what is of the field's own type is taken without a call
        yield f"        if type(raw) is {plain.__name__}:"
        yield f"            draft.{name} = raw"
    yield f"        {'if' if plain is None else 'elif'} raw is None:"
    yield f"            draft.{name} = default_{name}"
    yield "        else:"
    yield f"            name = '{name}'"
    yield f"            draft.{name} = hook_{name}(raw, None)"


def _unknown(value: dict[str, Any], known: frozenset[str]) -> FrozenMapping:
    return FrozenMapping({key: value[key] for key in value if key not in known})


def _entity_object(cls: type[Entity], made: Converter) -> Callable[[Any], dict[str, Any]]:
    names = tuple(entry.name for entry in _fields(cls)[0])

    def unstructure(entity: Any) -> dict[str, Any]:
        values = {name: getattr(entity, name) for name in names}
        wire = {
            name: made.unstructure(value)
            for name, value in values.items()
            if value is not None and not isinstance(value, Secret)
        }
        return wire | dict(entity.extra)

    return unstructure


def _fields(cls: type[Entity]) -> tuple[list[Any], list[Any]]:
    """Return the fields that are on the wire and those that are not, with evaluated types."""
    entries: tuple[Any, ...] = attrs.fields(attrs.resolve_types(cls))
    wire = [entry for entry in entries if entry.name not in _OWN_FIELDS]
    return wire, [entry for entry in entries if entry.name in _OWN_FIELDS]


def _is_optional(kind: Any) -> bool:
    return get_origin(kind) is UnionType and NoneType in get_args(kind)


def _is_surcharge_value(kind: Any) -> bool:
    return bool(kind == int | Percentage | None)


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _is_mapping(kind: Any) -> bool:
    return get_origin(kind) is Mapping


def _is_entity(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Entity)
