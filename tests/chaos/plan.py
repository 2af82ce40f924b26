"""What a run asks for and what goes wrong meanwhile: everything that follows from its seed."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from typing import Any, Final, Literal

from attrs import frozen

from perfectpay_async import CardExpiry, NewCard, RetryBudget
from perfectpay_async.sandbox import Fault, Sandbox

API_KEY: Final = "snd_planted_7c1e09ab52"
CVC: Final = "073"
BIN: Final = "453957"
CLIENT_SECRET: Final = "pm_echo_secret_" + "Q" * 20
ATTEMPT_TIMEOUT: Final = 0.15
MAX_ATTEMPTS: Final = 3
OPERATIONS: Final = ("create", "retrieve", "update", "delete", "list")
SEEDED: Final = ("10", "2030")
LAVISH: Final = RetryBudget(capacity=100_000)
WEATHERS: Final = ("storm", "drizzle", "outage", "throttled", "slow", "lossy")


@frozen
class Ask:
    """One call that a run makes.

    Attributes:
        key: Its idempotency key, by which the ledger knows it.
        operation: One of `OPERATIONS`.
        target: The payment method, or the customer for create and list.
        deadline: Seconds.
        expiry: What an update or create asks for.
        card: What a create asks for.
        on_unknown: What a create does about an unknown outcome.
        cancel_after: Seconds until the caller loses patience; None for never.
    """

    key: str
    operation: str
    target: str
    deadline: float
    expiry: CardExpiry | None = None
    card: NewCard | None = None
    on_unknown: Literal["raise", "reconcile"] = "raise"
    cancel_after: float | None = None


@frozen
class Plan:
    """A whole run; the same plan asks for the same and meets the same faults.

    Attributes:
        seed: What all the rest follows from.
        calls: How many.
        weather: What goes wrong; see `cloud`.
        workers: Lanes under way at once.
        max_connections: Of the client.
        dialect: Of client and sandbox.
        budget: The client's retry budget.
    """

    seed: int
    calls: int
    weather: str
    workers: int
    max_connections: int
    dialect: Any
    budget: RetryBudget

    @classmethod
    def of(cls, seed: int, calls: int, weather: str | None = None) -> Plan:
        """Return the plan of a seed."""
        rng = random.Random(seed)
        workers = rng.randint(32, 64)
        return cls(
            seed=seed,
            calls=calls,
            weather=weather or WEATHERS[seed % len(WEATHERS)],
            workers=workers,
            max_connections=rng.choice([workers // 2, 100]),
            dialect=rng.choice(["perfectpay", "hyperswitch"]),
            # The default one is soon spent in such a weather; a large one lets retries go on.
            budget=rng.choice([RetryBudget(), LAVISH]),
        )

    @property
    def rate_limit(self) -> float | None:
        """Requests per second that the sandbox lets through."""
        return self.calls / 2 if self.weather == "throttled" else None

    def lanes(self, sandbox: Sandbox) -> list[list[Ask]]:
        """Put cards and customers into the sandbox, and return the calls on them.

        The calls of a lane concern one card or customer, and are made in turn.
        """
        rng = random.Random(self.seed + 1)
        ids = iter(sandbox.seed_cards(self.calls, expiry=SEEDED))
        numbers = card_numbers()
        expiries = itertools.cycle(
            CardExpiry(m, y) for y in range(2031, 2099) for m in range(1, 13)
        )
        keys = (f"s{self.seed}-{place:05d}" for place in range(self.calls))
        lanes: list[list[Ask]] = []
        while first := [*itertools.islice(keys, rng.randint(2, 6))]:
            kind = rng.choices(["card", "customer", "ghost"], [12, 5, 3])[0]
            customer, method_id = f"cus_{len(lanes)}", f"pm_ghost_{len(lanes)}"
            if kind == "card":
                method_id = next(ids)
                customer = sandbox.store.methods[method_id].customer_id
                operations = _card_operations(rng, len(first))
            elif kind == "customer":
                sandbox.seed_customer(customer)
                operations = ["create", *rng.choices(["create", "list"], k=len(first) - 1)]
            else:
                operations = rng.choices(["retrieve", "update", "delete"], k=len(first))
            targets = [
                customer if operation in {"create", "list"} else method_id
                for operation in operations
            ]
            lanes.append(
                [
                    _ask(rng, *each, number=next(numbers), expiry=next(expiries))
                    for each in zip(first, operations, targets, strict=True)
                ]
            )
        return lanes

    def cloud(self, sandbox: Sandbox, elsewhere: str) -> None:
        """Write what happens to each operation's requests into the sandbox's script.

        storm: every fault, on each operation, as far as its requests go. calm: none. The others
        have a sixth of faulty requests, and throttled: a rate limit; outage: nothing but 503 for a
        while; slow: nothing in time for a while; lossy: for a while, most answers are lost after
        the work was done.
        """
        rng = random.Random(self.seed + 2)
        for operation in OPERATIONS:
            expected = max(self.calls // len(OPERATIONS), 10)
            every = faults(elsewhere)
            rng.shuffle(every)
            every = every[: {"storm": None, "calm": 0}.get(self.weather, expected // 6)]
            steps = [*every, *[None] * (expected - len(every))]
            rng.shuffle(steps)
            place = rng.randrange(expected // 4)
            steps[place:place] = rng.choices(_stretch(self.weather), k=expected // 2)
            sandbox.faults.script(f"payment_methods.{operation}", steps)


def _stretch(weather: str) -> list[Fault | None]:
    """Return what happens, in any order, to half of the requests in a row."""
    match weather:
        case "outage":
            return [Fault.status(503)]
        case "slow":
            return [Fault.stall(), Fault.stall(applied=False), Fault.latency(1.0), Fault.drip()]
        case "lossy":
            return [Fault.reset_after(), Fault.truncate(), Fault.status(502, applied=True), None]
        case _:
            return [None]


def _card_operations(rng: random.Random, count: int) -> list[str]:
    operations = rng.choices(["update", "retrieve", "list"], [6, 3, 2], k=count)
    if rng.random() < 0.6:
        # What follows meets a card that is gone.
        operations[rng.randrange(count)] = operations[-1] = "delete"
    return operations


def _ask(
    rng: random.Random, key: str, operation: str, target: str, *, number: str, expiry: CardExpiry
) -> Ask:
    return Ask(
        key=key,
        operation=operation,
        target=target,
        deadline=rng.choices([1.5, 0.5, 0.2], [7, 2, 1])[0],
        expiry=expiry if operation in {"create", "update"} else None,
        card=NewCard(number, expiry, cvc=CVC) if operation == "create" else None,
        on_unknown=rng.choice(["raise", "raise", "reconcile"]),
        cancel_after=rng.uniform(0.0, 0.2) if rng.random() < 0.04 else None,
    )


def faults(elsewhere: str) -> list[Fault]:
    """Return one of every kind of fault, and more of those that come in several forms.

    Args:
        elsewhere: Address of another host, where redirects point.
    """
    echo = {
        "type": "api",
        "message": f"key {API_KEY}, card {next(card_numbers())}, secret {CLIENT_SECRET}",
        "data": {"card_cvc": CVC, "client_secret": CLIENT_SECRET, "api_key": API_KEY},
    }
    return [
        *(Fault.status(status) for status in (408, 425, 429, 500, 501, 502, 503, 504)),
        *(Fault.status(status, applied=True) for status in (408, 500, 503)),
        Fault.status(429, retry_after=0.04),
        Fault.status(429, retry_after=0.3),  # beyond some of the deadlines
        Fault.status(429, retry_after=120),  # beyond what any policy here accepts
        Fault.status(503, retry_after=0.05, applied=True),
        Fault.status(500, body=json.dumps({"error": echo})),
        Fault.status(400, body=json.dumps({"error": echo})),
        Fault.status(502, body="<html><h1>502 Bad Gateway</h1></html>"),
        Fault.status(200, body='{"error": {"type": "blocked", "code": "HE_03"}}', applied=True),
        Fault.latency(0.04),
        Fault.latency(ATTEMPT_TIMEOUT + 0.1),  # applied when the client has long given up
        Fault.reset_before(),
        Fault.reset_after(),
        Fault.truncate(),
        Fault.bad_json(),
        Fault.stall(),
        Fault.stall(applied=False),
        Fault.drip(0.05),
        Fault.gzip_bomb(9_000_000),
        *(Fault.redirect(elsewhere, status) for status in (302, 307, 308)),
        Fault.raw(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
        Fault.raw(bytes(range(256)), applied=True),
    ]


def card_numbers() -> Iterator[str]:
    """Yield distinct card numbers with a right check digit, all of one planted BIN."""
    for place in itertools.count():
        stem = f"{BIN}{place:09d}"
        digits = [int(d) * (2 - i % 2) for i, d in enumerate(reversed(stem))]
        yield stem + str(-sum(d - 9 if d > 9 else d for d in digits) % 10)
