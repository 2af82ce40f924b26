"""The server: sockets, credentials, the rate limit, and the faults that touch an answer."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web

from . import validation
from .answers import Answer, Refused, plain, refused
from .api import HANDLERS, Api, Call, Dialect
from .card_numbers import sample_numbers
from .faults import Fault, FaultPlan
from .ledger import Ledger, LedgerRequest
from .routes import UNKNOWN, WRONG_METHOD, match
from .spoiling import break_connection, spoiled_answer
from .store import Store
from .throttle import Throttle

API_KEY: Final = "snd_sandbox_key"
"""The key of a sandbox that was given none. It opens nothing else."""

# Without a key these answer 400, the others 401.
_MISSING_KEY_IS_400: Final = frozenset(
    {
        "payment_methods.update", "payment_methods.delete", "payment_methods.list",
        "payment_methods.set_default", "payment_methods.list_own", "customers.retrieve",
    }
)  # fmt: skip
# Here an Authorization header takes the place of the api-key, which is then not looked at.
_TAKES_AUTHORIZATION: Final = frozenset(
    {"payment_methods.update", "payment_methods.list", "payment_methods.set_default"}
)
# These take an ephemeral key in place of the secret key. As in stock Hyperswitch, they do not ask
# whose key it is.
_TAKES_EPHEMERAL: Final = frozenset(
    {
        "payment_methods.delete", "payment_methods.list", "payment_methods.set_default",
        "payment_methods.list_own", "customers.retrieve",
    }
)  # fmt: skip
# This one takes nothing else: whose methods it lists is in the key.
_FOR_BROWSERS: Final = "payment_methods.list_own"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Sandbox:
    """A PerfectPay on this machine's loopback address.

    A request goes through the stations of the real thing: it is entered in the ledger, the gateway
    may throttle it, a fault may hit it, then come the key and the operation. Use it as an async
    context manager, or call `start` and `stop`; a stopped server may be started again, on the same
    port and with its state.

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
        self.store: Store = Store(random.Random(seed), now)
        self.ledger: Ledger = Ledger()
        self.faults: FaultPlan = FaultPlan(faults, random.Random(seed + 1))
        self._rng = random.Random(seed + 2)
        self._api = Api(self.store, self.ledger, dialect, now)
        self._port = port
        self._throttle = Throttle()
        self._numbers = sample_numbers()
        self._runner: web.ServerRunner | None = None
        self._handlers: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: The port is taken.
        """
        # A client that has gone is not served any more: its request is no longer under way.
        server = web.Server(
            self._handle, access_log=None, keepalive_timeout=75.0, handler_cancellation=True
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
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
        runner, self._runner = self._runner, None
        if runner is None:
            return
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)
        await runner.cleanup()

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
        """Root of the API, for `base_url`; known once the server has started."""
        return f"http://127.0.0.1:{self._port}"

    def seed_customer(self, customer_id: str) -> None:
        """Create a customer; one that exists already stays as it is."""
        if customer_id not in self.store.customers:
            self.store.add_customer(customer_id)

    def seed_cards(self, count: int, expiry: tuple[str, str] = ("10", "2030")) -> list[str]:
        """Create customers with one saved card each; no two cards have the same number.

        Args:
            count: How many.
            expiry: Month and year of all cards, written as they will be shown; may be past.

        Returns:
            The ids of the payment methods.
        """
        month, year = expiry
        return [
            self.store.save(
                self.store.add_customer(),
                "card",
                "credit",
                self.store.vault(next(self._numbers), month, year, holder="Jane Doe"),
            ).id
            for _ in range(count)
        ]

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        handler = asyncio.current_task()
        if handler is not None:
            self._handlers.add(handler)
        route, ids = match(request.method, request.rel_url.raw_path)
        entry = LedgerRequest(
            number=len(self.ledger.requests) + 1,
            received=time.monotonic(),
            method=request.method,
            operation=route.operation,
            route=route.template,
            request_id=self._request_id(),
            payment_method_id=ids.get("payment_method_id"),
            customer_id=ids.get("customer_id"),
            idempotency_key=request.headers.get("Idempotency-Key"),
        )
        self.ledger.arrive(entry)
        response: web.Response | None = None
        try:
            response = await self._answer(
                request,
                Call(
                    entry=entry,
                    route=route,
                    ids=ids,
                    headers=request.headers,
                    query=request.query,
                    content_type=request.content_type,
                    body=await _read(request),
                ),
            )
        finally:
            status = None if response is None else response.status
            self.ledger.finish(entry, status, time.monotonic())
            if handler is not None:
                self._handlers.discard(handler)
        # Where the connection was dropped instead, nothing of this is ever sent.
        return web.Response() if response is None else response

    async def _answer(self, request: web.BaseRequest, call: Call) -> web.Response | None:
        """Return the answer, or None when the connection was dropped instead."""
        entry = call.entry
        if not self._throttle.admits(entry.received, self.rate_limit):
            return _response(entry, self._throttled())
        fault = self.faults.pick(entry.operation, call.ids.values())
        if fault is None:
            return _response(entry, self._carry_out(call))
        entry.fault = fault.name
        if fault.kind == "latency":
            await asyncio.sleep(fault.seconds)
        answer = self._carry_out(call) if fault.applied else Answer(200)
        spoiled = spoiled_answer(fault, answer)
        if spoiled is not None:
            return _response(entry, spoiled)
        if request.transport is not None:
            await break_connection(request.transport, fault, answer, _headers(entry, answer))
        return None

    def _carry_out(self, call: Call) -> Answer:
        try:
            if call.route is UNKNOWN:
                raise refused(404, "IR_02", "Unrecognized request URL")
            if call.route is WRONG_METHOD:
                raise refused(405, "IR_03", "The HTTP method is not applicable for this API")
            for value in call.ids.values():
                validation.check_path_id(value)
            self._authenticate(call)
            return HANDLERS[call.route.operation](self._api, call)
        except Refused as refusal:
            return refusal.answer

    def _authenticate(self, call: Call) -> None:
        operation = call.route.operation
        key = call.headers.get("api-key")
        if operation in _TAKES_AUTHORIZATION and "Authorization" in call.headers:
            key = ""
        if key is None and operation in _MISSING_KEY_IS_400:
            raise refused(400, "IR_04", "Missing required param: api_key")
        if not self._is_accepted(key or "", operation):
            raise refused(401, "IR_01", "API key not provided or invalid API key used")

    def _is_accepted(self, key: str, operation: str) -> bool:
        if operation in _TAKES_EPHEMERAL and self.store.ephemeral_keys.find(key) is not None:
            return True
        return operation != _FOR_BROWSERS and key == self.api_key

    def _throttled(self) -> Answer:
        wait = self.rate_limit_retry_after
        return plain(
            429, "Too many requests", None if wait is None else {"Retry-After": f"{wait:.10g}"}
        )

    def _request_id(self) -> str:
        """Return an id shaped like a UUID of version 7."""
        stamp, chance = f"{time.time_ns() // 1_000_000:012x}", f"{self._rng.getrandbits(72):018x}"
        return f"{stamp[:8]}-{stamp[8:]}-7{chance[:3]}-a{chance[3:6]}-{chance[6:]}"


async def _read(request: web.BaseRequest) -> bytes:
    """Return the body; of one that aiohttp itself finds too large, enough to be refused."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        return bytes(validation.MAX_BODY + 1)


def _headers(entry: LedgerRequest, answer: Answer) -> dict[str, str]:
    return {
        "x-request-id": entry.request_id,
        "via": "HyperSwitch",
        "Content-Type": answer.content_type,
        **answer.headers,
    }


def _response(entry: LedgerRequest, answer: Answer) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, headers=_headers(entry, answer))
