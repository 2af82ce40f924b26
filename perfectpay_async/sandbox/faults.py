"""Faults: what goes wrong, how often, and for which requests. Pure; the randomness is injected."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, Literal, Self, TypeAlias, TypedDict, Unpack

from attrs import Attribute, define, evolve, field, frozen
from attrs.validators import optional

from .routes import OPERATIONS

Kind: TypeAlias = Literal[
    "status", "latency", "reset_before", "reset_after", "truncate", "bad_json", "stall", "drip",
    "gzip_bomb", "redirect", "raw",
]  # fmt: skip

_FOREVER: Final = 3600.0


class Where(TypedDict, total=False):
    """Which requests a fault hits; what is left out does not narrow it.

    Attributes:
        probability: Share of the matching requests, from 0 to 1.
        operation: Only this operation, such as `payment_methods.update`.
        id: Only requests with this payment method or customer in their path.
        times: At most so many requests; None for any number.
    """

    probability: float
    operation: str | None
    id: str | None
    times: int | None


def _within(low: float, high: float) -> Callable[[object, Attribute[Any], float], None]:
    def check(_: object, attribute: Attribute[Any], value: float) -> None:
        if not low <= value <= high:
            raise ValueError(f"{attribute.name} must be from {low:g} to {high:g}, not {value}")

    return check


def _known(_: object, __: Attribute[Any], operation: str) -> None:
    if operation not in OPERATIONS:
        names = ", ".join(sorted(OPERATIONS))
        raise ValueError(f"operation must be one of {names}, not '{operation}'")


@frozen(kw_only=True)
class Fault:
    """One way in which a request goes wrong. Make it with one of the class methods.

    All of them take the keywords of `Where`.

    Attributes:
        kind: What happens.
        probability: Share of the matching requests that it hits, from 0 to 1.
        operation: Hits only this operation, such as `payment_methods.update`.
        id: Hits only requests with this payment method or customer in their path.
        times: Hits at most so many requests; None for any number.
        applied: Whether the request is carried out first.
        status_code: Status of the answer.
        retry_after: Value of the Retry-After header.
        seconds: How long it takes.
        silent: Whether a stall keeps back the headers too.
        body: The body, or the raw bytes.
        location: Where a redirect points.
        size: Bytes that a bomb unpacks to.

    Raises:
        ValueError: A value is out of its range.
    """

    kind: Kind
    probability: float = field(default=1.0, validator=_within(0.0, 1.0))
    operation: str | None = field(default=None, validator=optional(_known))
    id: str | None = None
    times: int | None = field(default=None, validator=optional(_within(0, 1e9)))
    applied: bool = False
    status_code: int = field(default=200, validator=_within(200, 599))
    retry_after: str | None = None
    seconds: float = field(default=0.0, validator=_within(0.0, 86_400.0))
    silent: bool = False
    body: bytes | None = field(default=None, repr=False)
    location: str = ""
    size: int = field(default=0, validator=_within(0, 1e10))

    @property
    def name(self) -> str:
        """How the ledger calls it: a status by its number, all else by its kind."""
        return str(self.status_code) if self.kind == "status" else self.kind

    @classmethod
    def status(
        cls,
        status: int,
        *,
        retry_after: float | str | None = None,
        body: bytes | str | None = None,
        applied: bool = False,
        **where: Unpack[Where],
    ) -> Self:
        """Answer with this status, before or (`applied`) after carrying the request out.

        Args:
            status: The status, from 200 to 599.
            retry_after: Seconds, or the whole text of the Retry-After header.
            body: The body; by default the API's envelope for a 5xx, else nothing.
            applied: Whether the request is carried out first.
            **where: Which requests it hits.
        """
        if isinstance(retry_after, float | int):
            retry_after = f"{retry_after:.10g}"
        if isinstance(body, str):
            body = body.encode()
        return cls(
            kind="status",
            status_code=status,
            retry_after=retry_after,
            body=body,
            applied=applied,
            **where,
        )

    @classmethod
    def latency(cls, seconds: float, **where: Unpack[Where]) -> Self:
        """Wait before carrying the request out; not at all if the client is gone by then."""
        return cls(kind="latency", seconds=seconds, applied=True, **where)

    @classmethod
    def reset_before(cls, **where: Unpack[Where]) -> Self:
        """Reset the connection instead of carrying the request out."""
        return cls(kind="reset_before", **where)

    @classmethod
    def reset_after(cls, **where: Unpack[Where]) -> Self:
        """Carry the request out, then reset the connection instead of answering."""
        return cls(kind="reset_after", applied=True, **where)

    @classmethod
    def truncate(cls, **where: Unpack[Where]) -> Self:
        """Carry the request out, then send half of the answer's body and close."""
        return cls(kind="truncate", applied=True, **where)

    @classmethod
    def bad_json(cls, **where: Unpack[Where]) -> Self:
        """Carry the request out, then answer 200 with a body that is no JSON."""
        return cls(kind="bad_json", applied=True, **where)

    @classmethod
    def stall(
        cls,
        seconds: float = _FOREVER,
        *,
        applied: bool = True,
        silent: bool = False,
        **where: Unpack[Where],
    ) -> Self:
        """Send the headers and then nothing, until the connection is closed.

        Args:
            seconds: When the server closes it.
            applied: Whether the request is carried out first; one that is not has no headers.
            silent: Whether the headers are kept back too.
            **where: Which requests it hits.
        """
        return cls(kind="stall", seconds=seconds, applied=applied, silent=silent, **where)

    @classmethod
    def drip(cls, seconds: float = 1.0, **where: Unpack[Where]) -> Self:
        """Carry the request out, then send the body a byte at a time, so many seconds apart."""
        return cls(kind="drip", seconds=seconds, applied=True, **where)

    @classmethod
    def gzip_bomb(cls, size: int = 100_000_000, **where: Unpack[Where]) -> Self:
        """Carry the request out, then answer with a small body that unpacks to `size` bytes."""
        return cls(kind="gzip_bomb", size=size, applied=True, **where)

    @classmethod
    def redirect(cls, location: str, status: int = 307, **where: Unpack[Where]) -> Self:
        """Answer with a redirect to another address."""
        return cls(kind="redirect", location=location, status_code=status, **where)

    @classmethod
    def raw(cls, data: bytes, *, applied: bool = False, **where: Unpack[Where]) -> Self:
        """Write these bytes on the socket instead of an answer, and close."""
        return cls(kind="raw", body=data, applied=applied, **where)

    def matches(self, operation: str, ids: Iterable[str]) -> bool:
        """Whether a request is one that this fault may hit."""
        return self.operation in {None, operation} and (self.id is None or self.id in ids)


@define
class _Armed:
    fault: Fault
    hits: int = 0

    def may_hit(self, operation: str, ids: tuple[str, ...]) -> bool:
        used_up = self.fault.times is not None and self.hits >= self.fault.times
        return not used_up and self.fault.matches(operation, ids)


class FaultPlan:
    """The faults of a server: scripts first, then the first fault whose dice say so.

    Args:
        faults: What to begin with.
        rng: The dice.
    """

    def __init__(self, faults: Iterable[Fault] = (), rng: random.Random | None = None) -> None:
        self._armed = [_Armed(fault) for fault in faults]
        self._scripts: dict[str, deque[Fault | None]] = {}
        self._rng = rng or random.Random(0)

    def add(self, *faults: Fault) -> None:
        """Add faults behind those already there."""
        self._armed.extend(_Armed(fault) for fault in faults)

    def script(self, target: str, steps: Iterable[Fault | None]) -> None:
        """Say what happens to the next requests of an operation or an id, one step each.

        A script hits whatever the fault's own `probability`, `operation`, `id` and `times` say.

        Args:
            target: An operation such as `payment_methods.update`, or an id.
            steps: None lets a request pass untouched. Behind the last step all is as before.
        """
        self._scripts[target] = deque(steps)

    def clear(self) -> None:
        """Forget all faults and scripts."""
        self._armed.clear()
        self._scripts.clear()

    def pick(self, operation: str, ids: Iterable[str] = ()) -> Fault | None:
        """Return the fault that hits a request, or None.

        Args:
            operation: The request's operation.
            ids: The ids in its path.
        """
        ids = tuple(ids)
        for target in (operation, *ids):
            if self._scripts.get(target):
                return self._scripts[target].popleft()
        for armed in self._armed:
            if armed.may_hit(operation, ids) and self._rng.random() < armed.fault.probability:
                armed.hits += 1
                return armed.fault
        return None

    @staticmethod
    def parse(text: str) -> list[Fault]:
        """Return the faults of a text such as `503=0.05,reset_after=0.02,429=0.05:retry_after=1`.

        Each part is a status or the name of a fault, its probability, and further values behind
        colons: `retry_after` and `applied` (yes or no) of a status, `seconds` of latency (it must
        be given), stall and drip, `applied` and `silent` of a stall, `size` of a bomb, and
        `operation`, `id` and `times` of any.

        Raises:
            ValueError: A part has another form; the message quotes it.
        """
        return [_parse_one(part.strip()) for part in text.split(",") if part.strip()]


_Maker: TypeAlias = Callable[..., Fault]
_BY_NAME: Final[Mapping[str, tuple[_Maker, str]]] = {
    "latency": (Fault.latency, "seconds"),
    "reset_before": (Fault.reset_before, ""),
    "reset_after": (Fault.reset_after, ""),
    "truncate": (Fault.truncate, ""),
    "bad_json": (Fault.bad_json, ""),
    "stall": (Fault.stall, "seconds applied silent"),
    "drip": (Fault.drip, "seconds"),
    "gzip_bomb": (Fault.gzip_bomb, "size"),
}
"""What makes the fault of a name, and the values of its own that the text form may give it."""

_VALUES: Final[Mapping[str, Callable[[str], Any]]] = {
    "retry_after": str,
    "applied": {"yes": True, "no": False}.__getitem__,
    "silent": {"yes": True, "no": False}.__getitem__,
    "seconds": float,
    "size": int,
    "operation": str,
    "id": str,
    "times": int,
}


def _parse_one(part: str) -> Fault:
    try:
        head, *rest = part.split(":")
        name, probability = head.split("=")
        values = {key: _VALUES[key](value) for key, value in (pair.split("=") for pair in rest)}
        make, own = _maker(name)
        if not values.keys() <= {*own.split(), "operation", "id", "times"}:
            raise ValueError(part)
        return evolve(make(**values), probability=float(probability))
    except (ValueError, TypeError, KeyError):
        raise ValueError(
            f"faults: '{part}' must have the form NAME=PROBABILITY[:KEY=VALUE...], where NAME is a "
            f"status or one of {', '.join(_BY_NAME)}, and PROBABILITY is from 0 to 1"
        ) from None


def _maker(name: str) -> tuple[_Maker, str]:
    if name.isdecimal():
        return partial(Fault.status, int(name)), "retry_after applied"
    return _BY_NAME[name]
