import pytest

from examples.account_page.words import Action, Result, code_of, notice_of, result_of
from perfectpay_async import (
    BadRequest,
    ConnectError,
    ConnectionLostError,
    InvalidRequestError,
    NotFound,
    Outcome,
    PerfectPayError,
    RateLimited,
    RouteNotFound,
    ServerError,
)


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (ConnectError("x"), Result.NOT_SENT),
        (ConnectionLostError("x"), Result.UNKNOWN),
        (ServerError("x"), Result.UNKNOWN),
        (BadRequest("x"), Result.REFUSED),
        (InvalidRequestError("x"), Result.REFUSED),
        (RateLimited("x"), Result.BUSY),
        (NotFound("x"), Result.GONE),
        (NotFound("the vault failed", outcome=Outcome.UNKNOWN), Result.UNKNOWN),
        (RouteNotFound("x"), Result.REFUSED),
    ],
)
def test_the_outcome_decides_what_is_said(error, result):
    assert result_of(error) is result


def test_every_action_and_result_has_its_own_sentence():
    notices = [notice_of(code_of(action, result)) for action in Action for result in Result]
    texts = [notice.text for notice in notices if notice]
    assert len(texts) == len(set(texts)) == len(Action) * len(Result)
    assert all(text.endswith(".") for text in texts)


@pytest.mark.parametrize("action", Action)
def test_only_an_unknown_outcome_is_called_unknown_and_only_a_known_one_certain(action):
    for result in Result:
        notice = notice_of(code_of(action, result))
        assert notice is not None
        assert ("We do not know" in notice.text) is (result is Result.UNKNOWN)
    assert "could not reach" in notice_of(code_of(action, Result.NOT_SENT)).text


@pytest.mark.parametrize("code", [None, "", "update", "<script>", "update.done "])
def test_another_code_is_no_notice(code):
    assert notice_of(code) is None


def test_the_errors_own_text_is_not_used():
    error = PerfectPayError("planted", outcome=Outcome.REFUSED)
    assert "planted" not in notice_of(code_of(Action.UPDATE, result_of(error))).text
