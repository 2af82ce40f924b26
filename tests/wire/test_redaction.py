from __future__ import annotations

import pickle
import time
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfectpay_async.secrets import MASK, Secret
from perfectpay_async.wire.redaction import redact

REPEATABLE = settings(derandomize=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Json deserialize error: invalid card number length at line 5 column 30",
        "IR_06: Invalid 'payment_method_type' provided",
        "Missing required param: api_key",
        "the client_secret provided does not match",
        "unknown field `token_type`, expected one of `card`, `wallet`",
        "token_expired",
        "request 0190163d-8694-739b-aea5-966c26f8ad91 failed",
        "request 01901634-8694-7391-9ea5-966026089191 failed",
        "REQUEST 0190163D-8694-739B-AEA5-966C26F8AD91",
        "HTTP 503 after 1234567 us, 80 requests per second",
        '{"error": {"code": "HE_02", "message": "Payment method does not exist", "data": null}}',
        "12 34 56 7",
    ],
)
def test_ordinary_text_stays_readable(text: str):
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("number 4000056655665556 is wrong", f"number {MASK} is wrong"),
        ("4000 0566 5566 5556", MASK),
        ("4000-0566-5566-5556.", f"{MASK}."),
        ("4000  0566 - 5566", "4000  0566 - 5566".replace("4000  0566", MASK)),
        ("x4000056655665556x", f"x{MASK}x"),
        ("12345678", MASK),
        ("1" * 40, MASK),
        ("12345678-1234-1234-1234-123456789012", MASK),
        ("key snd_7hJk2mNp4qRs6tVw8xYz!", f"key {MASK}!"),
        ("pk_snd_0a1b2c3d epk_99887766 dev_abc123 prod_x_1y", f"{MASK} {MASK} {MASK} {MASK}"),
        ("token_Qw3eRt5yUi7oPa9sDf1g", MASK),
        ("pm_9fQ2_secret_Aa0Bb1", MASK),
        ("12345_pm_aa_secret_Aa0Bb1, next", f"{MASK}, next"),
        ('"card_cvc": "739"', f'"card_cvc": "{MASK}"'),
        ('{"client_secret":"a\\"b","x":1}', f'{{"client_secret":"{MASK}","x":1}}'),
        (
            '{"payment_token":"a-b","api-key":"k"}',
            f'{{"payment_token":"{MASK}","api-key":"{MASK}"}}',
        ),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, expected: str):
    assert redact(text) == expected


def test_what_was_sent_is_masked_wherever_it_is():
    sensitive = [Secret("739"), Secret("s3cr3t-k3y"), Secret("739x")]
    assert redact("cvc 739, 739x, As3cr3t-k3yB", sensitive) == f"cvc {MASK}, {MASK}, A{MASK}B"


def test_values_that_cannot_be_revealed_are_passed_over():
    lost = pickle.loads(pickle.dumps(Secret("x")))
    assert redact("x", [Secret(""), lost, Secret(cast("Any", 5))]) == "x"


# Letters that begin no UUID, key or token; what comes before and after a number in a text.
around = st.text("ghijxyz .,:;'\"\n(){}é", max_size=20)
separators = st.lists(st.sampled_from(["", "", " ", "-", "  "]), min_size=18, max_size=18)


@REPEATABLE
@given(around, st.text("0123456789", min_size=8, max_size=19), separators, around)
def test_no_run_of_digits_comes_through(before: str, digits: str, gaps: list[str], after: str):
    written = digits[0] + "".join(gap + digit for gap, digit in zip(gaps, digits[1:], strict=False))
    assert redact(before + written + after) == before + MASK + after


@REPEATABLE
@given(st.text(), st.text("abcXYZ0129_-+/=", min_size=3), st.text())
def test_no_sensitive_value_comes_through(before: str, secret: str, after: str):
    assert secret not in redact(f"{before}{secret}{after}", [Secret(secret)])


@REPEATABLE
@given(st.text("ab1 -_\"':\\") | st.text())
def test_redacting_twice_changes_nothing_more(text: str):
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize(
    "unit",
    [
        "1",
        "1-",
        "1 ",
        "a",
        "a_",
        "_secret_",
        '"a',
        '"token" ',
        '"token":"',
        "\\",
        "12345678-abcd-",
        "pk_",
        "-1",
        '"',
        "1  ",
        "1234567x",
        "0" * 8 + "-0000" * 3 + "-" + "0" * 11 + "g",
        "a_secret_",
    ],
)
def test_the_time_does_not_explode(unit: str):
    text = unit * (400_000 // len(unit))
    started = time.perf_counter()
    redact(text)
    assert time.perf_counter() - started < 2  # about 0.05 s; were it quadratic, minutes
