import subprocess
import sys

import pytest

import perfectpay_async


@pytest.mark.parametrize("name", perfectpay_async.__all__)
def test_every_public_name_is_there(name):
    assert getattr(perfectpay_async, name) is not None


def test_the_names_are_listed_and_no_others_are_made_up():
    assert dir(perfectpay_async) == sorted(perfectpay_async.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Paypal'"):
        _ = perfectpay_async.Paypal


def test_public_classes_are_documented():
    undocumented = [
        name
        for name in perfectpay_async.__all__
        if isinstance(getattr(perfectpay_async, name), type)
        and not getattr(perfectpay_async, name).__doc__
    ]
    assert undocumented == []


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import perfectpay_async", {"aiohttp", "attrs", "cattrs", "tenacity", "click", "rich"}),
        ("from perfectpay_async import CardExpiry, NewCard", {"aiohttp", "cattrs", "tenacity"}),
        ("from perfectpay_async import PerfectPay", {"cattrs", "tenacity", "click", "rich"}),
    ],
)
def test_what_is_not_used_is_not_imported(statement, absent):
    script = f"{statement}\nimport sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not absent & set(done.stdout.split())


def test_importing_creates_no_event_loop_thread_or_file():
    script = (
        "import asyncio, gc, threading; from perfectpay_async import PerfectPay, RateLimit\n"
        "assert threading.active_count() == 1\n"
        "assert not [o for o in gc.get_objects() if isinstance(o, asyncio.AbstractEventLoop)]"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)
