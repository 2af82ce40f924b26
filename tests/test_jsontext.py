import json
import math
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfectpay_async import jsontext
from perfectpay_async.errors import InvalidRequestError, ResponseDecodingError
from perfectpay_async.jsontext import decode_json, encode_json

PLANTED = "4539578763621486"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)  # fmt: skip


@given(VALUES)
def test_what_is_encoded_is_decoded(value):
    try:
        body = encode_json(value)
    except InvalidRequestError:  # a lone surrogate has no UTF-8 form
        return
    assert decode_json(body) == value


@pytest.mark.parametrize("value", [object(), float("nan"), {"a": {1, 2}}, "\ud800", b"bytes"])
def test_what_has_no_json_form_is_refused(value):
    with pytest.raises(InvalidRequestError, match="values that JSON has"):
        encode_json(value)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"{", "is not valid JSON"),
        (b"NaN", "is not valid JSON"),
        (b"[Infinity]", "is not valid JSON"),
        (b'{"id": 1, "a": {"b": 1, "b": 2}}', "is not valid JSON"),
        (b"\xff", "is not UTF-8"),
        (b"[" * 50_000, "is nested too deeply"),
    ],
)
def test_what_is_no_json_is_refused(body, problem):
    with pytest.raises(ResponseDecodingError, match=problem):
        decode_json(body)


@pytest.mark.parametrize(
    ("function", "value"),
    [
        (decode_json, f'{{"number": "{PLANTED}"'.encode()),
        (encode_json, {"n": PLANTED, "o": object()}),
    ],
)
def test_no_frame_of_a_failure_holds_the_value(function, value):
    with pytest.raises((InvalidRequestError, ResponseDecodingError)) as caught:
        function(value)
    stack = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    frames = [frame for frame in stack if frame.filename.endswith("perfectpay_async/jsontext.py")]
    assert frames
    assert PLANTED not in "".join(str(frame.locals) for frame in frames)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("fast", [True, False], ids=["with orjson", "without"])
class TestSpeed:
    """What comes out does not depend on whether the extra `speed` is installed."""

    @pytest.fixture(autouse=True)
    def reader(self, fast, monkeypatch):
        if not fast:
            monkeypatch.setattr(jsontext, "orjson", None)

    @pytest.mark.parametrize(
        "body",
        [
            b'{"a":1,"a":2}',
            b'{"a":{"b":1,"b":1}}',
            b'{"a" :1,"a":2}',
            b"[NaN]",
            b"[Infinity]",
            b"{} {}",
            b"1,",
            b"\xef\xbb\xbf{}",
            b'"\xff"',
            b"[" * 100_000,
            b"",
        ],
    )
    def test_what_is_refused(self, body):
        with pytest.raises(ResponseDecodingError):
            decode_json(body)

    @pytest.mark.parametrize(
        ("body", "value"),
        [
            (b'{"a":1,"b":[true,null,1.5]}', {"a": 1, "b": [True, None, 1.5]}),
            (b' {"a": 1}\r\n\t', {"a": 1}),
            (b"123456789012345678901234567890", 123456789012345678901234567890),
            (b"1e999", math.inf),
            (b'"\\ud800"', "\ud800"),
            (b"[" * 300 + b"]" * 300, None),
            ('"\u00e9\U0001f600"'.encode(), "\u00e9\U0001f600"),
        ],
    )
    def test_what_is_read(self, body, value):
        assert value is None or decode_json(body) == value
        assert type(decode_json(body)) is type(json.loads(body))
        assert decode_json(body) == json.loads(body)
