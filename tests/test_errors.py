import copy
import inspect
import pickle

import pytest

from perfectpay_async import errors
from perfectpay_async.errors import (
    ApiError,
    ConnectError,
    ConnectionLostError,
    InvalidRequestError,
    NotFound,
    PerfectPayError,
    RateLimited,
    ResponseDecodingError,
    RouteNotFound,
    ServerError,
    TlsError,
)
from perfectpay_async.outcome import Attempt, GaveUp, Outcome

ALL = [
    value
    for _, value in inspect.getmembers(errors, inspect.isclass)
    if issubclass(value, PerfectPayError)
]


def complete(error):
    error.operation = "payment_methods.update"
    error.attempts = (Attempt(1, 0.0, 0.2, type(error).__name__, error.outcome, 503, "req_1"),)
    error.elapsed = 0.25
    error.request_id = "req_1"
    error.status = 503
    return error


def test_the_module_lists_every_error():
    assert {cls.__name__ for cls in ALL} == set(errors.__all__)


@pytest.mark.parametrize("cls", ALL)
def test_every_error_survives_pickle_and_copy_with_its_facts(cls):
    error = complete(cls("something happened"))
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is cls
        assert vars(twin) == vars(error)
        assert str(twin) == str(error)


@pytest.mark.parametrize("cls", ALL)
def test_every_error_has_a_docstring_and_reads_as_one_line(cls):
    assert cls.__doc__
    assert "\n" not in str(complete(cls("something happened")))


def test_the_message_says_what_happened_what_it_means_and_what_to_do():
    error = complete(ServerError("the server answered 503 Service Unavailable"))
    error.gave_up = GaveUp.BUDGET
    assert str(error) == (
        "payment_methods.update: the server answered 503 Service Unavailable; "
        "it is unknown whether the server applied it; 1 attempt in 0.25 s; "
        "the retry budget is spent because too many calls fail (request id req_1)"
    )


def test_before_sending_only_the_rule_is_said():
    error = InvalidRequestError("limit must be a whole number from 1", field="limit")
    assert str(error) == "limit must be a whole number from 1"
    assert error.field == "limit"


@pytest.mark.parametrize(
    ("cls", "outcome"),
    [
        (InvalidRequestError, Outcome.NOT_SENT),
        (ConnectError, Outcome.NOT_SENT),
        (TlsError, Outcome.NOT_SENT),
        (RateLimited, Outcome.REFUSED),
        (NotFound, Outcome.REFUSED),
        (ServerError, Outcome.UNKNOWN),
        (ConnectionLostError, Outcome.UNKNOWN),
        (ResponseDecodingError, Outcome.UNKNOWN),
    ],
)
def test_each_error_has_the_outcome_of_its_kind(cls, outcome):
    assert cls("it happened").outcome is outcome
    assert cls.__mro__.index(PerfectPayError)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_passing_statuses_are_retryable(status):
    error = ApiError("busy")
    error.status = status
    assert error.is_retryable


@pytest.mark.parametrize("status", [200, 400, 401, 404, 409, 422, 501, 505])
def test_lasting_statuses_are_not(status):
    error = ServerError("no")
    error.status = status
    assert not error.is_retryable


def test_transport_errors_are_retryable_except_an_untrusted_server():
    assert ConnectError("no route").is_retryable
    assert ConnectionLostError("lost").is_retryable
    assert not TlsError("unknown authority").is_retryable


def test_a_wrong_url_is_a_kind_of_not_found():
    assert issubclass(RouteNotFound, NotFound)
