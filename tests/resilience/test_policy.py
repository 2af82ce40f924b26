import pytest
import tenacity
from tenacity.asyncio import retry_if_result as async_retry_if_result

from perfectpay_async.errors import ConfigurationError
from perfectpay_async.resilience.policy import RetryPolicy


async def always(value: object) -> bool:
    return True


@pytest.mark.parametrize(
    "strategy",
    [
        tenacity.retry_if_result(lambda value: True),
        tenacity.retry_if_not_result(lambda value: True),
        tenacity.retry_if_exception_type(OSError) | tenacity.retry_if_result(lambda value: True),
        async_retry_if_result(always),
    ],
)
def test_a_strategy_that_judges_results_is_refused(strategy):
    with pytest.raises(ConfigurationError, match="only failed attempts are judged"):
        RetryPolicy(retry=strategy)


def test_a_strategy_that_judges_failures_is_taken():
    strategy = tenacity.retry_if_exception_type(OSError) | tenacity.retry_if_exception(bool)
    assert RetryPolicy(retry=strategy).retry is strategy
