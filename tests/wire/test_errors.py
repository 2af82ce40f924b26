from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perfectpay_async.errors import (
    ApiError,
    AuthenticationError,
    BadRequest,
    Conflict,
    NotFound,
    PerfectPayError,
    PermissionDenied,
    RateLimited,
    RouteNotFound,
    ServerError,
    UnexpectedRedirect,
    UnprocessableEntity,
)
from perfectpay_async.messages import Response
from perfectpay_async.outcome import Outcome
from perfectpay_async.secrets import MASK, Secret
from perfectpay_async.wire.errors import error_from

REPEATABLE = settings(
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
Answer = Callable[..., Response]


def envelope(code: str = "HE_02", message: str = "No such thing", **more: object) -> dict[str, Any]:
    return {"error": {"type": "invalid_request", "message": message, "code": code, **more}}


def found(response: Response) -> PerfectPayError:
    error = error_from(response)
    assert error is not None
    return error


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"payment_method_id": "pm_1"}),
        (200, b""),
        (201, {}),
        (204, b""),
        (200, {"error": None}),
        (200, {"metadata": {"error": "mine"}}),
        (200, [{"error": "x"}]),
        (200, b'not JSON, but "error"'),
        (200, b'"error"'),
    ],
)
def test_success_is_no_error(answer: Answer, status: int, body: object):
    assert error_from(answer(status, body)) is None


@pytest.mark.parametrize(
    ("status", "cls", "outcome"),
    [
        (400, BadRequest, Outcome.REFUSED),
        (401, AuthenticationError, Outcome.REFUSED),
        (403, PermissionDenied, Outcome.REFUSED),
        (404, NotFound, Outcome.REFUSED),
        (405, ApiError, Outcome.REFUSED),
        (408, ApiError, Outcome.UNKNOWN),
        (409, Conflict, Outcome.REFUSED),
        (425, ApiError, Outcome.REFUSED),
        (422, UnprocessableEntity, Outcome.REFUSED),
        (429, RateLimited, Outcome.REFUSED),
        (499, ApiError, Outcome.REFUSED),
        (500, ServerError, Outcome.UNKNOWN),
        (501, ServerError, Outcome.REFUSED),
        (502, ServerError, Outcome.UNKNOWN),
        (503, ServerError, Outcome.UNKNOWN),
        (504, ServerError, Outcome.UNKNOWN),
        (599, ServerError, Outcome.UNKNOWN),
        (301, UnexpectedRedirect, Outcome.UNKNOWN),
        (302, UnexpectedRedirect, Outcome.UNKNOWN),
        (304, UnexpectedRedirect, Outcome.UNKNOWN),
        (307, UnexpectedRedirect, Outcome.REFUSED),
        (308, UnexpectedRedirect, Outcome.REFUSED),
        (100, ApiError, Outcome.UNKNOWN),
        (600, ApiError, Outcome.UNKNOWN),
        (999, ApiError, Outcome.UNKNOWN),
        (0, ApiError, Outcome.UNKNOWN),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>Bad</html>", json.dumps(envelope()).encode()])
def test_class_and_outcome_follow_the_status(
    answer: Answer, status: int, cls: type[PerfectPayError], outcome: Outcome, body: bytes
):
    error = found(answer(status, body))
    assert type(error) is cls
    assert error.outcome is outcome
    assert error.status == status


def test_a_wrong_url_is_told_from_a_missing_object(answer: Answer):
    error = found(answer(404, envelope("IR_02", "Unrecognized request URL")))
    assert type(error) is RouteNotFound
    assert error.outcome is Outcome.REFUSED
    assert type(found(answer(400, envelope("IR_02")))) is BadRequest


@pytest.mark.parametrize(
    ("operation", "outcome"),
    [("payment_methods.update", Outcome.UNKNOWN), ("payment_methods.delete", Outcome.REFUSED)],
)
def test_a_vault_failure_in_the_middle_of_an_update_leaves_the_outcome_unknown(
    answer: Answer, operation: str, outcome: Outcome
):
    error = found(answer(404, envelope("IR_37"), operation=operation))
    assert type(error) is NotFound
    assert error.outcome is outcome
    assert found(answer(404, envelope("HE_02"), operation=operation)).outcome is Outcome.REFUSED


def test_an_error_says_what_the_server_said(answer: Answer):
    response = answer(404, envelope(message="No such card"), x_request_id="0190163d-8694-739b")
    error = found(response)
    assert error.message == "the server answered 404 Not Found (HE_02: No such card)"
    assert (error.code, error.type) == ("HE_02", "invalid_request")
    assert error.request_id == "0190163d-8694-739b"
    assert error.body == json.dumps(envelope(message="No such card"))
    assert (error.attempts, error.retry_after, error.operation) == ((), None, None)


@pytest.mark.parametrize(
    ("body", "code", "kind", "said"),
    [
        (envelope("IR_06", "Bad type"), "IR_06", "invalid_request", " (IR_06: Bad type)"),
        (
            {"error": {"error_type": "invalid_request", "message": "Json error", "code": "IR_06"}},
            "IR_06",
            "invalid_request",
            " (IR_06: Json error)",
        ),
        ({"error": "Json deserialize error: x"}, None, None, " (Json deserialize error: x)"),
        (b"Query deserialize error: y", None, None, " (Query deserialize error: y)"),
        (
            envelope("IR_19", "Not supported", reason="Card is not in the vault"),
            "IR_19",
            "invalid_request",
            " (IR_19: Not supported; Card is not in the vault)",
        ),
        ({"message": "Forbidden", "code": 7}, "7", None, " (7: Forbidden)"),
        ({"error": {"code": "HE_00"}}, "HE_00", None, " (HE_00)"),
        ({"error": {"message": ["x"], "code": {}, "type": 1.5}}, None, None, ""),
        ({"error": {}}, None, None, ""),
        ({"error": [1]}, None, None, ""),
        ({}, None, None, ""),
        ([], None, None, ""),
        (b"  <!DOCTYPE html><h1>Bad gateway</h1>", None, None, ""),
        (b"", None, None, ""),
        (b"null", None, None, " (null)"),
        (b'"Forbidden"', None, None, " (Forbidden)"),
        (b"\xff\xfe\x00", None, None, " (\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER})"),
        (b"[" * 100_000, None, None, f" ({'[' * 200})"),
    ],
)
def test_every_envelope_is_understood(
    answer: Answer, body: object, code: str | None, kind: str | None, said: str
):
    error = found(answer(400, body))
    assert (error.code, error.type) == (code, kind)
    assert error.message == f"the server answered 400 Bad Request{said}"


@pytest.mark.parametrize("error", [{"type": "blocked", "code": "HE_03", "message": "No"}, "No"])
def test_a_success_status_with_an_error_is_an_error(answer: Answer, error: object):
    refusal = found(answer(200, {"error": error}))
    assert type(refusal) is ApiError
    assert refusal.outcome is Outcome.UNKNOWN
    assert refusal.message.startswith("the server answered 200 OK (")


def test_a_status_without_a_name(answer: Answer):
    assert found(answer(799)).message == "the server answered 799"


def test_what_the_request_held_is_masked_wherever_the_server_quotes_it(answer: Answer):
    body = envelope("cvc-739", "bad cvc 739 for key snd_7hJk2mNp4qRs6tVw8xYz", type="t-739")
    error = found(answer(400, body, sensitive=[Secret("739")]))
    shown = f"{error} {error.code} {error.type} {error.body}"
    assert "739" not in shown
    assert "7hJk" not in shown
    assert error.message.endswith(f"(cvc-{MASK}: bad cvc {MASK} for key {MASK})")


def test_a_key_of_any_form_is_masked_because_it_was_sent(answer: Answer):
    error = found(answer(401, b"key snd_7hJk2mNp4qRs6tVw8xYz-tail"))
    assert error.body == f"key {MASK}-tail"


def test_a_card_number_that_the_server_quotes_is_masked(answer: Answer):
    error = found(answer(400, {"error": "unknown field 4000 0566 5566 5556"}))
    assert "5556" not in f"{error} {error.body}"


def test_text_is_cut_and_holds_no_control_characters(answer: Answer):
    error = found(answer(400, envelope("C" * 500, "\x1b[31mred\x1b[0m\nnext\t" + "m" * 5_000)))
    assert len(error.code or "") == 64
    assert len(error.message) < 320
    assert "[31mred [0m next mmm" in error.message
    assert error.message.isprintable()
    page = found(answer(502, b"<p>\x1b[2J\r\n" + b"x" * 9_000))
    assert page.body is not None
    assert len(page.body) == 2_000
    assert page.body.startswith("<p> [2J \nxxx")


def test_a_secret_is_masked_before_the_text_is_cut(answer: Answer):
    error = found(answer(400, b"x" * 1_990 + b" 4000056655665556"))
    assert error.body is not None
    assert "4000" not in error.body


def test_the_facts_survive_pickle(answer: Answer):
    error = found(answer(404, envelope(), x_request_id="r-1"))
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is NotFound
    assert (twin.status, twin.code, twin.request_id, str(twin)) == (404, "HE_02", "r-1", str(error))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda parts: st.lists(parts) | st.dictionaries(st.text(), parts),
    max_leaves=5,
)
parts = st.sampled_from(["error", "message", "code", "type", "error_type", "reason"])
envelopes = st.dictionaries(parts, st.dictionaries(parts, json_values) | json_values)


@REPEATABLE
@given(st.integers(0, 1000), st.binary() | envelopes | json_values)
def test_no_body_makes_it_fail(answer: Answer, status: int, body: object):
    error = error_from(answer(status, body))
    if error is None:
        assert 200 <= status < 300
    else:
        assert str(error).isprintable()
        assert type(error.code) in {str, type(None)}
        assert type(error.type) in {str, type(None)}
        assert len(error.body or "") <= 2_000
