"""HTML that is escaped by construction: text becomes HTML only by passing through `element`.

The pages need no template language, and a page that forgets to escape cannot be written: whatever
is not `Html` is escaped, and `Html` is made here alone.
"""

from __future__ import annotations

from html import escape
from typing import Final, TypeAlias

_VOID: Final = frozenset({"br", "input", "link", "meta"})


class Html(str):
    """Text that is HTML. Joining it with other text makes plain text again, which is escaped."""

    __slots__ = ()


Child: TypeAlias = str | None
"""What an element can hold: HTML, text to be escaped, or None for nothing."""


def element(name: str, /, *children: Child, **attributes: str | bool | None) -> Html:
    """Return an HTML element.

    Args:
        name: Its name.
        *children: What it holds.
        **attributes: `class_` stands for `class`, `aria_label` for `aria-label`. True is an
            attribute without a value; False and None are left out.

    Example:
        >>> element("p", "1 < 2", element("br"), class_="sum")
        '<p class="sum">1 &lt; 2<br></p>'
    """
    opening = f"<{name}{''.join(map(_attribute, attributes, attributes.values()))}>"
    if name in _VOID:
        return Html(opening)
    return Html(f"{opening}{''.join(map(_content, children))}</{name}>")


def document(root: Html) -> Html:
    """Return a whole document; `root` is its `html` element."""
    return Html(f"<!doctype html>\n{root}\n")


def _content(child: Child) -> str:
    if child is None:
        return ""
    return child if isinstance(child, Html) else escape(child)


def _attribute(name: str, value: str | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(value)}"'
