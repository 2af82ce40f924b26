from __future__ import annotations

import asyncio

import pytest
from tenacity import RetryCallState

from perfectpay_async import CardExpiry, ConfigurationError, DeadlineExceeded, PerfectPay
from perfectpay_async.bulk import pace as pace_module
from perfectpay_async.bulk.pace import Pace, StopAfterAttempts
from perfectpay_async.errors import ConnectionLostError, RateLimited, ServerError
from perfectpay_async.outcome import Outcome
from perfectpay_async.sandbox import Sandbox
from perfectpay_async.testing import VirtualClock


@pytest.fixture
def answers(make_response):
    """Makes a server that answers at once with the same status."""

    def make(status=200, **headers):
        async def answer(request):
            return make_response(request, status, **headers)

        return answer

    return make


class TestSchedule:
    async def test_starts_are_spaced(self, make_request, answers):
        pace, now = Pace(50.0, 64), asyncio.get_running_loop().time
        pace._control.rate = lambda _now: 50.0
        began = now()

        await asyncio.gather(*(pace(make_request(), answers()) for _ in range(11)))

        assert 0.15 < now() - began < 10

    async def test_first_come_first_served(self, make_request, make_response):
        pace, order = Pace(1_000.0, 64), []
        pace._control.rate = lambda _now: 200.0

        async def answer(request):
            order.append(request.attempt)
            return make_response(request)

        await asyncio.gather(*(pace(make_request(attempt=n), answer) for n in range(20)))

        assert order == list(range(20))

    async def test_a_new_rate_counts_for_who_waits_already(self, make_request, make_response):
        pace, rate = Pace(1_000.0, 64), 0.01
        pace._control.rate = lambda _now: rate
        release = asyncio.Event()

        async def slow(request):
            await release.wait()
            return make_response(request)

        first = asyncio.create_task(pace(make_request(), slow))
        await asyncio.sleep(0)
        second = asyncio.create_task(pace(make_request(), slow))
        await asyncio.sleep(0.01)
        rate = 1_000.0
        release.set()  # an answer is when the rate changes

        async with asyncio.timeout(10):
            await asyncio.gather(first, second)

    async def test_who_is_cancelled_takes_no_place(self, make_request, answers):
        request = make_request(deadline=1e9)
        with VirtualClock():
            pace = Pace(1_000.0, 64)
            pace._control.rate = lambda _now: 0.1
            await pace(request, answers())
            waiting = [asyncio.create_task(pace(request, answers())) for _ in range(20)]
            await asyncio.sleep(0.01)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

            async with asyncio.timeout(20):  # its own turn comes after 10 s, a further one after 20
                await pace(request, answers())
        assert pace.figures.requests == 2

    async def test_the_deadline_ends_the_wait(self, make_request, answers):
        pace = Pace(0.01, 64)
        await pace(make_request(), answers())

        with pytest.raises(DeadlineExceeded) as caught:
            await pace(make_request(deadline=0.02), answers())

        assert caught.value.outcome is Outcome.NOT_SENT


class TestCap:
    async def test_a_cancelled_request_gives_its_place_back(
        self, make_request, answers, monkeypatch
    ):
        monkeypatch.setattr(pace_module, "_STALLED_SECONDS", 1e9)
        pace = Pace(1_000.0, 1)

        async def hangs(_request):
            await asyncio.Event().wait()

        hanging = asyncio.create_task(pace(make_request(), hangs))
        await asyncio.sleep(0.01)
        waiting = asyncio.create_task(pace(make_request(), answers()))
        await asyncio.sleep(0.15)
        assert not waiting.done()
        hanging.cancel()

        async with asyncio.timeout(20):
            assert (await waiting).status == 200

    async def test_stalled_requests_do_not_stop_the_run(self, make_request, answers, monkeypatch):
        monkeypatch.setattr(pace_module, "_STALLED_SECONDS", 0.2)
        pace = Pace(1_000.0, 1)

        async def hangs(_request):
            await asyncio.Event().wait()

        hanging = asyncio.create_task(pace(make_request(), hangs))
        await asyncio.sleep(0.01)

        async with asyncio.timeout(20):
            await pace(make_request(), answers())
        hanging.cancel()


class TestGate:
    async def test_it_holds_everything_but_a_probe(self, make_request, answers):
        request, sent, answer_now = make_request(deadline=1e9), [], asyncio.Event()

        async def slow(request):
            sent.append(request)
            await answer_now.wait()
            return await answers()(request)

        with VirtualClock():
            pace = Pace(1_000.0, 64)
            await pace(request, answers(429))
            await pace(request, answers(429, retry_after="22"))
            assert not pace.gate_open

            others = [asyncio.create_task(pace(request, slow)) for _ in range(3)]
            others.append(asyncio.create_task(pace.room()))
            await asyncio.sleep(15)
            assert not sent
            await asyncio.sleep(18)
            assert len(sent) == 1
            assert not any(task.done() for task in others)

            answer_now.set()
            await asyncio.gather(*others)
            assert pace.gate_open

    async def test_its_throttles_are_not_counted_as_attempts(self, make_request, answers):
        pace = Pace(1_000.0, 64)
        stop = StopAfterAttempts(2, pace)

        def asked(attempt, failure):
            state = RetryCallState(None, None, (), {})
            state.attempt_number = attempt
            state.set_exception((type(failure), failure, None))
            return stop(state)

        assert not asked(1, RateLimited("too many"))
        await pace(make_request(), answers(429))
        await pace(make_request(), answers(429))
        assert not asked(2, RateLimited("too many"))
        assert not asked(2, RateLimited("too many"))
        assert asked(4, ServerError("no"))

    async def test_a_pause_after_a_throttle_holds_every_request(self, make_request, answers):
        pace, now = Pace(1_000.0, 64), asyncio.get_running_loop().time
        await pace(make_request(), answers(429, retry_after="0.3"))
        began = now()
        assert pace.gate_open

        await pace.room()
        await pace(make_request(), answers())

        assert now() - began >= 0.29


class TestFaults:
    @pytest.mark.parametrize("status", [502, 503, 504])
    async def test_a_server_in_trouble_lowers_the_cap(self, make_request, answers, status):
        pace = Pace(1_000.0, 10)
        await pace(make_request(), answers(status))
        assert pace.figures.in_flight_cap == 7

    async def test_so_does_a_lost_connection(self, make_request):
        pace = Pace(1_000.0, 10)

        async def lost(_request):
            raise ConnectionLostError("gone")

        with pytest.raises(ConnectionLostError):
            await pace(make_request(), lost)
        assert pace.figures.in_flight_cap == 7


class TestRun:
    async def test_a_limited_server_rejects_little_and_nothing_is_lost(self):
        seen = []
        async with (
            Sandbox(rate_limit=30) as server,
            PerfectPay(server.api_key, base_url=server.url) as client,
        ):
            rows = [(card, CardExpiry(12, 2035)) for card in server.seed_cards(90)]
            report = await client.bulk.update_expiries(rows, rate=200, on_rate=seen.append)

        assert report.complete
        assert {server.ledger.expiry_of(card) for card, _ in rows} == {("12", "35")}
        assert report.rate == seen[-1]
        assert 1 <= report.rate.cuts <= report.rate.rejected <= 9
        assert report.rate.requests == report.attempts

    async def test_the_ceiling_holds(self, client):
        rows = [(f"pm_{n}", CardExpiry(12, 2035)) for n in range(20)]

        report = await client.bulk.update_expiries(rows, rate=20)

        assert report.complete
        assert report.requests_per_second < 25

    async def test_a_row_outlives_many_throttles_while_the_gate_is_closed(
        self, client, api, monkeypatch
    ):
        monkeypatch.setattr("perfectpay_async.bulk.controller._FIRST_CLOSURE", 0.01)

        async def busy(api, _card):
            return 429 if len(api.keys) < 6 else 200

        api.answer = busy

        report = await client.bulk.update_expiries([("pm_1", CardExpiry(12, 2035))], attempts=2)

        assert (report.ok, report.attempts) == (1, 6)

    @pytest.mark.parametrize("rate", [0, -1, float("nan"), True, "40"])
    async def test_a_rate_that_makes_no_sense_is_refused(self, client, rate):
        with pytest.raises(ConfigurationError, match="rate must be a number"):
            await client.bulk.update_expiries([], rate=rate)


class TestRoom:
    async def test_there_is_none_before_the_control_was_asked(self, make_request, answers):
        """It costs the first row a wait of no time."""
        pace = Pace(1_000.0, 64)
        assert not pace.has_room()

        await pace.room()

        assert pace.has_room()

    async def test_there_is_none_at_the_cap(self, make_request, make_response):
        pace, release = Pace(1_000.0, 2), asyncio.Event()

        async def slow(request):
            await release.wait()
            return make_response(request)

        await pace.room()
        sent = [asyncio.create_task(pace(make_request(), slow)) for _ in range(2)]
        await asyncio.sleep(0)
        assert not pace.has_room()

        release.set()
        await asyncio.gather(*sent)
        assert pace.has_room()

    @pytest.mark.parametrize("status", [429, 503])
    async def test_there_is_none_after_a_refusal(self, make_request, answers, status):
        pace = Pace(1_000.0, 64)
        await pace.room()

        await pace(make_request(), answers(status))

        assert not pace.has_room()

    async def test_nobody_overtakes_a_row_that_waits_for_it(self, make_request, make_response):
        pace, release = Pace(1_000.0, 1), asyncio.Event()

        async def slow(request):
            await release.wait()
            return make_response(request)

        async def row():
            await pace(make_request(), slow)
            return pace.has_room()  # where a worker asks, before whoever waits can go on

        await pace.room()
        sent = asyncio.create_task(row())
        await asyncio.sleep(0)
        waiting = asyncio.create_task(pace.room())
        await asyncio.sleep(0)
        release.set()

        assert not await sent
        await asyncio.wait_for(waiting, 10)
        assert pace.has_room()
