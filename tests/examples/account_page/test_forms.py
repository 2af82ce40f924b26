import pytest

from examples.account_page import words
from examples.account_page.forms import FormError, chosen_method, entered_expiry


def test_an_expiry_of_this_month_is_good(today):
    assert str(entered_expiry({"month": "05", "year": "2090"}, today)) == "05/2090"


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({}, words.NO_EXPIRY),
        ({"month": "13", "year": "2092"}, words.NO_EXPIRY),
        ({"month": "4242424242424242", "year": "2092"}, words.NO_EXPIRY),
        ({"month": "04", "year": "2090"}, words.PAST_EXPIRY),
    ],
)
def test_another_one_gets_a_sentence(today, form, sentence):
    with pytest.raises(FormError) as caught:
        entered_expiry(form, today)
    assert caught.value.sentence == sentence


def test_only_a_listed_method_that_is_good_can_be_chosen(make_method, today):
    good = make_method()
    past = make_method("04", "2090", payment_method_id="pm_past")
    assert chosen_method({"method": "pm_1"}, [past, good], today) is good
    for form, sentence in (
        ({}, words.NO_CHOICE),
        ({"method": "pm_others"}, words.CHOICE_IS_GONE),
        ({"method": "pm_past"}, words.EXPIRED_CHOICE),
    ):
        with pytest.raises(FormError) as caught:
            chosen_method(form, [past, good], today)
        assert caught.value.sentence == sentence
