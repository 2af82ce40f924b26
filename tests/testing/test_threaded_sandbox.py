import asyncio
import threading

import pytest

from perfectpay_async import NotFound, PerfectPay
from perfectpay_async.sandbox import Sandbox
from perfectpay_async.testing import serve_in_thread


def test_a_synchronous_test_can_use_it():
    async def main(sandbox):
        async with PerfectPay(sandbox.api_key, base_url=sandbox.url) as client:
            return await client.payment_methods.list("cus_1")

    with serve_in_thread(Sandbox()) as sandbox:
        sandbox.seed_customer("cus_1")
        assert len(asyncio.run(main(sandbox))) == 0
    assert "perfectpay-sandbox" not in [thread.name for thread in threading.enumerate()]


def test_it_ends_when_the_block_fails():
    with pytest.raises(KeyError), serve_in_thread(Sandbox()):
        raise KeyError
    assert "perfectpay-sandbox" not in [thread.name for thread in threading.enumerate()]


def test_a_taken_port_is_said_at_once():
    with serve_in_thread(Sandbox()) as sandbox:
        port = int(sandbox.url.rpartition(":")[2])
        with pytest.raises(OSError, match="address already in use"):
            serve_in_thread(Sandbox(port=port)).__enter__()
    assert "perfectpay-sandbox" not in [thread.name for thread in threading.enumerate()]


async def test_many_calls_at_once(perfectpay_sandbox, perfectpay_client):
    ids = perfectpay_sandbox.seed_cards(50)
    calls = [perfectpay_client.payment_methods.retrieve(name) for name in ids]
    assert [method.payment_method_id for method in await asyncio.gather(*calls)] == ids
    with pytest.raises(NotFound):
        await perfectpay_client.payment_methods.retrieve("pm_gone")
