from __future__ import annotations

import io
import json
import socket
import subprocess
import sys

import pytest

from perfectpay_async.cli.app import run
from perfectpay_async.sandbox import Fault

VISA, MASTERCARD = "4242424242424242", "5555555555554444"


class Terminal(io.StringIO):
    """Standard input that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def stdin(monkeypatch):
    """Makes standard input of a text."""

    def put(text: str = "", *, terminal: bool = False) -> None:
        monkeypatch.setattr(sys, "stdin", (Terminal if terminal else io.StringIO)(text))

    put()
    return put


@pytest.fixture
def perfectpay(sandbox, environment, stdin, capsys):
    """Runs `perfectpay methods`, and returns exit code, stdout and stderr."""
    sandbox.seed_customer("cus_1")

    def perfectpay(*arguments: str) -> tuple[int, str, str]:
        code = run(["methods", *arguments])
        return (code, *capsys.readouterr())

    return perfectpay


@pytest.fixture
def create(perfectpay, stdin):
    """Saves a card, and returns its id."""

    def create(number: str = VISA) -> str:
        stdin(f"{number}\n123\n")
        code, out, _ = perfectpay("create", "cus_1", "--expiry", "12/45", "--json")
        assert code == 0
        method_id: str = json.loads(out)["payment_method_id"]
        return method_id

    return create


def writes(sandbox, operation):
    return [w for w in sandbox.ledger.writes if w.operation == f"payment_methods.{operation}"]


class TestCreate:
    def test_from_standard_input(self, perfectpay, stdin, sandbox):
        stdin(f"{VISA}\n123\n")
        code, out, err = perfectpay(
            "create", "cus_1", "--expiry", "12/45", "--holder-name", "Jane Doe", "--type", "credit"
        )
        assert (code, err) == (0, "")
        assert "card.last4_digits" in out
        assert "4242" in out
        assert VISA not in out
        assert "client_secret" not in out
        (method,) = sandbox.store.methods.values()
        assert (method.subtype, method.card.holder) == ("credit", "Jane Doe")

    @pytest.mark.parametrize("number", ["4242424242424241", "", "not a number"])
    def test_a_bad_number_is_3_and_nothing_is_sent(self, perfectpay, stdin, sandbox, number):
        stdin(f"{number}\n123\n")
        code, out, err = perfectpay("create", "cus_1", "--expiry", "12/45")
        assert (code, out) == (3, "")
        assert "4242" not in err
        assert sandbox.ledger.requests == []

    @pytest.mark.parametrize("expiry", ["13/30", "1230", "x"])
    def test_a_bad_expiry_is_2(self, perfectpay, expiry):
        code, _, err = perfectpay("create", "cus_1", "--expiry", expiry)
        assert code == 2
        assert "expiry" in err

    def test_an_expired_card_is_3(self, perfectpay, stdin, sandbox):
        stdin(f"{VISA}\n")
        code, _, err = perfectpay("create", "cus_1", "--expiry", "01/20")
        assert code == 3
        assert "must not be in the past" in err
        assert sandbox.ledger.requests == []

    def test_a_lost_answer_is_looked_up_and_the_card_not_sent_twice(self, create, sandbox):
        sandbox.faults.add(Fault.reset_after(operation="payment_methods.create", times=1))
        assert create() in sandbox.store.methods
        assert len(writes(sandbox, "create")) == 1

    def test_what_cannot_be_told_is_said(self, perfectpay, stdin, sandbox):
        sandbox.faults.add(Fault.reset_before(operation="payment_methods.create"))
        stdin(f"{VISA}\n")
        code, out, err = perfectpay("create", "cus_1", "--expiry", "12/45", "--json")
        assert code == 1
        assert "it cannot be told what was saved" in err
        assert json.loads(out)["error"]["outcome"] == "unknown"


class TestListAndGet:
    def test_for_people(self, perfectpay, create, sandbox):
        default, other = create(), create(MASTERCARD)
        code, out, err = perfectpay("list", "cus_1")
        assert (code, err) == (0, "")
        assert sorted(out.splitlines()) == sorted(
            [
                f"{default}  card  Visa  4242  12/2045  default",
                f"{other}  card  Mastercard  4444  12/2045",
            ]
        )

    def test_as_json_one_a_line_without_secrets(self, perfectpay, create, sandbox):
        ids = {create(), create(MASTERCARD)}
        _, out, _ = perfectpay("list", "cus_1", "--json")
        rows = [json.loads(line) for line in out.splitlines()]
        assert {row["payment_method_id"] for row in rows} == ids
        assert "token_" not in out
        assert rows[0]["card"]["expiry_month"] == "12"
        _, out, _ = perfectpay("list", "cus_1", "--json", "--limit", "1")
        assert len(out.splitlines()) == 1

    def test_an_expired_one_is_marked(self, perfectpay, sandbox):
        sandbox.seed_cards(1, expiry=("01", "20"))
        (method,) = sandbox.store.methods.values()
        _, out, _ = perfectpay("list", method.customer_id)
        assert out.strip().endswith("01/2020  default  expired")

    def test_none_are_said_on_stderr(self, perfectpay):
        assert perfectpay("list", "cus_1") == (
            0,
            "",
            "This customer has no saved payment methods.\n",
        )
        assert perfectpay("list", "cus_1", "--json")[1] == ""

    def test_one(self, perfectpay, create):
        method_id = create()
        code, out, _ = perfectpay("get", method_id, "--json")
        assert code == 0
        assert json.loads(out)["card"]["last4_digits"] == "4242"
        assert "_secret_" not in out

    def test_a_server_that_draws_on_the_terminal_does_not(self, perfectpay, create, sandbox):
        method_id = create()
        sandbox.store.methods[method_id].metadata = {"\x1b[2Jkey": "a\x1b]0;title\x07b\n"}
        _, out, _ = perfectpay("get", method_id)
        assert "\x1b" not in out
        assert "\x07" not in out
        assert "title" in out


class TestChanges:
    def test_update(self, perfectpay, create, sandbox):
        method_id = create()
        code, _, _ = perfectpay("update", method_id, "--expiry", "11/46", "--nick-name", "blue")
        assert code == 0
        assert sandbox.ledger.expiry_of(method_id) == ("11", "46")

    def test_an_update_of_nothing_is_3(self, perfectpay):
        assert perfectpay("update", "pm_1")[0] == 3

    def test_default(self, perfectpay, create):
        create()
        other = create(MASTERCARD)
        code, out, _ = perfectpay("default", "cus_1", other)
        assert code == 0
        assert f"default_payment_method_id  {other}" in out
        assert "default" in next(line for line in perfectpay("list", "cus_1")[1].splitlines()
                                 if line.startswith(other))  # fmt: skip


class TestDelete:
    def test_without_anybody_to_ask_it_needs_yes(self, perfectpay, create, stdin, sandbox):
        method_id = create()
        stdin()
        code, _, err = perfectpay("delete", method_id)
        assert code == 2
        assert "say --yes" in err
        assert method_id in sandbox.store.methods
        code, out, _ = perfectpay("delete", method_id, "--yes", "--json")
        assert (code, json.loads(out)["deleted"]) == (0, True)
        assert method_id not in sandbox.store.methods

    @pytest.mark.parametrize("typed", ["y\n", "n\n", "\n"])
    def test_on_a_terminal_it_asks(self, perfectpay, create, stdin, sandbox, typed):
        method_id = create()
        stdin(typed, terminal=True)
        code, _, err = perfectpay("delete", method_id)
        assert code == (0 if typed == "y\n" else 2)
        assert "deletes a payment method for good" in err
        assert (method_id in sandbox.store.methods) is (code != 0)


class TestOutsideASandbox:
    COMMANDS = (
        ("create", "cus_1", "--expiry", "12/45"),
        ("update", "pm_1", "--expiry", "12/45"),
        ("delete", "pm_1"),
        ("default", "cus_1", "pm_1"),
    )

    @pytest.fixture(autouse=True)
    def _elsewhere(self, environment, monkeypatch):
        def unknown(*_arguments, **_settings):
            raise socket.gaierror(socket.EAI_NONAME, "no such host")

        environment.setenv("PERFECTPAY_BASE_URL", "https://pay.invalid")
        monkeypatch.setattr(socket, "getaddrinfo", unknown)

    @pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
    def test_every_change_asks(self, perfectpay, stdin, sandbox, command):
        code, _, err = perfectpay(*command)
        assert code == 2
        assert "pay.invalid is not a sandbox: say --yes" in err
        stdin("pay.wrong\n", terminal=True)
        code, _, err = perfectpay(*command)
        assert code == 2
        assert "not confirmed, so nothing was sent" in err

    def test_the_hosts_name_goes_on(self, perfectpay, stdin):
        stdin("pay.invalid\n", terminal=True)
        code, _, err = perfectpay("update", "pm_1", "--expiry", "12/45")
        assert code == 1
        assert "could not connect" in err

    @pytest.mark.parametrize("command", [("list", "cus_1"), ("get", "pm_1")])
    def test_looking_does_not_ask(self, perfectpay, command):
        code, _, err = perfectpay(*command)
        assert code == 1
        assert "nothing was sent" in err


class TestErrors:
    def test_not_found_is_1_and_json_says_what_it_means(self, perfectpay):
        code, out, err = perfectpay("get", "pm_gone", "--json")
        assert code == 1
        assert err.startswith("Error: payment_methods.retrieve: the server answered 404")
        error = json.loads(out)["error"]
        assert (error["class"], error["status"], error["code"]) == ("NotFound", 404, "HE_02")
        assert (error["outcome"], error["attempts"]) == ("refused", 1)

    def test_a_bad_id_is_3(self, perfectpay, sandbox):
        assert perfectpay("get", "../x")[0] == 3
        assert sandbox.ledger.requests == []

    def test_a_wrong_key_is_4(self, perfectpay, environment):
        environment.setenv("PERFECTPAY_API_KEY", "snd_planted_wrong")
        code, out, err = perfectpay("get", "pm_1")
        assert code == 4
        assert "snd_planted_wrong" not in out + err

    def test_no_key_is_4(self, perfectpay, environment):
        environment.delenv("PERFECTPAY_API_KEY")
        assert perfectpay("get", "pm_1")[0] == 4

    def test_no_address_is_2(self, perfectpay, environment):
        environment.delenv("PERFECTPAY_BASE_URL")
        code, _, err = perfectpay("get", "pm_1")
        assert code == 2
        assert "--environment sandbox" in err

    def test_an_interrupted_change_leaves_a_doubt_and_says_so(self, perfectpay, monkeypatch):
        def interrupted(coroutine):
            coroutine.close()
            raise KeyboardInterrupt

        monkeypatch.setattr("asyncio.run", interrupted)
        code, _, err = perfectpay("update", "pm_1", "--expiry", "12/45")
        assert code == 130
        assert "look before you repeat it" in err
        assert "repeat" not in perfectpay("get", "pm_1")[2]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_number_typed_on_a_real_terminal_is_not_echoed(sandbox, environment):
    sandbox.seed_customer("cus_1")
    spawn = (
        "import pty, sys; pty.spawn([sys.executable, '-c', "
        "'from perfectpay_async.cli import main; main()', *sys.argv[1:]])"
    )
    command = [sys.executable, "-c", spawn, "methods", "create", "cus_1", "--expiry", "12/45"]
    shown = b""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for prompt, typed in ((b"Card number: ", VISA), (b"CVC (may be empty): ", "8361")):
            while not shown.endswith(prompt):
                byte = process.stdout.read(1)
                assert byte, shown
                shown += byte
            process.stdin.write(f"{typed}\n".encode())
            process.stdin.flush()
        shown += process.stdout.read()
    assert b"card.last4_digits" in shown
    assert VISA.encode() not in shown
    assert b"8361" not in shown
    (method,) = sandbox.store.methods.values()
    assert method.card.last4 == "4242"
