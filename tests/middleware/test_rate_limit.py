import asyncio
import itertools

import pytest

from perfectpay_async.errors import ConfigurationError, DeadlineExceeded
from perfectpay_async.middleware import RateLimit
from perfectpay_async.outcome import Outcome
from perfectpay_async.testing import VirtualClock


class Server:
    """The rest of the pipeline: notes when each request starts, and holds it while told to."""

    def __init__(self, make_response):
        self.make_response = make_response
        self.started = []
        self.in_flight = self.most_in_flight = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, request):
        self.started.append((request.idempotency_key, asyncio.get_running_loop().time()))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self.gate.wait()
            return self.make_response(request)
        finally:
            self.in_flight -= 1

    @property
    def order(self):
        return [key for key, _ in self.started]


@pytest.fixture
async def server(make_response):
    return Server(make_response)


async def test_starts_are_spaced_and_first_come_is_first_served(server, make_request):
    limit = RateLimit(requests_per_second=0.01)
    requests = [make_request(idempotency_key=str(number), deadline=1e9) for number in range(6)]
    with VirtualClock():
        await asyncio.gather(*[limit(request, server) for request in requests])
    assert server.order == ["0", "1", "2", "3", "4", "5"]
    times = [moment for _, moment in server.started]
    # A slow machine may start one some seconds late, and the next one in time.
    assert all(90 < later - earlier < 110 for earlier, later in itertools.pairwise(times))
    assert 490 < times[-1] - times[0] < 510


async def test_no_more_than_so_many_are_under_way(server, make_request):
    limit = RateLimit(max_in_flight=3)
    server.gate.clear()
    calls = [asyncio.create_task(limit(make_request(), server)) for _ in range(8)]
    await asyncio.sleep(0.01)
    assert server.in_flight == 3
    server.gate.set()
    await asyncio.gather(*calls)
    assert server.most_in_flight == 3


async def test_a_cancelled_wait_leaves_its_place_to_the_next(server, make_request):
    limit = RateLimit(requests_per_second=0.01, max_in_flight=8)
    with VirtualClock():
        calls = [
            asyncio.create_task(
                limit(make_request(idempotency_key=str(number), deadline=1e9), server)
            )
            for number in range(4)
        ]
        await asyncio.sleep(25)
        calls[1].cancel()
        calls[2].cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    assert server.order == ["0", "3"]
    first, last = [moment for _, moment in server.started]
    assert 90 < last - first < 110


@pytest.mark.parametrize("settings", [{"requests_per_second": 0.01}, {"max_in_flight": 1}])
async def test_a_wait_ends_at_the_deadline_with_nothing_sent(server, make_request, settings):
    limit = RateLimit(**settings)
    server.gate.clear()
    first = asyncio.create_task(limit(make_request(), server))
    await asyncio.sleep(0)
    with pytest.raises(DeadlineExceeded, match="own rate limit") as caught:
        await limit(make_request(deadline=0.03), server)
    assert caught.value.outcome is Outcome.NOT_SENT
    server.gate.set()
    await first
    assert len(server.started) == 1


async def test_permits_come_back_after_failures_and_cancels(server, make_request):
    limit = RateLimit(max_in_flight=1)

    async def fail(request):
        raise LookupError("mine")

    with pytest.raises(LookupError):
        await limit(make_request(), fail)
    server.gate.clear()
    hanging = asyncio.create_task(limit(make_request(), server))
    await asyncio.sleep(0)
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    server.gate.set()
    await limit(make_request(deadline=30), server)


@pytest.mark.parametrize(
    "settings", [{"requests_per_second": 0}, {"max_in_flight": 0}, {"max_in_flight": 1.5}]
)
def test_what_makes_no_sense_is_refused(settings):
    with pytest.raises(ConfigurationError, match="must be a"):
        RateLimit(**settings)
