import asyncio

import pytest

from perfectpay_async.errors import NotFound
from perfectpay_async.middleware import LogCalls

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
