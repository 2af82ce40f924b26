from __future__ import annotations

import io
import sys

import pytest

from perfectpay_async.cli import card_numbers
from perfectpay_async.cli.app import run
from perfectpay_async.cli.exits import InputNotTaken
from perfectpay_async.entities import CardExpiry
from perfectpay_async.errors import InvalidRequestError

EXPIRY = CardExpiry(12, 2045)
NUMBERS = ["4242424242424242", "4242 4242 4242 4242", "4242-4242-4242-4242", "378282246310005"]


class Terminal(io.StringIO):
    """Standard input that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(
    "before",
    [[], ["methods", "get"], ["bulk", "run"], ["customers", "create", "--name"], ["sandbox"]],
)
def test_a_card_number_is_no_argument_and_is_not_echoed(number, before, capsys):
    assert run([*before, number]) == 2
    shown = capsys.readouterr()
    assert f"argument {len(before) + 1} looks like a card number" in shown.err
    for part in (number, "4242", "378282", "10005"):
        assert part not in shown.out + shown.err


@pytest.mark.parametrize(
    "argument",
    [
        "--number=4242424242424242",
        "--name=card 4242 4242 4242 4242!",
        "see 378282246310005.",
        "--card4242424242424242",
        "-4242424242424242",
        "-n4242424242424242=x",
    ],
)
def test_nor_is_it_a_part_of_one(argument, capsys):
    assert run(["customers", "update", "cus_1", argument]) == 2
    shown = capsys.readouterr()
    assert "argument 4 looks like a card number" in shown.err
    assert "4242" not in shown.out + shown.err
    assert "378282" not in shown.out + shown.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["methods", "get", "4242424242424241"],  # no check digit
        ["methods", "get", "12345_pm_4242424242424242"],
        ["methods", "get", "pm_4242424242424242"],
        ["customers", "update", "cus_1", "--phone", "+4242424242424242"],
        ["customers", "get", "424242424242"],  # too short
        ["bulk", "run", "cards-4242424242424242.csv"],
        [],
    ],
)
def test_other_arguments_are_none(arguments):
    card_numbers.refuse_card_numbers(arguments)


class TestReading:
    @pytest.mark.parametrize("text", ["4242 4242 4242 4242\n123\n", "4242424242424242\r\n123"])
    def test_two_lines_of_standard_input(self, text, monkeypatch):
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        card = card_numbers.read_card(EXPIRY, "Jane Doe")
        assert card.number.reveal() == "4242424242424242"
        assert card.cvc.reveal() == "123"
        assert card.holder_name == "Jane Doe"

    @pytest.mark.parametrize("text", ["4242424242424242", "4242424242424242\n\n"])
    def test_no_cvc(self, text, monkeypatch):
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        assert card_numbers.read_card(EXPIRY).cvc is None

    @pytest.mark.parametrize("stdin", [io.StringIO(""), io.StringIO("\n123\n"), None])
    def test_nothing_is_refused(self, stdin, monkeypatch):
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(InputNotTaken, match="no card number on standard input"):
            card_numbers.read_card(EXPIRY)

    def test_an_endless_line_is_not_read_whole(self, monkeypatch):
        stdin = io.StringIO("4" * 1_000_000)
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(InvalidRequestError, match="number must be"):
            card_numbers.read_card(EXPIRY)
        assert stdin.tell() < 1_000

    def test_on_a_terminal_it_is_typed_unseen(self, monkeypatch):
        typed = {"Card number": "4242424242424242", "CVC (may be empty)": "123"}
        asked = []

        def prompt(text, **settings):
            asked.append(settings["hide_input"])
            return typed[text]

        monkeypatch.setattr(card_numbers.click, "prompt", prompt)
        monkeypatch.setattr(sys, "stdin", Terminal())
        assert card_numbers.read_card(EXPIRY).last4 == "4242"
        assert asked == [True, True]

    def test_a_mistyped_number_is_not_quoted(self, monkeypatch, what_a_tracker_sees):
        monkeypatch.setattr(sys, "stdin", io.StringIO("4242424242424241\n123\n"))
        with pytest.raises(InvalidRequestError, match="check digit") as caught:
            card_numbers.read_card(EXPIRY)
        assert "42424242" not in what_a_tracker_sees(caught.value)
