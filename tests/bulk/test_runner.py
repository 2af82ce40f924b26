from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter
from datetime import UTC, datetime

import aiohttp
import pytest

from perfectpay_async import (
    AuthenticationError,
    CardExpiry,
    ClientClosedError,
    ConfigurationError,
    ConnectError,
    PerfectPay,
    PermissionDenied,
    RouteNotFound,
)
from perfectpay_async.bulk import (
    BadRow,
    Bulk,
    BulkJob,
    ExpiryRow,
    InputRefused,
    Verdict,
    read_account,
    read_csv,
)
from perfectpay_async.errors import ConnectionLostError
from perfectpay_async.sandbox import Fault, Sandbox
from perfectpay_async.testing import MockTransport

YEAR = datetime.now(UTC).year + 3
NEW = CardExpiry(12, YEAR)


async def update(client: PerfectPay, rows, **options):
    """Update as fast as it goes; the rate control has tests of its own."""
    return await client.bulk.update_expiries(rows, **{"rate": None, "stops": None, **options})


def rows_of(count: int) -> list[tuple[str, CardExpiry]]:
    return [(f"pm_{number}", NEW) for number in range(count)]


def status(code: int):
    async def answer(_api, _card):
        return code

    return answer


def raises(error: Exception):
    async def answer(_api, _card):
        raise error

    return answer


class TestOk:
    async def test_every_row_is_applied_and_accounted_for(self, client, api):
        results = []

        report = await update(client, rows_of(500), on_result=results.append)

        assert len(api.updates) == report.ok == report.rows == report.attempts == 500
        assert report.complete
        assert (report.problem_count, report.retried, report.remaining) == (0, 0, 0)
        assert report.problems == ()
        assert report.stopped_by is None
        assert sorted(result.number for result in results) == list(range(1, 501))
        assert {result.verdict for result in results} == {Verdict.OK}
        assert results[0].request_id is not None

    @pytest.mark.parametrize("concurrency", [1, 7, 64])
    async def test_no_more_are_under_way_than_allowed(self, client, api, concurrency):
        await update(client, rows_of(200), concurrency=concurrency)

        assert api.most_flying == concurrency

    async def test_rows_are_taken_one_by_one_as_they_are_needed(self, client, api):
        taken = []

        def source():
            for row in rows_of(300):
                taken.append(row)
                assert len(taken) <= len(api.updates) + 8
                yield row

        report = await update(client, source(), concurrency=8)

        assert report.ok == 300

    async def test_rows_may_come_from_an_async_source(self, client):
        async def source():
            for row in rows_of(50):
                await asyncio.sleep(0)
                yield row

        report = await update(client, source(), concurrency=8)

        assert (report.ok, report.remaining) == (50, 0)

    async def test_no_rows_at_all(self, client):
        report = await update(client, [])

        assert report.complete
        assert report.requests_per_second == 0.0


class TestIdempotencyKey:
    async def test_the_same_change_has_the_same_key_in_every_run(self, client, api):
        rows = [("pm_1", NEW), ("pm_2", NEW), ("pm_3", CardExpiry(11, YEAR))]

        await update(client, rows)
        await update(client, rows)

        keys = [key for _, key in api.keys]
        assert sorted(keys[:3]) == sorted(keys[3:])
        assert len(set(keys)) == 3

    async def test_it_is_a_uuid_of_version_8(self, client, api):
        await update(client, [("pm_1", CardExpiry(12, 2031))])

        key = uuid.UUID(api.keys[0][1])
        assert (key.version, key.variant) == (8, uuid.RFC_4122)
        assert str(key) == "4b4a271f-1919-8488-98d7-a3f26450f59c"

    async def test_another_value_of_the_same_card_has_another_key(self, client, api):
        rows = [("pm_1", NEW), ("pm_1", CardExpiry(11, YEAR)), ("pm_1", CardExpiry(12, YEAR, 4))]

        await update(client, rows)

        assert len(set(api.keys)) == 3

    async def test_the_attempts_of_a_row_share_it(self, client, api):
        async def fails_once(api, card):
            return 503 if len(api.keys) == 1 else 200

        api.answer = fails_once

        report = await update(client, [("pm_1", NEW)])

        assert (report.ok, report.retried, report.attempts) == (1, 1, 2)
        assert len(api.keys) == 2
        assert len(set(api.keys)) == 1


class TestVerdicts:
    @pytest.mark.parametrize(
        ("answer", "verdict", "attempts"),
        [
            (status(400), Verdict.REJECTED, 1),
            (status(404), Verdict.REJECTED, 1),
            (status(422), Verdict.REJECTED, 1),
            (status(429), Verdict.EXHAUSTED, 2),
            (status(503), Verdict.UNKNOWN, 2),
            (status(418), Verdict.REJECTED, 1),
            (raises(ConnectError("no")), Verdict.EXHAUSTED, 2),
            (raises(ConnectionLostError("gone")), Verdict.UNKNOWN, 2),
        ],
    )
    async def test_a_failure_says_what_it_means(self, client, api, answer, verdict, attempts):
        api.answer = answer

        report = await update(client, [("pm_1", NEW)], attempts=2)

        (problem,) = report.problems
        assert problem.verdict is verdict
        assert problem.attempts == report.attempts == attempts
        assert problem.number == 1
        assert problem.payment_method_id == "pm_1"
        assert problem.message
        assert getattr(report, verdict) == report.rows == report.problem_count == 1
        assert not report.complete

    async def test_one_uncertain_attempt_makes_the_row_unknown(self, client, api):
        async def lost_then_refused(api, _card):
            return 503 if len(api.keys) == 1 else 400

        api.answer = lost_then_refused

        report = await update(client, [("pm_1", NEW)])

        assert (report.unknown, report.rejected, report.retried) == (1, 0, 1)

    async def test_turned_away_and_then_not_reached_is_exhausted(self, client, api):
        async def turned_away_then_not_reached(api, _card):
            if len(api.keys) == 1:
                return 429
            raise ConnectError("no")

        api.answer = turned_away_then_not_reached

        report = await update(client, [("pm_1", NEW)], attempts=2)

        assert (report.exhausted, report.rejected) == (1, 0)

    async def test_rows_that_break_a_rule_are_not_sent(self, client, api):
        rows = [
            BadRow(2, "exp_month must be 1 to 12"),
            ExpiryRow(3, "pm_1", CardExpiry(1, 2001)),
            ExpiryRow(4, "pm/1", NEW),
            ExpiryRow(5, "pm_1", NEW),
        ]

        report = await update(client, rows, concurrency=1)

        assert (report.ok, report.invalid, report.attempts) == (1, 3, 1)
        assert [(problem.number, problem.message) for problem in report.problems] == [
            (2, "exp_month must be 1 to 12"),
            (3, "expiry must not be in the past"),
            (4, "payment_method_id must not hold any of / \\ ? # %"),
        ]
        assert len(api.updates) == 1

    async def test_rows_that_are_not_sent_do_not_hold_the_loop_up(self, client):
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticker = asyncio.create_task(tick())
        await update(client, (BadRow(n, "x") for n in range(1_000)), concurrency=1)
        ticker.cancel()

        assert ticks > 900

    async def test_an_answer_that_cannot_be_read_is_unknown(self, client, api):
        async def for_another_card(_api, _card):
            return 204

        api.answer = for_another_card

        report = await update(client, [("pm_1", NEW)])

        assert (report.unknown, report.attempts) == (1, 1)

    async def test_problems_are_bounded_and_counted(self, client, api):
        api.answer = status(400)

        report = await update(client, rows_of(1_100))

        assert len(report.problems) == 1_000
        assert report.problem_count == report.rejected == 1_100


class TestOneCardAtATime:
    async def test_rows_of_one_card_never_fly_together_and_the_last_wins(self, client, api):
        shuffle = random.Random(1)
        rows = [
            (f"pm_{shuffle.randrange(10)}", CardExpiry(n % 12 + 1, YEAR + n % 5))
            for n in range(400)
        ]

        async def slow(_api, card):
            for _ in range(shuffle.randrange(5)):
                await asyncio.sleep(0)
            return 200

        api.answer = slow

        report = await update(client, rows, concurrency=32)

        assert report.ok == 400
        assert api.most_flying_per_card == 1
        for card in {card for card, _ in rows}:
            asked = [f"{e.wire_month}/{e.wire_year}" for c, e in rows if c == card]
            assert [expiry for c, expiry in api.updates if c == card] == asked

    async def test_other_cards_do_not_wait(self, client, api):
        others_are_done = asyncio.Event()

        async def first_waits_for_all_others(api, card):
            if card == "pm_first":
                await others_are_done.wait()
            elif len(api.updates) == 99:
                others_are_done.set()
            return 200

        api.answer = first_waits_for_all_others
        rows = [("pm_first", NEW), ("pm_first", NEW), *rows_of(100)]

        async with asyncio.timeout(60):
            report = await update(client, rows, concurrency=4)

        assert report.ok == 102


class TestStops:
    @pytest.mark.parametrize(
        ("answer", "kind"), [(status(401), AuthenticationError), (status(403), PermissionDenied)]
    )
    async def test_a_refused_key_ends_the_run_at_once(self, client, api, answer, kind):
        api.answer = answer

        report = await update(client, rows_of(1_000), concurrency=8)

        assert isinstance(report.stopped_by, kind)
        assert report.rejected == report.rows == len(api.keys) == 8
        assert report.remaining == 992
        assert not report.complete

    async def test_so_does_an_address_that_is_not_the_api(self, client, api):
        api.answer = raises(RouteNotFound("no such route"))

        report = await update(client, rows_of(10), concurrency=1)

        assert isinstance(report.stopped_by, RouteNotFound)
        assert report.remaining == 9

    async def test_what_is_under_way_is_finished(self, client, api):
        async def key_is_revoked(api, card):
            if card == "pm_5":
                return 401
            await asyncio.sleep(0.01)
            return 200

        api.answer = key_is_revoked

        report = await update(client, rows_of(100), concurrency=10)

        assert (report.ok, report.rejected, report.remaining) == (9, 1, 90)

    async def test_the_rest_of_an_iterator_is_not_counted(self, client, api):
        api.answer = status(401)

        report = await update(client, iter(rows_of(100)), concurrency=1)

        assert report.remaining is None
        assert not report.complete

    async def test_a_row_that_waits_for_its_card_is_not_started(self, client, api):
        api.answer = status(401)

        report = await update(client, [("pm_1", NEW)] * 3, concurrency=3)

        assert (report.rejected, report.remaining, len(api.keys)) == (1, 2, 1)

    async def test_it_does_not_wait_for_a_source_that_has_no_row_to_give(self, client, api):
        api.answer = status(401)

        async def source():
            yield ("pm_1", NEW)
            await asyncio.Event().wait()

        async with asyncio.timeout(60):
            report = await update(client, source(), concurrency=3)

        assert report.rejected == 1

    async def test_the_iterator_can_end_it(self, client, api):
        def source():
            for row in rows_of(100):
                if len(api.updates) >= 20:
                    return
                yield row

        report = await update(client, source(), concurrency=4)

        assert 20 <= report.ok <= 24


class TestErrors:
    async def test_an_error_of_the_source_is_raised_after_what_is_under_way(self, client, api):
        def source():
            yield from rows_of(5)
            raise InputRefused("line 7: no")

        results = []
        with pytest.raises(InputRefused, match="line 7"):
            await update(client, source(), on_result=results.append)

        assert len(results) == len(api.updates) == 5

    async def test_an_error_of_on_result_is_raised(self, client, api):
        def refuse(_result):
            raise KeyError("mine")

        with pytest.raises(KeyError):
            await update(client, rows_of(50), concurrency=4, on_result=refuse)

        assert len(api.updates) == 4

    async def test_an_error_that_is_not_ours_is_raised_and_its_row_unknown(self, client, api):
        api.answer = raises(LookupError("a middleware's"))
        results = []

        with pytest.raises(LookupError):
            await update(client, rows_of(50), concurrency=2, on_result=results.append)

        assert {result.verdict for result in results} == {Verdict.UNKNOWN}
        assert results[0].message == "ended by LookupError while it was under way"

    @pytest.mark.parametrize(
        ("settings", "sentence"),
        [
            ({"concurrency": 0}, "concurrency must be a whole number from 1"),
            ({"concurrency": True}, "concurrency must be a whole number from 1"),
            ({"attempts": 0}, "attempts must be a whole number from 1"),
            ({"attempts": 1.5}, "attempts must be a whole number from 1"),
            ({"deadline": 0}, "deadline must be a number of seconds above 0"),
        ],
    )
    async def test_bad_settings_are_refused_before_the_first_row(self, client, settings, sentence):
        def source():
            pytest.fail("a row was taken")
            yield

        with pytest.raises(ConfigurationError) as caught:
            await update(client, source(), **settings)

        assert str(caught.value) == sentence


class TestCancel:
    async def test_cancelling_wins_and_leaves_nothing_behind(self, client, api):
        all_under_way = asyncio.Event()

        async def hangs(api, _card):
            if api.flying.total() == 7:
                all_under_way.set()
            await asyncio.Event().wait()
            return 200

        api.answer = hangs
        results = []
        before = asyncio.all_tasks()
        run = asyncio.create_task(
            update(client, [("pm_0", NEW), *rows_of(100)], concurrency=8, on_result=results.append)
        )
        await all_under_way.wait()

        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

        assert asyncio.all_tasks() == before
        assert api.flying.total() == 0
        # The eighth worker's row had not begun: it waited for its card.
        assert [result.verdict for result in results] == [Verdict.UNKNOWN] * 7
        assert results[0].message == "ended by CancelledError while it was under way"


class TestAgainstTheSandbox:
    """The proof of a run: the report on one side, the server's ledger on the other."""

    @pytest.fixture
    async def sandbox(self):
        async with Sandbox(seed=7) as sandbox:
            yield sandbox

    @pytest.fixture
    async def live(self, sandbox):
        async with PerfectPay(sandbox.api_key, base_url=sandbox.url) as client:
            yield client

    async def test_faults_cost_no_row(self, sandbox, live):
        sandbox.faults.add(
            Fault.status(503, probability=0.05),
            Fault.status(503, applied=True, probability=0.05),
            Fault.reset_before(probability=0.05),
            Fault.reset_after(probability=0.05),
            Fault.truncate(probability=0.02),
        )
        ids = sandbox.seed_cards(1_000)
        rows = [(card, CardExpiry(n % 12 + 1, YEAR + n % 7)) for n, card in enumerate(ids)]

        report = await update(live, rows)

        assert report.complete
        assert report.ok == report.rows == 1_000
        assert report.retried > 100
        assert report.attempts == len(sandbox.ledger.requests)
        assert live.retry_budget.refused == 0
        assert sandbox.ledger.max_in_flight_per_id == 1
        for card, expiry in rows:
            asked = (expiry.wire_month, expiry.wire_year)
            assert sandbox.ledger.expiry_of(card) == asked
            keys = {
                request.idempotency_key
                for request in sandbox.ledger.requests
                if request.payment_method_id == card
            }
            assert len(keys) == 1

    async def test_turned_away_rows_come_back(self, sandbox, live):
        sandbox.faults.add(Fault.status(429, retry_after=0, times=3))
        ids = sandbox.seed_cards(50)

        report = await update(live, [(card, NEW) for card in ids])

        assert (report.ok, report.retried, report.attempts) == (50, 3, 53)

    async def test_every_row_is_in_exactly_one_class_and_the_ledger_agrees(self, sandbox, live):
        sandbox.faults.add(
            Fault.status(503, probability=0.2),
            Fault.reset_after(probability=0.2),
            Fault.bad_json(probability=0.05),
            Fault.status(400, probability=0.1),
        )
        ids = [*sandbox.seed_cards(300), *(f"pm_gone{n}" for n in range(20)), "pm/bad"]
        results = []

        report = await update(
            live, [(card, NEW) for card in ids], attempts=1, on_result=results.append
        )

        assert sorted(result.number for result in results) == list(range(1, 322))
        counts = Counter(result.verdict for result in results)
        assert {verdict: getattr(report, verdict) for verdict in Verdict} == {
            verdict: counts[verdict] for verdict in Verdict
        }
        assert min(counts[v] for v in set(Verdict) - {Verdict.EXHAUSTED, Verdict.SKIPPED}) > 0
        applied = {write.payment_method_id for write in sandbox.ledger.writes}
        for result in results:
            if result.verdict is Verdict.OK:
                assert result.payment_method_id in applied
            elif result.verdict is not Verdict.UNKNOWN:
                assert result.payment_method_id not in applied

    async def test_duplicates_under_faults_end_at_the_last_row(self, sandbox, live):
        sandbox.faults.add(Fault.status(503, probability=0.1), Fault.reset_after(probability=0.1))
        ids = sandbox.seed_cards(20)
        rows = [(ids[n % 20], CardExpiry(n % 12 + 1, YEAR + n // 20)) for n in range(200)]

        report = await update(live, rows)

        assert report.ok == 200
        assert sandbox.ledger.max_in_flight_per_id == 1
        assert {sandbox.ledger.expiry_of(card)[1] for card in ids} == {str(YEAR + 9)[-2:]}

    async def test_a_wrong_key_stops_at_once(self, sandbox):
        async with PerfectPay("snd_wrong", base_url=sandbox.url) as client:
            ids = sandbox.seed_cards(200)
            report = await update(client, [(card, NEW) for card in ids])

        assert isinstance(report.stopped_by, AuthenticationError)
        assert report.rows == len(sandbox.ledger.requests) == 64
        assert report.remaining == 136

    async def test_a_csv_file_is_a_source(self, sandbox, live, tmp_path):
        ids = sandbox.seed_cards(30)
        path = tmp_path / "cards.csv"
        lines = ["payment_method_id,exp_month,exp_year", *(f"{card},3,{YEAR}" for card in ids), "x"]
        path.write_text("\n".join(lines))

        report = await update(live, read_csv(path))

        assert (report.ok, report.invalid) == (30, 1)
        assert report.problems[0].number == 32
        assert sandbox.ledger.expiry_of(ids[0]) == ("03", str(YEAR)[-2:])


async def test_bulk_needs_nothing_but_the_caller_of_a_client(client: PerfectPay):
    view = client.with_options(headers={"X-Profile-Id": "pro_1"})

    bulk = Bulk(lambda _pace, _gate, _options: view._caller, "perfectpay", "", view._transport)
    report = await bulk.update_expiries(rows_of(3))

    assert report.ok == 3


async def test_no_more_rows_are_under_way_than_the_client_has_connections():
    async def rows():
        for number in range(50):
            taken.append(number)
            yield (f"pm_{number}", NEW)

    async with (
        Sandbox(seed=1) as sandbox,
        PerfectPay(sandbox.api_key, base_url=sandbox.url, max_connections=2) as client,
    ):
        taken: list[int] = []
        sandbox.faults.add(Fault.status(401, times=1))
        report = await update(client, rows(), concurrency=64)

        # The first one ends the run; what was sent before that may be answered still.
        assert isinstance(report.stopped_by, AuthenticationError)
        assert len(sandbox.ledger.requests) <= 3
        assert len(taken) <= 4


class TestClosedClient:
    """A client that is closed: nothing is read, and nothing is called exhausted."""

    @pytest.fixture(params=["closed", "view", "session", "double"])
    async def closed(self, request):
        session = aiohttp.ClientSession() if request.param == "session" else None
        double = MockTransport() if request.param == "double" else None
        client = PerfectPay(
            "snd_x", base_url="http://127.0.0.1:9", session=session, transport=double
        )
        if session is None:
            await client.close()
        else:
            await session.close()
        return client.with_options(deadline=5.0) if request.param == "view" else client

    async def test_no_row_is_read(self, closed, tmp_path):
        rows = iter([("pm_1", NEW)])
        with pytest.raises(ClientClosedError, match="the client is closed; open a new client"):
            await closed.bulk.update_expiries(rows)
        with pytest.raises(ClientClosedError):
            await closed.bulk.verify_expiries(rows)
        with BulkJob(tmp_path / "a.job") as job:
            run = closed.bulk.expiry_run(rows, job=job)
            with pytest.raises(ClientClosedError):
                async with run:
                    pass
            assert not run.begun
            assert read_account(job.path).runs == ()
        assert next(rows) == ("pm_1", NEW)

    async def test_one_that_is_closed_meanwhile_ends_the_run(self):
        async def rows():
            yield (cards[0], NEW)
            await client.close()
            yield (cards[1], NEW)
            yield (cards[2], NEW)

        async with Sandbox(seed=1) as sandbox:
            cards = sandbox.seed_cards(3)
            client = PerfectPay(sandbox.api_key, base_url=sandbox.url)
            report = await update(client, rows(), concurrency=1)
            assert len(sandbox.ledger.requests) == 1

        assert isinstance(report.stopped_by, ClientClosedError)
        assert report.ok == 1
