from __future__ import annotations

import attrs

from perfectpay_async import RequestOptions, RetryPolicy

RETRY = RetryPolicy()
DEFAULTS = RequestOptions(
    deadline=30.0, attempt_timeout=10.0, retry=RETRY, headers={"Accept-Language": "de"}
)


def test_what_is_left_out_is_taken_from_the_defaults():
    both = RequestOptions(idempotency_key="k").over(DEFAULTS)

    assert both == attrs.evolve(DEFAULTS, idempotency_key="k")


def test_what_is_said_wins():
    own = RequestOptions(
        deadline=1.0,
        attempt_timeout=2.0,
        retry=RetryPolicy(),
        idempotency_key="k",
        headers={"X-Profile-Id": "pro_1"},
    )

    both = own.over(attrs.evolve(DEFAULTS, idempotency_key="other"))

    assert both == attrs.evolve(own, headers={"Accept-Language": "de", "X-Profile-Id": "pro_1"})
