import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfectpay_async.secrets import MaskedBytes, MaskedStr, Secret

PLANTED = "planted-value-83613"


def test_no_way_of_printing_shows_it():
    secret = Secret(PLANTED)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r}", "%s" % secret, repr([secret])]  # noqa: UP031
    assert PLANTED not in "".join(shown)


def test_what_it_reveals_is_the_value_with_a_masked_repr():
    revealed = Secret(PLANTED).reveal()
    assert revealed == PLANTED
    assert PLANTED not in repr(revealed)
    assert PLANTED not in repr({"api-key": revealed})
    assert json.dumps(revealed) == json.dumps(PLANTED)


def test_a_secret_of_a_secret_is_the_same_secret():
    assert Secret(Secret(PLANTED)) == Secret(PLANTED)


def test_pickling_drops_the_value_and_says_so():
    data = pickle.dumps(Secret(PLANTED))
    assert PLANTED.encode() not in data
    with pytest.raises(ValueError, match="was pickled, which drops its value"):
        pickle.loads(data).reveal()


@pytest.mark.parametrize("value", [MaskedStr(PLANTED), MaskedBytes(PLANTED.encode())])
def test_revealed_values_cannot_be_pickled(value):
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(value)


def test_masked_bytes_say_only_how_many_they_are():
    assert repr(MaskedBytes(b"12345")) == "<5 masked bytes>"


@pytest.mark.parametrize(
    "secret", [Secret(PLANTED), MaskedStr(PLANTED), MaskedBytes(PLANTED.encode())]
)
def test_copies_are_the_secret_itself(secret):
    assert copy.copy(secret) is secret
    assert copy.deepcopy(secret) is secret


@pytest.mark.parametrize("wrong", [4242424242424242, b"4242424242424242", None])
def test_only_text_can_be_revealed(wrong):
    with pytest.raises(TypeError, match="a secret must be a str") as caught:
        Secret(wrong).reveal()
    assert "4242" not in str(caught.value)


@given(st.text(), st.text())
def test_secrets_are_equal_when_their_values_are(left, right):
    assert (Secret(left) == Secret(right)) == (left == right)
    if left == right:
        assert hash(Secret(left)) == hash(Secret(right))


def test_a_secret_is_not_its_text():
    assert Secret(PLANTED) != PLANTED
