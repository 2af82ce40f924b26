import uuid

from perfectpay_async.middleware import IdempotencyKey


async def keys_sent(request, make_response, times=1, make_key=None):
    seen = []

    async def keep(sent):
        seen.append(sent.headers.get("Idempotency-Key"))
        return make_response(sent)

    middleware = IdempotencyKey(make_key) if make_key else IdempotencyKey()
    for _ in range(times):
        await middleware(request, keep)
    return seen


async def test_each_call_gets_a_fresh_uuid(make_request, make_response):
    first, second = await keys_sent(make_request(idempotent_key=True), make_response, times=2)
    assert first != second
    assert uuid.UUID(first).version == 4


async def test_the_callers_key_is_sent(make_request, make_response):
    request = make_request(idempotent_key=True, idempotency_key="order-17")
    assert await keys_sent(request, make_response) == ["order-17"]


async def test_reads_carry_none(make_request, make_response):
    assert await keys_sent(make_request(), make_response) == [None]


async def test_the_maker_can_be_replaced(make_request, make_response):
    request = make_request(idempotent_key=True)
    assert await keys_sent(request, make_response, make_key=lambda: "mine") == ["mine"]
