"""The pages. Pure: they are made from the saved methods, the day and the form's token.

They need no script: links and forms do everything, so they work with a keyboard, a screen reader
and an old phone alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final
from urllib.parse import quote

from perfectpay_async import CustomerPaymentMethod

from . import guard
from .cards import Standing, brand, ending, name, needs_cvc, preselected, standing
from .html import Html, document, element
from .words import Notice

METHODS: Final = "/"
CHECKOUT: Final = "/checkout"
CHOSEN: Final = "/checkout/chosen"
NOTICE_ID: Final = "notice"

_MONTHS: Final = range(1, 13)
_YEARS: Final = 20
_BADGES: Final = {Standing.EXPIRED: "Expired", Standing.SOON: "Expires soon"}


def path_of(method: CustomerPaymentMethod, action: str) -> str:
    """Return the path of one of a method's own pages, such as `/methods/pm_1/delete`."""
    return f"/methods/{quote(method.payment_method_id, safe='')}/{action}"


def methods_page(
    methods: Sequence[CustomerPaymentMethod], on: date, token: str, notice: Notice | None = None
) -> Html:
    """The list of the saved methods, with all that can be done to each."""
    if methods:
        cards = (_card(method, on, _actions(method, on, token)) for method in methods)
        content = element("ul", *cards, class_="cards")
    else:
        content = element("p", "You have no saved payment methods.", class_="empty")
    return _page("Payment methods", content, notice=notice, here=METHODS)


def expiry_page(
    method: CustomerPaymentMethod, on: date, token: str, problem: str | None = None
) -> Html:
    """The form for a new expiry, with what was wrong with the last try."""
    old = method.card.expiry if method.card else None
    month, year = (old.month, old.year) if old else (on.month, on.year)
    problem_id = "problem" if problem else None
    form = _form(
        path_of(method, "expiry"),
        token,
        element(
            "div",
            _select("month", "Month", [f"{number:02d}" for number in _MONTHS], f"{month:02d}",
                    problem_id),
            _select("year", "Year", [str(on.year + i) for i in range(_YEARS)], str(year),
                    problem_id),
            class_="fields",
        ),
        element("p", problem, id="problem", class_="problem", role="alert") if problem else None,
        _buttons("Save expiry date"),
    )  # fmt: skip
    return _page("Update the expiry date", _card(method, on), form)


def delete_page(method: CustomerPaymentMethod, on: date, token: str) -> Html:
    """The question before a method is deleted."""
    warning = "This cannot be undone."
    if method.default_payment_method_set:
        warning += " It is your default, and no other method will take its place by itself."
    form = _form(
        path_of(method, "delete"),
        token,
        element("p", warning),
        _buttons("Delete", kind="danger"),
    )
    return _page("Delete this payment method?", _card(method, on), form)


def checkout_page(
    methods: Sequence[CustomerPaymentMethod], on: date, token: str, problem: str | None = None
) -> Html:
    """The choice of a saved method; an expired card is shown, but cannot be chosen."""
    selected = preselected(methods, on)
    if not methods:
        content = element("p", "You have no saved payment methods.", class_="empty")
    elif selected is None:
        content = element(
            "div",
            element("p", "All your saved cards have expired. Update one of them to pay with it."),
            element("ul", *(_card(method, on, _repair(method)) for method in methods),
                    class_="cards"),
        )  # fmt: skip
    else:
        choices = (_choice(method, on, selected) for method in methods)
        content = _form(
            CHECKOUT,
            token,
            element(
                "fieldset",
                element("legend", "Your saved payment methods", class_="visually-hidden"),
                *choices,
                class_="cards",
            ),
            element("div", _button("Continue"), class_="buttons"),
        )
    notice = Notice(problem, is_problem=True) if problem else None
    return _page("How would you like to pay?", content, notice=notice, here=CHECKOUT)


def chosen_page(method: CustomerPaymentMethod, on: date) -> Html:
    """What was chosen. Here the example ends and a payment would begin."""
    cvc = (
        "To pay, you will be asked for the security code of this card."
        if needs_cvc(method)
        else "No security code is needed."
    )
    return _page(
        "Your choice",
        _card(method, on),
        element("p", cvc),
        element(
            "p",
            "This example ends here: the payment is not part of it.",
            class_="quiet",
        ),
        element("div", _link("Choose another one", CHECKOUT), class_="buttons"),
        here=CHECKOUT,
    )


def message_page(title: str, sentence: str) -> Html:
    """A page with one sentence, for when there is nothing else to show."""
    way_back = element("div", _link("To your payment methods", METHODS), class_="buttons")
    return _page(title, element("p", sentence, role="alert"), way_back)


def _page(
    title: str, *content: Html | None, notice: Notice | None = None, here: str | None = None
) -> Html:
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{title} - Example Shop"),
        element("link", rel="icon", href="/static/icon.svg", type="image/svg+xml"),
        element("link", rel="stylesheet", href="/static/account.css"),
    )
    body = element(
        "body",
        element("a", "Skip to the content", href="#content", class_="skip"),
        element(
            "header",
            element("span", "Example Shop", class_="shop"),
            element(
                "nav",
                _tab("Payment methods", METHODS, here),
                _tab("Checkout", CHECKOUT, here),
                aria_label="Account",
            ),
        ),
        element(
            "main",
            element("h1", title),
            _notice(notice) if notice else None,
            *content,
            id="content",
            tabindex="-1",
        ),
    )
    return document(element("html", head, body, lang="en"))


def _notice(notice: Notice) -> Html:
    # A redirect leads to its id, so that a screen reader goes on from here; hence the tabindex.
    return element(
        "p",
        notice.text,
        id=NOTICE_ID,
        class_="notice problem" if notice.is_problem else "notice",
        role="alert" if notice.is_problem else "status",
        tabindex="-1",
    )


def _card(method: CustomerPaymentMethod, on: date, actions: Html | None = None) -> Html:
    return element("li" if actions else "div", _face(method, on), actions, class_="card")


def _face(method: CustomerPaymentMethod, on: date) -> Html:
    state = standing(method, on)
    digits = ending(method)
    expiry = method.card.expiry if method.card else None
    holder = method.card.card_holder_name if method.card else None
    return element(
        "div",
        element(
            "div",
            element("span", brand(method), class_="brand"),
            _digits(digits) if digits else None,
            _badge("Default", "default") if method.default_payment_method_set else None,
            class_="title",
        ),
        element("div", holder, class_="quiet holder") if holder else None,
        element(
            "div",
            element("span", f"Valid until {expiry}", class_="quiet"),
            _badge(_BADGES[state], state) if state in _BADGES else None,
            class_="expiry",
        )
        if expiry
        else None,
        class_="face",
    )


def _digits(digits: str) -> Html:
    dots = element("span", "\N{BULLET}" * 4, aria_hidden="true", class_="dots")
    said = element("span", " ending in ", class_="visually-hidden")
    return element("span", dots, said, digits, class_="digits")


def _badge(text: str, kind: str) -> Html:
    return element("span", text, class_=f"badge {kind}")


def _actions(method: CustomerPaymentMethod, on: date, token: str) -> Html:
    about = f" of {name(method)}"
    can_be_default = not (
        method.default_payment_method_set or standing(method, on) is Standing.EXPIRED
    )
    return element(
        "div",
        _link("Update expiry", path_of(method, "expiry"), about=about) if method.card else None,
        _form(
            path_of(method, "default"),
            token,
            _button("Make default", about=f" {name(method)}", kind="plain"),
        )
        if can_be_default
        else None,
        _link("Delete", path_of(method, "delete"), about=f" {name(method)}"),
        class_="actions",
    )


def _repair(method: CustomerPaymentMethod) -> Html:
    about = f" of {name(method)}"
    return element(
        "div",
        _link("Update expiry", path_of(method, "expiry"), about=about),
        class_="actions",
    )


def _choice(method: CustomerPaymentMethod, on: date, selected: str) -> Html:
    has_expired = standing(method, on) is Standing.EXPIRED
    radio = element(
        "input",
        type="radio",
        name="method",
        value=method.payment_method_id,
        required=True,
        checked=method.payment_method_id == selected,
        disabled=has_expired,
    )
    cvc = element("div", "Security code needed", class_="quiet") if needs_cvc(method) else None
    label = element("label", radio, element("div", _face(method, on), None if has_expired else cvc))
    return element("div", label, _repair(method) if has_expired else None, class_="card choice")


def _form(action: str, token: str, *content: Html | None) -> Html:
    hidden = element("input", type="hidden", name=guard.FIELD, value=token)
    return element("form", hidden, *content, method="post", action=action)


def _select(
    part: str, label: str, values: Sequence[str], selected: str, problem_id: str | None
) -> Html:
    options = (element("option", value, selected=value == selected) for value in values)
    select = element(
        "select",
        *options,
        id=part,
        name=part,
        required=True,
        autocomplete=f"cc-exp-{part}",
        aria_describedby=problem_id,
        aria_invalid="true" if problem_id else None,
    )
    return element("div", element("label", label, for_=part), select, class_="field")


def _buttons(text: str, kind: str = "") -> Html:
    return element("div", _button(text, kind=kind), _link("Cancel", METHODS), class_="buttons")


def _button(text: str, *, about: str = "", kind: str = "") -> Html:
    return element("button", text, _said(about), type="submit", class_=f"button {kind}".strip())


def _link(text: str, href: str, *, about: str = "") -> Html:
    return element("a", text, _said(about), href=href, class_="button plain")


def _said(about: str) -> Html | None:
    """What only a screen reader says: which of the many equal buttons this one is."""
    return element("span", about, class_="visually-hidden") if about else None


def _tab(text: str, href: str, here: str | None) -> Html:
    return element("a", text, href=href, aria_current="page" if href == here else None)
