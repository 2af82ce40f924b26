import asyncio

import pytest

from perfectpay_async.errors import ConfigurationError, DeadlineExceeded
from perfectpay_async.middleware import ApiKeyAuth
from perfectpay_async.outcome import Outcome
from perfectpay_async.secrets import Secret

PLANTED = "snd_planted_83613"


@pytest.fixture
def sent(make_response):
    """The rest of the pipeline: keeps what it was sent."""

    async def keep(request):
        keep.headers = request.headers
        keep.calls = getattr(keep, "calls", 0) + 1
        return make_response(request)

    return keep


@pytest.mark.parametrize("key", [PLANTED, Secret(PLANTED)])
async def test_the_key_is_sent_and_never_shown(make_request, sent, key):
    await ApiKeyAuth(key)(make_request(), sent)
    assert sent.headers["api-key"] == PLANTED
    assert PLANTED not in repr(sent.headers)


async def test_a_provider_is_asked_before_every_attempt(make_request, sent):
    keys = iter(["snd_old", Secret("snd_new")])

    async def provide():
        await asyncio.sleep(0)
        return next(keys)

    auth = ApiKeyAuth(provide)
    await auth(make_request(), sent)
    assert sent.headers["api-key"] == "snd_old"
    await auth(make_request(), sent)
    assert sent.headers["api-key"] == "snd_new"


@pytest.mark.parametrize("key", ["", "two words", "line\nend", "schlüssel", " ", 7, None, b"k"])
def test_a_key_that_cannot_be_one_is_refused(key):
    with pytest.raises(ConfigurationError, match="api_key must be a non-empty string"):
        ApiKeyAuth(key)


async def test_a_bad_key_of_a_provider_is_refused_before_sending(make_request, sent):
    async def provide():
        return ""

    with pytest.raises(ConfigurationError, match="api_key must be"):
        await ApiKeyAuth(provide)(make_request(), sent)
    assert not hasattr(sent, "calls")


async def test_a_failing_provider_is_named(make_request, sent):
    async def provide():
        raise LookupError("vault is sealed")

    with pytest.raises(ConfigurationError, match="failed with LookupError") as caught:
        await ApiKeyAuth(provide)(make_request(), sent)
    assert isinstance(caught.value.__cause__, LookupError)


async def test_a_hanging_provider_does_not_pass_the_deadline(make_request, sent):
    with pytest.raises(DeadlineExceeded) as caught:
        await ApiKeyAuth(asyncio.Event().wait)(make_request(deadline=0.02), sent)
    assert caught.value.outcome is Outcome.NOT_SENT


async def test_a_cancel_of_a_provider_wins(make_request, sent):
    task = asyncio.create_task(ApiKeyAuth(asyncio.Event().wait)(make_request(), sent))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
