import pytest

from examples.account_page.guard import is_token_of, token_of

SECRET = b"s" * 32


def test_a_token_fits_its_session_and_secret_alone():
    token = token_of(SECRET, "session")
    assert is_token_of(SECRET, "session", token)
    assert not is_token_of(SECRET, "another", token)
    assert not is_token_of(b"t" * 32, "session", token)


@pytest.mark.parametrize("token", ["", "x", "é", "\udc80", "\N{PILE OF POO}" * 1000])
def test_any_other_text_is_refused_and_nothing_worse(token):
    assert not is_token_of(SECRET, "session", token)
