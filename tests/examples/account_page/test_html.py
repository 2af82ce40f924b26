from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from examples.account_page.html import Html, element


class Reader(HTMLParser):
    """What a browser would read."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.text = [], ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"])) | st.sampled_from(
    ['"><script>alert(1)</script>', "' onmouseover='x", "&lt;", "<!--", "]]>", "&amp"]
)


@given(TEXT, TEXT)
def test_a_browser_reads_back_the_text_and_no_element_more(text, value):
    page = Reader(element("p", text, title=value))
    assert page.tags == [("p", {"title": value})]
    assert page.text == text


def test_html_is_not_escaped_again_and_joined_text_is():
    inner = element("b", "&")
    assert element("p", inner) == "<p><b>&amp;</b></p>"
    assert element("p", inner + "<i>") == "<p>&lt;b&gt;&amp;amp;&lt;/b&gt;&lt;i&gt;</p>"
    assert element("p", f"{inner}") == "<p>&lt;b&gt;&amp;amp;&lt;/b&gt;</p>"


def test_html_in_an_attribute_is_text():
    assert element("p", title=Html('"')) == '<p title="&quot;"></p>'


def test_attributes_can_be_bare_or_left_out():
    made = element("input", class_="a", aria_label="b", checked=True, required=False, id=None)
    assert made == '<input class="a" aria-label="b" checked>'
    assert element("p", None, "x") == "<p>x</p>"
