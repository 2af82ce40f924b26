import os
import uuid

import pytest

from perfectpay_async.middleware import IdempotencyKey, idempotency


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


def test_many_keys_are_all_different_and_well_formed():
    keys = [idempotency._random_key() for _ in range(1_000)]
    assert len(set(keys)) == 1_000
    assert all(str(uuid.UUID(key)) == key and uuid.UUID(key).version == 4 for key in keys)
    assert {uuid.UUID(key).variant for key in keys} == {uuid.RFC_4122}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot fork here")
def test_a_forked_process_does_not_use_the_keys_of_its_parent():
    idempotency._random_key()
    assert idempotency._digits
    inner, outer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(outer, ",".join(idempotency._random_key() for _ in range(50)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = set(os.read(inner, 10_000).decode().split(","))
    os.close(inner)
    os.close(outer)
    assert len(theirs) == 50
    assert not theirs & {idempotency._random_key() for _ in range(300)}
