"""What travels through the pipeline: an `Operation`, a frozen `Request`, a frozen `Response`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, field, frozen
from yarl import URL

from .drafts import Draftable, maker_of
from .jsontext import decode_json
from .outcome import Attempt
from .secrets import MaskedBytes, MaskedStr, Secret

if TYPE_CHECKING:
    from .resilience.policy import RetryPolicy

_LONGEST_ID: Final = 128


@frozen
class Operation:
    """What a call does, as far as retries, logs and headers need to know.

    Attributes:
        name: Such as `payment_methods.update`.
        method: HTTP method.
        route: Route template such as `/payment_methods/{payment_method_id}/update`: safe to log.
        repeatable: Whether repeating it after an unknown outcome does no harm.
        idempotent_key: Whether an `Idempotency-Key` header is sent.
    """

    name: str
    method: str
    route: str
    repeatable: bool
    idempotent_key: bool


@frozen(eq=False)
class Request(Draftable):
    """One request, as a middleware sees it. Change it by `with_header` or `attrs.evolve`.

    Attributes:
        operation: What the call does.
        url: The full URL; ids are percent-encoded as one path segment.
        headers: Header names and values; secret values have a masked `repr`.
        body: The encoded body, or None. Its `repr` is masked.
        started: When the call started, in the event loop's time (seconds).
        deadline: When the call must have ended, in the event loop's time; may be infinite.
        attempt_timeout: Seconds for one attempt: connecting, sending and reading the whole body.
        attempt: Number of the attempt, from 1.
        idempotency_key: A key chosen by the caller, else one is made.
        retry: A retry policy for this call alone.
        sensitive: Values that are masked wherever the server's text echoes them.
    """

    operation: Operation
    url: URL = field(repr=False)  # it holds ids
    headers: Mapping[str, str]
    body: MaskedBytes | None
    started: float
    deadline: float
    attempt_timeout: float
    attempt: int = 1
    idempotency_key: str | None = field(default=None, repr=False)
    retry: RetryPolicy | None = None
    sensitive: tuple[Secret, ...] = ()

    def with_header(self, name: str, value: str) -> Request:
        """Return the same request with one header set."""
        # attrs.evolve looks the fields up again on each call; this is on the path of every call.
        return make_request(
            self.operation,
            self.url,
            {**self.headers, name: value},
            self.body,
            self.started,
            self.deadline,
            self.attempt_timeout,
            self.attempt,
            self.idempotency_key,
            self.retry,
            self.sensitive,
        )

    def for_attempt(self, number: int) -> Request:
        """Return the same request as attempt `number` of its call."""
        return evolve(self, attempt=number)


make_request: Final = maker_of(Request)


@frozen(eq=False)
class Response(Draftable):
    """One complete answer of the server, its body read.

    Attributes:
        status: HTTP status.
        headers: The answer's headers, case-insensitive.
        body: The decompressed body. It may hold secrets: `repr` hides it, and a pickled
            Response comes back as None.
        elapsed: Seconds from sending to the last byte of the body.
        request: The request as it was sent.
        earlier_attempts: The attempts of the same call that failed before this one.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    elapsed: float
    request: Request = field(repr=False)
    earlier_attempts: tuple[Attempt, ...] = ()

    @property
    def request_id(self) -> str | None:
        """The server's id of this answer (`x-request-id`), unless it is no printable id."""
        value = self.headers.get("x-request-id")
        if value is None or not (value.isascii() and value.isprintable()):
            return None
        secrets = (text for text in self.request.headers.values() if isinstance(text, MaskedStr))
        # Logged and quoted to support: an echo of the key, or a page of text, must not get there.
        return None if len(value) > _LONGEST_ID or any(map(value.__contains__, secrets)) else value

    def json(self) -> Any:
        """Return the body as a JSON value.

        Raises:
            ResponseDecodingError: The body is not valid JSON.
        """
        return decode_json(self.body)

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        # Unpickles as None: an entity can travel to another process, its raw answer stays here.
        return (type(None), ())


make_response: Final = maker_of(Response)
