"""A transport without a socket: answers what a test tells it to, and checks what is asked."""

from __future__ import annotations

import asyncio
import copy
import inspect
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, cast

from multidict import CIMultiDict

from perfectpay_async.client import PerfectPay
from perfectpay_async.errors import (
    ApiError,
    ClientClosedError,
    DeadlineExceeded,
    ResponseDecodingError,
    UnexpectedRedirect,
)
from perfectpay_async.http.translate import cut_off, timed_out
from perfectpay_async.messages import Request, Response
from perfectpay_async.outcome import Outcome

from .answers import Answer

if TYPE_CHECKING:
    Handler: TypeAlias = Callable[[Request], "Step | Awaitable[Step]"]
    Step: TypeAlias = (
        Answer | Mapping[str, object] | Sequence[object] | Exception | type[Exception] | Handler
    )

_MADE_OF_ANSWERS = (ApiError, ResponseDecodingError, UnexpectedRedirect)


class MockTransport:
    """Takes the place of the network below a client: retries, deadlines and decoding stay real.

    Say with `expect` which requests must come, and with `allow` which may. A request that is
    neither fails with an `AssertionError`, and `verify`, or leaving the `with` block, reports such
    requests (the code under test may have caught the error) and expectations that were not met.

    What a test wants is named by operation, such as `payment_methods.update`, or by method and
    path, such as `POST /customers` or `GET /payment_methods/{id}`, where a name in braces stands
    for any one segment. What happens then is one of:

        - an `Answer`, such as `Answer.rate_limited(retry_after=2)`;
        - a dictionary or list: status 200 with this as JSON;
        - an error of the transport, as a class or an object: `ConnectError` (not sent),
          `ConnectionLostError` (outcome unknown), `AttemptTimeout`, `TlsError` and so on;
        - a function, plain or async, that is given the `Request` and returns one of these.

    Attributes:
        requests: Every request in order of arrival, each attempt of a call by itself.

    Examples:
        >>> async def main():
        ...     with MockTransport() as mock:
        ...         mock.expect("payment_methods.retrieve", ConnectError, payment_method("pm_1"))
        ...         return await mock.client().payment_methods.retrieve("pm_1")
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._expected: list[_Expectation] = []
        self._allowed: list[_Expectation] = []
        self._unexpected: list[str] = []
        self._timers: set[asyncio.Timeout] = set()
        self._idle = asyncio.Event()
        self._closed = False
        self._cut = False

    def expect(self, target: str, *steps: Step) -> None:
        """Expect requests: as many as there are steps, which answer them in this order.

        A retry is a request too. Requests of different targets may come in any order.

        Args:
            target: Operation, or method and path.
            *steps: What happens to each.

        Raises:
            ValueError: The target has neither form, or there is no step.
            TypeError: A step is none of those.
        """
        if not steps:
            raise ValueError("expect needs an answer or error for each request")
        self._expected.append(_Expectation(target, steps))

    def allow(self, target: str, step: Step) -> None:
        """Let any number of requests come, also none; `expect` goes before it.

        Args:
            target: Operation, or method and path.
            step: What happens to each.

        Raises:
            ValueError: The target has neither form.
            TypeError: The step is none of those.
        """
        self._allowed.append(_Expectation(target, (step,)))

    def requests_of(self, target: str) -> list[Request]:
        """Return the requests of an operation, or of a method and path."""
        wanted = _Target(target)
        return [request for request in self.requests if wanted.fits(request)]

    def client(self, **settings: Any) -> PerfectPay:
        """Return a client on this transport. It needs no closing.

        Args:
            **settings: Of `PerfectPay`, such as `deadline` or `retry`.
        """
        settings.setdefault("api_key", "snd_test")
        settings.setdefault("base_url", "http://127.0.0.1")
        return PerfectPay(transport=self, **settings)

    def verify(self) -> None:
        """Check that all that was expected came, and nothing else.

        Raises:
            AssertionError: It did not; the message lists what is wrong.
        """
        __tracebackhide__ = True
        faults = self._unexpected + [
            f"never came: {expectation.target.text}, {len(expectation.steps)} more"
            for expectation in self._expected
            if expectation.steps
        ]
        if faults:
            raise AssertionError("; ".join(faults))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        if exc is None:
            self.verify()

    @property
    def closed(self) -> bool:
        """Whether it answers nothing any more."""
        return self._closed

    async def send(self, request: Request) -> Response:
        """Answer `request` as the test has said. See `Transport.send`.

        Raises:
            AssertionError: The test has said nothing of such a request.
        """
        if self._closed:
            raise ClientClosedError("the client is closed")
        now = asyncio.get_running_loop().time
        began = now()
        if began >= request.deadline:
            raise DeadlineExceeded(
                "the deadline had passed before the request was sent", outcome=Outcome.NOT_SENT
            )
        self.requests.append(request)
        timer = asyncio.timeout_at(min(began + request.attempt_timeout, request.deadline))
        self._timers.add(timer)
        self._idle.clear()
        try:
            async with timer:
                answer = await self._answer(request)
        except TimeoutError:
            if not timer.expired():
                raise
            answer = None
        finally:
            self._timers.discard(timer)
            if not self._timers:
                self._idle.set()
        if answer is None:
            if self._cut:
                raise cut_off(unsent=False)
            at_deadline = request.deadline <= began + request.attempt_timeout
            raise timed_out(request, at_deadline=at_deadline, unsent=False)
        headers = CIMultiDict(answer.headers)
        return Response(answer.status, headers, answer.body, now() - began, request)

    async def close(self, *, drain: float = 0.0) -> None:
        """Refuse further requests, and end those under way. See `Transport.close`."""
        self._closed = True
        try:
            async with asyncio.timeout(drain):
                while self._timers:
                    await self._idle.wait()
        except TimeoutError:
            pass
        self._cut = True
        for timer in self._timers:
            if not timer.expired():
                timer.reschedule(asyncio.get_running_loop().time())

    async def _answer(self, request: Request) -> Answer:
        step: Any = self._next_step(request)
        while callable(step) and not isinstance(step, type):
            step = step(request)
            if inspect.isawaitable(step):
                step = await step
            _check(step)
        if isinstance(step, type):
            raise step("simulated by MockTransport")
        if isinstance(step, Exception):
            raise copy.copy(step)  # each attempt gets an error of its own
        answer = step if isinstance(step, Answer) else Answer.json(step)
        if answer.delay:
            await asyncio.sleep(answer.delay)
        return answer

    def _next_step(self, request: Request) -> Step:
        for expectation in self._expected:
            if expectation.steps and expectation.target.fits(request):
                return expectation.steps.popleft()
        for allowed in self._allowed:
            if allowed.target.fits(request):
                return allowed.steps[0]
        operation = request.operation
        fault = (
            f"unexpected: {operation.name} ({operation.method} {request.url.raw_path}), "
            f"attempt {request.attempt}"
        )
        self._unexpected.append(fault)
        raise AssertionError(fault)


class _Target:
    """An operation, or a method and a path."""

    def __init__(self, text: str) -> None:
        self.text = text
        method, _, path = text.partition(" ")
        if path and not (method.isupper() and path.startswith("/")):
            raise ValueError(
                f"'{text}' is neither an operation such as 'payment_methods.update' nor a method "
                "and path such as 'GET /payment_methods/{id}'"
            )
        self._method = method if path else ""
        parts = re.split(r"\{\w+\}", path)
        self._path = re.compile("[^/]+".join(map(re.escape, parts)))

    def fits(self, request: Request) -> bool:
        operation = request.operation
        if not self._method:
            return operation.name == self.text
        return operation.method == self._method and bool(self._path.fullmatch(request.url.raw_path))


class _Expectation:
    """A target, and what happens to the requests that fit it."""

    def __init__(self, target: str, steps: Sequence[Step]) -> None:
        self.target = _Target(target)
        self.steps = deque(steps)
        for step in steps:
            _check(step)


def _check(step: object) -> None:
    """Check that something says what happens to a request."""
    kind = step if isinstance(step, type) else type(step)
    if issubclass(kind, _MADE_OF_ANSWERS):
        raise TypeError(
            f"{kind.__name__} is made of an answer: give the answer, such as "
            "Answer.error(404, 'HE_02') or Answer.bad_json()"
        )
    is_content = issubclass(kind, Mapping | Sequence) and not issubclass(kind, str | bytes)
    is_step = is_content or issubclass(kind, Answer | Exception)
    if not is_step and (isinstance(step, type) or not callable(step)):
        raise TypeError(
            "what happens to a request must be an Answer, a dictionary or list, an error of the "
            f"transport, or a function; not {cast('type', kind).__name__}"
        )
    if isinstance(step, type) and not issubclass(step, Exception):
        raise TypeError(f"pass an object of {step.__name__}, not the class")
