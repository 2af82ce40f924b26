import pytest

from perfectpay_async.errors import ConfigurationError
from perfectpay_async.http.address import is_loopback, resolve_address


@pytest.mark.parametrize(
    ("environment", "url"),
    [("sandbox", "https://sandbox.perfectpay.ai"), ("production", "https://api.perfectpay.ai")],
)
def test_the_environments_have_their_documented_addresses(environment, url):
    assert str(resolve_address(environment, None)).rstrip("/") == url


@pytest.mark.parametrize(
    "url",
    [
        "https://pay.example.com/api/v1",
        "http://127.0.0.1:8080",
        "http://localhost:1",
        "http://[::1]:80",
    ],
)
def test_https_and_loopback_are_accepted(url):
    assert str(resolve_address(None, url)).startswith(url.removesuffix(":80"))


@pytest.mark.parametrize(
    ("environment", "url", "sentence"),
    [
        (None, None, "choose where to send the calls"),
        ("sandbox", "https://example.com", "either environment or base_url"),
        ("staging", None, "environment must be 'sandbox' or 'production'"),
        (None, "http://example.com", "base_url must use https"),
        (None, "http://127.0.0.1.example.com", "base_url must use https"),
        (None, "http://10.0.0.1", "base_url must use https"),
        (None, "ftp://example.com", "absolute address"),
        (None, "example.com", "absolute address"),
        (None, "", "absolute address"),
        (None, "https://", "absolute address"),
        (None, "https://example.com:99999", "absolute address"),
        (None, 7, "absolute address"),
        (None, "https://me:secret@example.com", "no user, password"),
        (None, "https://example.com/?a=1", "no user, password"),
        (None, "https://example.com/#top", "no user, password"),
    ],
)
def test_anything_else_is_refused_in_a_sentence(environment, url, sentence):
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        resolve_address(environment, url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.9.9.9", True), ("::1", True), ("8.8.8.8", False), ("local", False)],
)
def test_loopback_is_this_machine_only(host, expected):
    assert is_loopback(host) is expected
