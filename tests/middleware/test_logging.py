import asyncio
import logging

import pytest

from perfectpay_async import Attempt, ConnectError, GaveUp, NotFound, Outcome, RetryPolicy
from perfectpay_async.middleware import LogCalls
from perfectpay_async.testing import Answer, VirtualClock, payment_method

URL = "http://127.0.0.1:9/payment_methods/pm_planted"


async def test_a_success_is_one_debug_line_without_the_id(make_request, make_response, caplog):
    async def answer(request):
        return make_response(request, 200, b"{}", x_request_id="req_1")

    with caplog.at_level("DEBUG", logger="perfectpay_async"):
        await LogCalls()(make_request(url=URL), answer)
    (record,) = caplog.records
    assert record.levelname == "DEBUG"
    assert "GET /payment_methods/{payment_method_id}: status 200, attempt 1" in record.message
    assert "req_1" in record.message
    assert "pm_planted" not in caplog.text


async def test_a_failure_is_one_info_line(make_request, caplog):
    async def fail(request):
        raise NotFound("the server answered 404")

    with caplog.at_level("INFO", logger="perfectpay_async"), pytest.raises(NotFound):
        await LogCalls()(make_request(url=URL), fail)
    (record,) = caplog.records
    assert record.levelname == "INFO"
    assert "failed: NotFound" in record.message
    assert "outcome refused" in record.message
    assert "pm_planted" not in caplog.text


async def test_nothing_is_done_while_the_level_is_off(make_request, caplog):
    future = asyncio.get_running_loop().create_future()
    with caplog.at_level("WARNING", logger="perfectpay_async"):
        assert LogCalls()(make_request(), lambda request: future) is future


def extras(record):
    return {
        name.removeprefix("perfectpay_"): value
        for name, value in vars(record).items()
        if name.startswith("perfectpay_")
    }


OPERATION = {
    "operation": "payment_methods.retrieve",
    "method": "GET",
    "route": "/payment_methods/{payment_method_id}",
}


class TestExtras:
    async def test_of_a_success(self, make_request, make_response, caplog):
        async def answer(request):
            return make_response(request, 200, b"{}", x_request_id="req_1")

        with caplog.at_level("DEBUG", logger="perfectpay_async"):
            await LogCalls()(make_request(url=URL), answer)
        facts = extras(caplog.records[0])
        assert 0 <= facts.pop("elapsed") < 60
        assert facts == {
            **OPERATION,
            "status": 200,
            "outcome": None,
            "error": None,
            "attempts": 1,
            "gave_up": None,
            "request_id": "req_1",
        }

    async def test_of_a_failure(self, make_request, caplog):
        async def fail(request):
            error = NotFound("the server answered 404")
            error.status, error.request_id, error.gave_up = 404, "req_2", GaveUp.NOT_RETRYABLE
            error.attempts = (Attempt(1, 0.0, 0.1, "NotFound", Outcome.REFUSED, 404),)
            raise error

        with caplog.at_level("INFO", logger="perfectpay_async"), pytest.raises(NotFound):
            await LogCalls()(make_request(url=URL), fail)
        facts = extras(caplog.records[0])
        assert 0 <= facts.pop("elapsed") < 60
        assert facts == {
            **OPERATION,
            "status": 404,
            "outcome": "refused",
            "error": "NotFound",
            "attempts": 1,
            "gave_up": "not_retryable",
            "request_id": "req_2",
        }

    async def test_of_retries(self, perfectpay_mock, caplog):
        busy = Answer.error(503, headers={"x-request-id": "req_3"})
        perfectpay_mock.expect(
            "payment_methods.retrieve", ConnectError, busy, payment_method("pm_1")
        )
        client = perfectpay_mock.client(retry=RetryPolicy(wait=lambda state: 2.5))
        with caplog.at_level("INFO", logger="perfectpay_async"), VirtualClock():
            await client.payment_methods.retrieve("pm_1")
        first, second = map(extras, caplog.records)
        assert first.pop("elapsed") >= 0
        assert first == {
            **OPERATION,
            "status": None,
            "outcome": "not_sent",
            "error": "ConnectError",
            "attempt": 1,
            "wait": 2.5,
            "request_id": None,
        }
        assert (second["status"], second["request_id"]) == (503, "req_3")

    async def test_a_record_factory_that_sets_a_request_id_is_no_trouble(
        self, perfectpay_mock, caplog
    ):
        usual = logging.getLogRecordFactory()

        def with_request_id(*args, **settings):
            record = usual(*args, **settings)
            record.request_id = record.operation = record.status = "the application's own"
            return record

        logging.setLogRecordFactory(with_request_id)
        try:
            perfectpay_mock.expect("payment_methods.retrieve", payment_method("pm_1"))
            with caplog.at_level("DEBUG", logger="perfectpay_async"):
                await perfectpay_mock.client().payment_methods.retrieve("pm_1")
        finally:
            logging.setLogRecordFactory(usual)
        assert caplog.records[0].request_id == "the application's own"
        assert caplog.records[0].perfectpay_status == 200
