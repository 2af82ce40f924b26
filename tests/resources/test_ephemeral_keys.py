"""Ephemeral keys: the requests, the answers, and the secret that must not show."""

import json
import logging
import pickle
import traceback
from datetime import UTC, datetime

import pytest
from yarl import URL

from perfectpay_async import (
    EphemeralKey,
    InvalidRequestError,
    NotFound,
    PerfectPay,
    ResponseDecodingError,
    RetryPolicy,
    Secret,
)

ROOT = "http://127.0.0.1:9/api"
SECRET = "epk_planted0000000000000000000000000"
MADE = {
    "id": "eki_DuTISI",
    "merchant_id": "merchant_77",
    "customer_id": "cus_9",
    "created_at": 1718270809,
    "expires": 1718274409,
    "secret": SECRET,
}


@pytest.fixture
async def client():
    retry = RetryPolicy(wait=lambda state: 0.0)
    async with PerfectPay("snd_key", base_url=ROOT, retry=retry) as client:
        yield client


class TestCreate:
    async def test_the_request_and_the_key(self, client, mocked_api):
        mocked_api.post(f"{ROOT}/ephemeral_keys", payload=MADE)
        key = await client.ephemeral_keys.create("cus_9")
        (call,) = mocked_api.requests[("POST", URL(f"{ROOT}/ephemeral_keys"))]
        assert json.loads(call.kwargs["data"].decode()) == {"customer_id": "cus_9"}
        assert key.secret.reveal() == SECRET
        assert key.created_at == datetime(2024, 6, 13, 9, 26, 49, tzinfo=UTC)
        assert (key.expires - key.created_at).total_seconds() == 3600
        assert (key.id, key.customer_id, key.merchant_id) == ("eki_DuTISI", "cus_9", "merchant_77")

    async def test_four_fields_are_enough(self, client, mocked_api):
        few = {name: MADE[name] for name in ("customer_id", "created_at", "expires", "secret")}
        mocked_api.post(f"{ROOT}/ephemeral_keys", payload=few)
        assert (await client.ephemeral_keys.create("cus_9")).id is None

    async def test_it_is_repeated(self, client, mocked_api):
        mocked_api.post(f"{ROOT}/ephemeral_keys", exception=ConnectionResetError())
        mocked_api.post(f"{ROOT}/ephemeral_keys", payload=MADE)
        assert isinstance(await client.ephemeral_keys.create("cus_9"), EphemeralKey)

    @pytest.mark.parametrize(
        ("change", "path"),
        [
            ({"customer_id": "cus_8"}, "customer_id"),
            ({"secret": None}, "secret"),
            ({"expires": "soon"}, "expires"),
        ],
    )
    async def test_a_key_for_somebody_else_or_none_is_an_error(
        self, client, mocked_api, change, path, what_a_tracker_sees
    ):
        mocked_api.post(f"{ROOT}/ephemeral_keys", payload={**MADE, **change})
        with pytest.raises(ResponseDecodingError) as caught:
            await client.ephemeral_keys.create("cus_9")
        assert caught.value.path == path
        assert SECRET not in what_a_tracker_sees(caught.value)

    @pytest.mark.parametrize("bad", ["", "a/b", "list", None, 7])
    async def test_a_bad_id_is_not_sent(self, client, mocked_api, bad):
        with pytest.raises(InvalidRequestError, match="customer_id must"):
            await client.ephemeral_keys.create(bad)
        assert mocked_api.requests == {}


class TestDelete:
    @pytest.mark.parametrize("body", [json.dumps(MADE), "", "{}"])
    async def test_the_answers(self, client, mocked_api, body):
        mocked_api.delete(f"{ROOT}/ephemeral_keys/eki_DuTISI", body=body)
        deleted = await client.ephemeral_keys.delete("eki_DuTISI")
        assert deleted.id == "eki_DuTISI"
        assert deleted.secret == (Secret(SECRET) if "secret" in body else None)
        assert SECRET not in repr(deleted)
        assert SECRET.encode() not in pickle.dumps(deleted)

    async def test_gone_after_a_lost_answer_is_done(self, client, mocked_api):
        mocked_api.delete(f"{ROOT}/ephemeral_keys/eki_1", exception=ConnectionResetError())
        mocked_api.delete(f"{ROOT}/ephemeral_keys/eki_1", status=404)
        assert (await client.ephemeral_keys.delete("eki_1")).response is None

    async def test_gone_from_the_beginning_is_an_error(self, client, mocked_api):
        mocked_api.delete(f"{ROOT}/ephemeral_keys/eki_1", status=404)
        with pytest.raises(NotFound):
            await client.ephemeral_keys.delete("eki_1")

    async def test_another_key_is_an_error(self, client, mocked_api):
        mocked_api.delete(f"{ROOT}/ephemeral_keys/eki_2", payload=MADE)
        with pytest.raises(ResponseDecodingError):
            await client.ephemeral_keys.delete("eki_2")

    async def test_the_secret_does_not_get_into_a_url(
        self, client, mocked_api, what_a_tracker_sees
    ):
        with pytest.raises(InvalidRequestError, match="not its secret") as caught:
            await client.ephemeral_keys.delete(SECRET)
        assert SECRET not in what_a_tracker_sees(caught.value)
        assert mocked_api.requests == {}


async def test_the_secret_shows_nowhere(client, mocked_api, caplog):
    caplog.set_level(logging.DEBUG)
    mocked_api.post(f"{ROOT}/ephemeral_keys", payload=MADE)
    key = await client.ephemeral_keys.create("cus_9")
    shown = [repr(key), str(key), f"{key}", repr(key.response), caplog.text]
    assert not [text for text in shown if SECRET in text]
    assert SECRET.encode() not in pickle.dumps(key)
    mocked_api.delete(f"{ROOT}/ephemeral_keys/eki_1", status=400, body=f"no such key {SECRET}")
    with pytest.raises(Exception, match="400") as caught:
        await client.ephemeral_keys.delete("eki_1")
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + str(caught.value.body)
