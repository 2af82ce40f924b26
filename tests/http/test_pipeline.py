import pytest

from perfectpay_async.errors import ConfigurationError
from perfectpay_async.http.pipeline import Middlewares, compose, pass_through


def tracer(name, trace):
    async def middleware(request, call_next):
        trace.append(f"{name} in")
        response = await call_next(request)
        trace.append(f"{name} out")
        return response

    return middleware


async def test_the_first_one_is_outermost():
    trace = []

    async def innermost(request):
        trace.append("sent")
        return request

    pipeline = compose([tracer("a", trace), tracer("b", trace)], innermost)
    assert await pipeline("request") == "request"
    assert trace == ["a in", "b in", "sent", "b out", "a out"]


async def test_a_middleware_may_answer_itself():
    async def cache(request, call_next):
        return "cached"

    async def innermost(request):
        raise AssertionError("must not be reached")

    assert await compose([cache], innermost)("request") == "cached"


async def test_the_parameters_may_have_any_names():
    async def middleware(req, handler):
        return await handler(req)

    async def innermost(request):
        return request

    assert await compose([middleware], innermost)("request") == "request"


def test_pass_through_costs_no_layer():
    async def innermost(request):
        return request

    assert compose([pass_through, pass_through], innermost) is innermost


class Some:
    def __init__(self):
        pass

    async def __call__(self, request, call_next):
        return await call_next(request)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"call": ["not callable"]}, "middlewares.call must be called with"),
        ({"attempt": [Some]}, "middlewares.attempt is the class Some; pass an instance of it"),
        ({"auth": 7}, "middlewares.auth must be called with"),
    ],
)
def test_misuse_is_refused_at_once(wrong, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        Middlewares(**wrong)
