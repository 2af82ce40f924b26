"""The middleware pipeline: what a call passes once, and what each of its attempts passes.

```
once per call:     logging · idempotency · Middlewares.call · retry
once per attempt:  rate limit · auth · Middlewares.attempt · transport
```
Two levels answer the question "once, or on every attempt?", which the order of a list cannot.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, TypeAlias

from attrs import field, frozen

from perfectpay_async.errors import ConfigurationError
from perfectpay_async.messages import Request, Response

Next: TypeAlias = Callable[[Request], Awaitable[Response]]


class Middleware(Protocol):
    """Anything that can be called with a request and the rest of the pipeline.

    It may send a changed request on, look at the answer, answer itself, or raise. A request is
    immutable: `request.with_header(...)` and `attrs.evolve(...)` make a changed one, so attempts
    never see each other's changes.

    Examples:
        >>> async def add_locale(request, call_next):
        ...     return await call_next(request.with_header("Accept-Language", "de"))
    """

    def __call__(self, request: Request, call_next: Next, /) -> Awaitable[Response]:
        """Handle `request`, usually by awaiting `call_next(request)`, and return the answer."""
        ...


def _check_one(_middlewares: object, attribute: Any, value: object) -> None:
    if value is not None and not callable(value):
        raise ConfigurationError(
            f"middlewares.{attribute.name} must be called with (request, call_next); "
            f"a {type(value).__name__} cannot be called"
        )
    if inspect.isclass(value):
        raise ConfigurationError(
            f"middlewares.{attribute.name} is the class {value.__name__}; pass an instance of it"
        )


def _check_each(middlewares: object, attribute: Any, values: Iterable[object]) -> None:
    for value in values:
        _check_one(middlewares, attribute, value)


def _as_tuple(middlewares: Iterable[Middleware]) -> tuple[Middleware, ...]:
    return tuple(middlewares)


@frozen
class Middlewares:
    """The middlewares of a client: your own at two levels, and the replaceable defaults.

    A default that is left as None is made by the client; to drop one, put `pass_through` there.

    Attributes:
        call: Run once per call, outside the retries, the first one outermost.
        attempt: Run on every attempt, inside the retries, after the auth header is set.
        logging: Replaces the log line per call.
        idempotency: Replaces the `Idempotency-Key` header.
        retry: Replaces the retries as a whole; to change when and how often is repeated, give the
            client a `RetryPolicy` instead.
        auth: Replaces the `api-key` header.

    Raises:
        ConfigurationError: One of them cannot be called, or is a class instead of an instance.
    """

    call: tuple[Middleware, ...] = field(default=(), converter=_as_tuple, validator=_check_each)
    attempt: tuple[Middleware, ...] = field(default=(), converter=_as_tuple, validator=_check_each)
    logging: Middleware | None = field(default=None, kw_only=True, validator=_check_one)
    idempotency: Middleware | None = field(default=None, kw_only=True, validator=_check_one)
    retry: Middleware | None = field(default=None, kw_only=True, validator=_check_one)
    auth: Middleware | None = field(default=None, kw_only=True, validator=_check_one)


def pass_through(request: Request, call_next: Next) -> Awaitable[Response]:
    """Do nothing: put this in the place of a default middleware to drop it."""
    return call_next(request)


def compose(middlewares: Iterable[Middleware], innermost: Next) -> Next:
    """Return `innermost` with the middlewares around it, the first one outermost."""
    step = innermost
    for middleware in reversed(tuple(middlewares)):
        if middleware is not pass_through:
            step = _bind(middleware, step)
    return step


def _bind(middleware: Middleware, call_next: Next) -> Next:
    return lambda request: middleware(request, call_next)
