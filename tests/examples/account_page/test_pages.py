from html.parser import HTMLParser

import pytest

from examples.account_page import pages
from examples.account_page.words import Notice

HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture
def hostile(make_method):
    """A method in which everything that a server could put there is hostile."""
    card = {
        "card_network": None,
        "scheme": HOSTILE,
        "card_holder_name": HOSTILE,
        "card_issuer": HOSTILE,
        "nick_name": HOSTILE,
    }
    return make_method(payment_method_id=f"pm/../?{HOSTILE}", card=card)


def all_pages(method, today):
    yield pages.methods_page([method], today, "token", Notice(HOSTILE, is_problem=True))
    yield pages.expiry_page(method, today, "token", HOSTILE)
    yield pages.delete_page(method, today, "token")
    yield pages.checkout_page([method], today, "token", HOSTILE)
    yield pages.chosen_page(method, today)
    yield pages.message_page(HOSTILE, HOSTILE)


class Reader(HTMLParser):
    """The elements of a page, and the stack that shows whether they are closed rightly."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.open, self.ids = [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        assert len(attributes) == len(attrs)
        self.elements.append((tag, attributes))
        if tag not in {"meta", "link", "input", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def named(self, *tags):
        return [attributes for tag, attributes in self.elements if tag in tags]


def test_nothing_hostile_becomes_an_element_an_attribute_or_another_path(hostile, today):
    for page in all_pages(hostile, today):
        assert "<script" not in page
        read = Reader(page)
        assert not any(name.startswith("on") for _, attrs in read.elements for name in attrs)
        for attributes in read.named("a", "form"):
            target = attributes.get("href") or attributes["action"]
            assert target in {"/", "/checkout", "#content"} or (
                target.startswith("/methods/") and target.count("/") == 3 and "?" not in target
            )


def test_every_form_posts_and_has_the_token(make_method, today):
    method = make_method()
    for page in list(all_pages(method, today))[:4]:
        read = Reader(page)
        forms = read.named("form")
        assert forms
        assert {form["method"] for form in forms} == {"post"}
        tokens = [field for field in read.named("input") if field.get("name") == "csrf_token"]
        assert [field["value"] for field in tokens] == ["token"] * len(forms)


def test_every_page_can_be_used_without_seeing_it_or_a_mouse(make_method, today):
    for page in all_pages(make_method(), today):
        read = Reader(page)
        assert read.named("html") == [{"lang": "en"}]
        assert len(read.named("h1")) == len(read.named("main")) == len(read.named("title")) == 1
        assert "width=device-width" in page
        ids = [attrs["id"] for _, attrs in read.elements if "id" in attrs]
        assert len(ids) == len(set(ids))
        assert {field["id"] for field in read.named("select")} <= {
            label.get("for") for label in read.named("label")
        }
        assert not any(int(attrs.get("tabindex") or 0) > 0 for _, attrs in read.elements)


def test_a_mark_is_text_not_colour_alone(make_method, today):
    expired, soon = make_method("04", "2090"), make_method("06", "2090")
    assert ">Expired<" in pages.methods_page([expired], today, "token")
    assert ">Expires soon<" in pages.methods_page([soon], today, "token")
    good = pages.methods_page([make_method()], today, "token")
    assert "Expire" not in good


def test_an_expired_card_is_not_offered_as_the_default(make_method, today):
    assert "Make default" in pages.methods_page([make_method()], today, "token")
    assert "Make default" not in pages.methods_page([make_method("04", "2090")], today, "token")


def test_a_problem_of_a_field_belongs_to_the_field(make_method, today):
    read = Reader(pages.expiry_page(make_method(), today, "token", "Not so."))
    assert {field["aria-describedby"] for field in read.named("select")} == {"problem"}
    assert [attrs["role"] for attrs in read.named("p") if attrs.get("id") == "problem"] == ["alert"]


def test_an_expiry_in_the_past_or_unknown_still_gives_a_form(make_method, today):
    for method in (make_method("04", "2080"), make_method(None, None)):
        read = Reader(pages.expiry_page(method, today, "token"))
        assert len(read.named("option")) == 12 + 20


def test_where_nothing_can_be_chosen_nothing_can_be_sent(make_method, today):
    assert "<form" not in pages.checkout_page([], today, "token")
    all_expired = pages.checkout_page([make_method("04", "2090")], today, "token")
    assert "<form" not in all_expired
    assert "Update expiry" in all_expired


def test_a_cvc_that_is_not_needed_is_not_spoken_of(make_method, today):
    method = make_method(requires_cvv=False)
    assert "Security code" not in pages.checkout_page([method], today, "token")
    assert "No security code is needed" in pages.chosen_page(method, today)
