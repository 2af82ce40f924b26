import pickle

import pytest

from perfectpay_async.errors import ResponseDecodingError
from perfectpay_async.secrets import MaskedStr

PLANTED = "snd_planted_83613"


async def test_a_change_makes_another_request(make_request):
    request = make_request()
    changed = request.with_header("X-Tag", "1").for_attempt(2)
    assert "X-Tag" not in request.headers
    assert (changed.headers["X-Tag"], changed.attempt, request.attempt) == ("1", 2, 1)
    assert (changed.url, changed.deadline) == (request.url, request.deadline)


async def test_no_repr_shows_ids_keys_or_bodies(make_request, make_response):
    request = make_request(
        url="http://127.0.0.1:9/pm_planted", body=b"4539578763621486", idempotency_key="planted"
    ).with_header("api-key", MaskedStr(PLANTED))
    response = make_response(request, body=b"client_secret planted")
    shown = repr(request) + repr(response)
    assert "planted" not in shown
    assert "4539" not in shown


async def test_a_response_unpickles_as_nothing(make_request, make_response):
    assert pickle.loads(pickle.dumps(make_response(make_request()))) is None


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("0198-7f3a", "0198-7f3a"),
        ("x" * 128, "x" * 128),
        ("x" * 129, None),
        ("a\udcff", None),
        ("a\x1b[31m", None),
        (f"id {PLANTED}", None),
    ],
)
async def test_a_request_id_is_one_or_none(make_request, make_response, sent, read):
    request = make_request().with_header("api-key", MaskedStr(PLANTED))
    assert make_response(request, x_request_id=sent).request_id == read


async def test_json_is_strict(make_request, make_response):
    assert make_response(make_request(), body=b'{"a": [1]}').json() == {"a": [1]}
    with pytest.raises(ResponseDecodingError, match="is not valid JSON"):
        make_response(make_request(), body=b"{'a': 1}").json()
