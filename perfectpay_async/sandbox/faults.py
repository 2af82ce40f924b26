"""Faults: what goes wrong, how often, and for which requests. Pure; the randomness is injected."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, Literal, Self, TypeAlias

from attrs import evolve, field, frozen

Kind: TypeAlias = Literal[
    "status", "latency", "reset_before", "reset_after", "truncate", "bad_json", "stall", "drip",
    "gzip_bomb", "redirect", "raw",
]  # fmt: skip


@frozen(kw_only=True)
class Fault:
    """One way in which a request goes wrong. Make it with one of the class methods.

    Attributes:
        kind: What happens.
        probability: Share of the matching requests that it hits, from 0 to 1.
        operation: Hits only this operation, such as `payment_methods.update`.
        id: Hits only this payment method or customer.
        times: Hits at most so many requests; None for any number.
        applied: Whether the request is carried out first.
        status_code: Status of the answer.
        retry_after: Value of the Retry-After header.
        seconds: How long it takes.
        body: The body, or the raw bytes.
        location: Where a redirect points.
        size: Decompressed bytes of a bomb.
    """

    kind: Kind
    probability: float = 1.0
    operation: str | None = None
    id: str | None = None
    times: int | None = None
    applied: bool = False
    status_code: int = 200
    retry_after: str | None = None
    seconds: float = 0.0
    body: bytes | None = field(default=None, repr=False)
    location: str = ""
    size: int = 0

    @property
    def name(self) -> str:
        """How the ledger calls it."""
        return str(self.status_code) if self.kind == "status" else self.kind

    @classmethod
    def status(
        cls,
        status: int,
        *,
        retry_after: float | str | None = None,
        body: bytes | str | None = None,
        applied: bool = False,
        **where: Any,
    ) -> Self:
        """Answer with this status, before or (`applied`) after carrying the request out."""
        return cls(
            kind="status",
            status_code=status,
            retry_after=None if retry_after is None else str(retry_after),
            body=body.encode() if isinstance(body, str) else body,
            applied=applied,
            **where,
        )

    @classmethod
    def latency(cls, seconds: float, **where: Any) -> Self:
        """Wait before carrying the request out."""
        return cls(kind="latency", seconds=seconds, applied=True, **where)

    @classmethod
    def reset_before(cls, **where: Any) -> Self:
        """Reset the connection instead of carrying the request out."""
        return cls(kind="reset_before", **where)

    @classmethod
    def reset_after(cls, **where: Any) -> Self:
        """Carry the request out, then reset the connection instead of answering."""
        return cls(kind="reset_after", applied=True, **where)

    @classmethod
    def truncate(cls, **where: Any) -> Self:
        """Carry the request out, then send half of the answer's body and close."""
        return cls(kind="truncate", applied=True, **where)

    @classmethod
    def bad_json(cls, **where: Any) -> Self:
        """Carry the request out, then answer 200 with a body that is no JSON."""
        return cls(kind="bad_json", applied=True, **where)

    @classmethod
    def stall(cls, seconds: float = 3600.0, *, applied: bool = True, **where: Any) -> Self:
        """Send the headers and then nothing (`applied`), or nothing at all."""
        return cls(kind="stall", seconds=seconds, applied=applied, **where)

    @classmethod
    def drip(cls, seconds: float = 1.0, **where: Any) -> Self:
        """Carry the request out, then send the body a byte at a time, so many seconds apart."""
        return cls(kind="drip", seconds=seconds, applied=True, **where)

    @classmethod
    def gzip_bomb(cls, size: int = 100_000_000, **where: Any) -> Self:
        """Carry the request out, then answer with a small body that unpacks to `size` bytes."""
        return cls(kind="gzip_bomb", size=size, applied=True, **where)

    @classmethod
    def redirect(cls, location: str, status: int = 307, **where: Any) -> Self:
        """Answer with a redirect to another address."""
        return cls(kind="redirect", location=location, status_code=status, **where)

    @classmethod
    def raw(cls, data: bytes, *, applied: bool = False, **where: Any) -> Self:
        """Write these bytes on the socket instead of an answer, and close."""
        return cls(kind="raw", body=data, applied=applied, **where)

    def matches(self, operation: str, ids: Iterable[str]) -> bool:
        """Whether a request is one that this fault may hit."""
        return self.operation in {None, operation} and (self.id is None or self.id in ids)


_BY_NAME: Final[dict[str, Callable[..., Fault]]] = {
    "latency": Fault.latency,
    "reset_before": Fault.reset_before,
    "reset_after": Fault.reset_after,
    "truncate": Fault.truncate,
    "bad_json": Fault.bad_json,
    "stall": Fault.stall,
    "drip": Fault.drip,
    "gzip_bomb": Fault.gzip_bomb,
}
_VALUES: Final[dict[str, Callable[[str], Any]]] = {
    "retry_after": str,
    "seconds": float,
    "size": int,
    "operation": str,
}


class FaultPlan:
    """The faults of a server: scripts first, then the first fault whose dice say so.

    Args:
        faults: What to begin with.
        rng: The dice.
    """

    def __init__(self, faults: Iterable[Fault] = (), rng: random.Random | None = None) -> None:
        self._faults: list[Fault] = list(faults)
        self._hits: dict[int, int] = {}
        self._scripts: dict[str, deque[Fault | None]] = {}
        self._rng = rng or random.Random(0)

    def add(self, *faults: Fault) -> None:
        """Add faults behind those already there."""
        self._faults.extend(faults)

    def script(self, target: str, steps: Iterable[Fault | None]) -> None:
        """Say what happens to the next requests of an operation or an id, one step each.

        Args:
            target: An operation such as `payment_methods.update`, or an id.
            steps: None lets a request pass untouched. Behind the last step all is as before.
        """
        self._scripts[target] = deque(steps)

    def clear(self) -> None:
        """Forget all faults and scripts."""
        self._faults.clear()
        self._hits.clear()
        self._scripts.clear()

    def pick(self, operation: str, ids: Iterable[str]) -> Fault | None:
        """Return the fault that hits a request, or None."""
        ids = tuple(ids)
        for target in (operation, *ids):
            if self._scripts.get(target):
                return self._scripts[target].popleft()
        for place, fault in enumerate(self._faults):
            if not fault.matches(operation, ids):
                continue
            if fault.times is not None and self._hits.get(place, 0) >= fault.times:
                continue
            if fault.probability >= 1.0 or self._rng.random() < fault.probability:
                self._hits[place] = self._hits.get(place, 0) + 1
                return fault
        return None

    @staticmethod
    def parse(text: str) -> list[Fault]:
        """Return the faults of a text such as `503=0.05,reset_after=0.02,429=0.05:retry_after=1`.

        Each part is a status or the name of a fault, its probability, and further values behind
        colons: `retry_after` of a status, `seconds` of latency, stall and drip, `size` of a bomb,
        and `operation` of any.

        Raises:
            ValueError: A part has another form; the message quotes it.
        """
        return [_parse_one(part.strip()) for part in text.split(",") if part.strip()]


def _parse_one(part: str) -> Fault:
    try:
        head, *rest = part.split(":")
        name, probability = head.split("=")
        values = {key: _VALUES[key](value) for key, value in (pair.split("=") for pair in rest)}
        make = partial(Fault.status, int(name)) if name.isdecimal() else _BY_NAME[name]
        fault: Fault = make(**values)
        return evolve(fault, probability=_share(probability))
    except (ValueError, TypeError, KeyError):
        raise ValueError(
            f"faults: '{part}' must have the form NAME=PROBABILITY[:KEY=VALUE...], where NAME is a "
            f"status or one of {', '.join(_BY_NAME)}, and PROBABILITY is from 0 to 1"
        ) from None


def _share(text: str) -> float:
    share = float(text)
    if not 0.0 <= share <= 1.0:
        raise ValueError
    return share
