import aiohttp
import pytest
from aioresponses import CallbackResult, aioresponses

URL = "http://127.0.0.1:9/"


async def fetch():
    async with aiohttp.ClientSession() as session, session.get(URL) as response:
        return response.status, await response.json()


async def test_a_canned_answer_arrives(perfectpay_mocked_api):
    perfectpay_mocked_api.get(URL, payload={"a": 1}, status=201)
    assert await fetch() == (201, {"a": 1})


async def test_a_callback_answers_too(perfectpay_mocked_api):
    def answer(url, **settings):
        return CallbackResult(payload={"url": str(url)})

    perfectpay_mocked_api.get(URL, callback=answer)
    assert await fetch() == (200, {"url": URL})


async def test_so_does_an_async_one_and_one_that_leaves_it_to_the_rest(perfectpay_mocked_api):
    seen = []

    async def watch(url, **settings):
        seen.append(str(url))

    perfectpay_mocked_api.get(URL, callback=watch, payload={"b": 2})
    assert await fetch() == (200, {"b": 2})
    assert seen == [URL]


async def test_a_class_of_your_own_is_kept(perfectpay_mocked_api):
    class Mine(aiohttp.ClientResponse):
        pass

    perfectpay_mocked_api.get(URL, response_class=Mine)
    assert next(iter(perfectpay_mocked_api._matches.values())).response_class is Mine


async def test_without_it_aioresponses_fails_on_this_aiohttp():
    """When this fails aioresponses has caught up, and MockedApi may go."""
    with aioresponses() as api:
        api.get(URL)
        with pytest.raises(TypeError, match="stream_writer"):
            await fetch()
