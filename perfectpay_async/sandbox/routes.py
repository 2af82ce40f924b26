"""The routes: which operation a method and a path stand for, and the ids in the path."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from attrs import field, frozen


@frozen
class Route:
    """One operation's method and path.

    Attributes:
        operation: Such as `payment_methods.update`.
        method: HTTP method.
        template: The path, with names in braces where the ids are.
        segments: The template, cut at its slashes.
    """

    operation: str
    method: str
    template: str
    segments: list[str] = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "segments", self.template.split("/"))

    def ids(self, segments: list[str]) -> dict[str, str] | None:
        """Return the ids in a path, decoded, by name; None when the path is another one."""
        ids: dict[str, str] = {}
        for pattern, segment in zip(self.segments, segments, strict=True):
            if pattern.startswith("{") and segment:
                ids[pattern[1:-1]] = unquote(segment)
            elif pattern != segment:
                return None
        return ids


UNKNOWN: Final = Route("unknown", "", "")
"""What a path that the API does not have is filed under."""

WRONG_METHOD: Final = Route("unknown", "*", "")
"""What another method on a path that the API does have is filed under."""

ROUTES: Final = (
    Route("payment_methods.create", "POST", "/payment_methods"),
    Route("payment_methods.retrieve", "GET", "/payment_methods/{payment_method_id}"),
    Route("payment_methods.delete", "DELETE", "/payment_methods/{payment_method_id}"),
    Route("payment_methods.update", "POST", "/payment_methods/{payment_method_id}/update"),
    Route("payment_methods.list", "GET", "/customers/{customer_id}/payment_methods"),
    Route(
        "payment_methods.set_default",
        "POST",
        "/customers/{customer_id}/payment_methods/{payment_method_id}/default",
    ),
    # Before the customers, whose ids could be these names.
    Route("payment_methods.list_own", "GET", "/customers/payment_methods"),
    Route("customers.list", "GET", "/customers/list"),
    Route("customers.list_with_count", "GET", "/customers/list_with_count"),
    Route("customers.create", "POST", "/customers"),
    Route("customers.retrieve", "GET", "/customers/{customer_id}"),
    Route("customers.update", "POST", "/customers/{customer_id}"),
    Route("customers.delete", "DELETE", "/customers/{customer_id}"),
    Route("ephemeral_keys.create", "POST", "/ephemeral_keys"),
    Route("ephemeral_keys.delete", "DELETE", "/ephemeral_keys/{key_id}"),
)

OPERATIONS: Final = frozenset(route.operation for route in (*ROUTES, UNKNOWN))
"""The names of all operations, with `unknown` for what is none of them."""


def match(method: str, raw_path: str) -> tuple[Route, dict[str, str]]:
    """Return the route of a request and the ids in its path.

    Args:
        method: HTTP method.
        raw_path: The path, still percent-encoded, so that a slash in an id cannot move a border.
    """
    segments = raw_path.split("/")
    found = UNKNOWN
    for route in ROUTES:
        if len(route.segments) != len(segments):
            continue
        ids = route.ids(segments)
        if ids is not None:
            if route.method == method:
                return route, ids
            found = WRONG_METHOD
    return found, {}
