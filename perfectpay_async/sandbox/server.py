"""The server: sockets, routes, credentials, rate limit, and the faults that touch an answer."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote

from aiohttp import web

from . import validation
from .answers import Answer, Refused, plain, refused
from .api import HANDLERS, Api, Call, Dialect
from .faults import Fault, FaultPlan
from .ledger import Ledger, LedgerRequest
from .spoiling import break_connection, spoiled_answer
from .store import Card, Store, numbers

API_KEY: Final = "snd_sandbox_key"
"""The key of a sandbox that was given none. It opens nothing else."""

# Without a key these answer 400, the others 401 (contract of the API, "odd one").
_MISSING_KEY_IS_400: Final = frozenset(
    {
        "payment_methods.update", "payment_methods.delete", "payment_methods.list",
        "payment_methods.set_default", "customers.retrieve",
    }
)  # fmt: skip
# Here an Authorization header takes the place of the api-key, which is then not looked at.
_TAKES_AUTHORIZATION: Final = frozenset(
    {"payment_methods.update", "payment_methods.list", "payment_methods.set_default"}
)


UNKNOWN_ROUTE: Final = "unknown"
_IDS: Final = frozenset({"payment_method_id", "customer_id"})
_ROUTES: Final[defaultdict[int, dict[str, list[tuple[list[str], str]]]]] = defaultdict(dict)
for _method, _path, _operation in (
    ("POST", "payment_methods", "payment_methods.create"),
    ("GET", "payment_methods/payment_method_id", "payment_methods.retrieve"),
    ("DELETE", "payment_methods/payment_method_id", "payment_methods.delete"),
    ("POST", "payment_methods/payment_method_id/update", "payment_methods.update"),
    ("GET", "customers/customer_id/payment_methods", "payment_methods.list"),
    (
        "POST",
        "customers/customer_id/payment_methods/payment_method_id/default",
        "payment_methods.set_default",
    ),
    ("POST", "customers", "customers.create"),
    ("GET", "customers/customer_id", "customers.retrieve"),
    ("DELETE", "customers/customer_id", "customers.delete"),
):
    _pattern = _path.split("/")
    _ROUTES[len(_pattern)].setdefault(_method, []).append((_pattern, _operation))


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Sandbox:
    """A PerfectPay on this machine's loopback address.

    Args:
        api_key: The key that is accepted.
        port: Port to listen on; 0 for any free one.
        dialect: Request bodies that are understood: "perfectpay" or "hyperswitch".
        rate_limit: Requests per second; further ones get 429. None for no limit.
        rate_limit_retry_after: Seconds for the Retry-After header of those 429; None for none.
        faults: What goes wrong.
        seed: Makes ids, tokens and the dice of the faults repeatable.
        now: The time of day, in UTC; decides which cards have expired.

    Attributes:
        api_key: As above.
        rate_limit: As above; may be changed while the server runs.
        rate_limit_retry_after: As above.
        store: The state.
        ledger: What happened.
        faults: What goes wrong from now on.
    """

    def __init__(
        self,
        *,
        api_key: str = API_KEY,
        port: int = 0,
        dialect: Dialect = "perfectpay",
        rate_limit: float | None = None,
        rate_limit_retry_after: float | None = None,
        faults: Iterable[Fault] = (),
        seed: int = 0,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.api_key = api_key
        self.rate_limit = rate_limit
        self.rate_limit_retry_after = rate_limit_retry_after
        self.store = Store(random.Random(seed), now)
        self.ledger = Ledger()
        self.faults = FaultPlan(faults, random.Random(seed + 1))
        self._rng = random.Random(seed + 2)
        self._api = Api(self.store, self.ledger, dialect, now)
        self._port = port
        self._recent: deque[float] = deque()
        self._stopping = asyncio.Event()
        self._runner: web.ServerRunner | None = None

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: The port is taken.
        """
        self._runner = web.ServerRunner(
            web.Server(self._handle, access_log=None, keepalive_timeout=75.0), shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        try:
            await site.start()
        except OSError:
            await self._runner.cleanup()
            raise
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and drop all connections, stalled ones too."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """Root of the API, for `base_url`."""
        return f"http://127.0.0.1:{self._port}"

    def seed_customer(self, customer_id: str) -> None:
        """Create a customer."""
        self.store.add_customer(customer_id)

    def seed_cards(self, count: int, expiry: tuple[str, str] = ("10", "2030")) -> list[str]:
        """Create customers with one saved card each.

        Args:
            count: How many.
            expiry: Month and year of all cards, written as they will be shown; may be past.

        Returns:
            The ids of the payment methods.
        """
        return [
            self.store.save(
                self.store.add_customer(),
                kind="card",
                subtype="credit",
                number=number,
                card=partial(_seeded_card, number, expiry),
            ).id
            for number in numbers(count)
        ]

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        operation, ids = _route(request)
        entry = LedgerRequest(
            number=len(self.ledger.requests) + 1,
            received=time.monotonic(),
            method=request.method,
            operation=operation,
            payment_method_id=ids.get("payment_method_id"),
            customer_id=ids.get("customer_id"),
            idempotency_key=request.headers.get("Idempotency-Key"),
        )
        self.ledger.arrive(entry)
        status: int | None = None
        try:
            response = await self._answer(request, entry, ids)
            status = response.status if response is not None else None
        finally:
            self.ledger.finish(entry, status, time.monotonic())
        return response if response is not None else web.Response()

    async def _answer(
        self, request: web.BaseRequest, entry: LedgerRequest, ids: dict[str, str]
    ) -> web.StreamResponse | None:
        """Return the answer, or None when the connection was dropped instead."""
        body = await request.read()
        if self._is_throttled(entry.received):
            return self._response(self._throttled())
        fault = self.faults.pick(entry.operation, ids.values())
        if fault is None:
            return self._response(self._carry_out(request, entry, ids, body))
        entry.fault = fault.name
        if fault.kind == "latency":
            await self._pause(fault.seconds)
        answer = self._carry_out(request, entry, ids, body) if fault.applied else plain(200, "")
        return await self._spoil(request.transport, fault, answer)

    def _carry_out(
        self, request: web.BaseRequest, entry: LedgerRequest, ids: dict[str, str], body: bytes
    ) -> Answer:
        try:
            if entry.operation == UNKNOWN_ROUTE:
                raise refused(404, "IR_02", "Unrecognized request URL")
            self._authenticate(request, entry.operation)
            for value in ids.values():
                validation.check_path_id(value)
            call = Call(
                entry=entry,
                payment_method_id=ids.get("payment_method_id", ""),
                customer_id=ids.get("customer_id", ""),
                query=request.query,
                content_type=request.content_type,
                body=body,
            )
            return HANDLERS[entry.operation](self._api, call)
        except Refused as refusal:
            return refusal.answer

    def _authenticate(self, request: web.BaseRequest, operation: str) -> None:
        key = request.headers.get("api-key")
        if operation in _TAKES_AUTHORIZATION and "Authorization" in request.headers:
            key = ""
        if key is None and operation in _MISSING_KEY_IS_400:
            raise refused(400, "IR_04", "Missing required param: api_key")
        if key != self.api_key:
            raise refused(401, "IR_01", "API key not provided or invalid API key used")

    def _is_throttled(self, now: float) -> bool:
        if self.rate_limit is None:
            return False
        while self._recent and self._recent[0] <= now - 1.0:
            self._recent.popleft()
        if len(self._recent) >= self.rate_limit:
            return True
        self._recent.append(now)
        return False

    def _throttled(self) -> Answer:
        wait = self.rate_limit_retry_after
        headers = {} if wait is None else {"Retry_After": f"{wait:g}"}
        return plain(429, "Too many requests", **headers)

    def _response(self, answer: Answer) -> web.Response:
        headers = {
            "x-request-id": self._request_id(),
            "via": "HyperSwitch",
            "Content-Type": answer.content_type,
            **answer.headers,
        }
        return web.Response(status=answer.status, body=answer.body, headers=headers)

    def _request_id(self) -> str:
        """Return an id shaped like a UUID of version 7."""
        stamp, chance = f"{time.time_ns() // 1_000_000:012x}", f"{self._rng.getrandbits(72):018x}"
        return f"{stamp[:8]}-{stamp[8:]}-7{chance[:3]}-a{chance[3:6]}-{chance[6:]}"

    async def _spoil(
        self, transport: asyncio.Transport | None, fault: Fault, answer: Answer
    ) -> web.StreamResponse | None:
        spoiled = spoiled_answer(fault, answer)
        if spoiled is not None:
            return self._response(spoiled)
        if transport is not None and not transport.is_closing():
            await break_connection(transport, fault, answer, self._pause)
        return None

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than the server runs."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass


def _seeded_card(number: str, expiry: tuple[str, str], fingerprint: str) -> Card:
    return Card(*expiry, number[-4:], number[:6], fingerprint, "Jane Doe", None, "Visa")


def _route(request: web.BaseRequest) -> tuple[str, dict[str, str]]:
    """Return the operation of a request and the ids in its path."""
    segments = request.rel_url.raw_path.split("/")[1:]
    for pattern, operation in _ROUTES[len(segments)].get(request.method, ()):
        pairs = list(zip(pattern, segments, strict=True))
        if all(part == segment or part in _IDS for part, segment in pairs):
            return operation, {part: unquote(text) for part, text in pairs if part in _IDS}
    return UNKNOWN_ROUTE, {}
