from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from datetime import UTC, datetime

import pytest
import trustme
from yarl import URL

from perfectpay_async.cli import diagnosis
from perfectpay_async.cli.app import run
from perfectpay_async.cli.diagnosis import Check, Status
from perfectpay_async.sandbox import Fault
from perfectpay_async.secrets import Secret

SANDBOX = URL("https://sandbox.perfectpay.ai")
PRODUCTION = URL("https://api.perfectpay.ai")
NOW = datetime(2026, 6, 15, 9, 30, 0, tzinfo=UTC)


@pytest.fixture
def doctor(sandbox, environment, capsys):
    """Runs `perfectpay doctor --json`, and returns exit code and checks by name."""

    def doctor(*arguments: str) -> tuple[int, dict[str, dict[str, str]]]:
        code = run(["doctor", "--json", *arguments])
        shown = capsys.readouterr()
        assert shown.err == ""
        account = json.loads(shown.out)
        assert account["schema"] == 1
        return code, {check["name"]: check for check in account["checks"]}

    return doctor


class TestTheCommand:
    def test_all_is_well(self, doctor, sandbox):
        code, checks = doctor()
        assert code == 0
        assert list(checks) == [
            *("versions", "key", "host", "dns", "tcp", "tls", "authentication", "clock", "limits"),
        ]
        assert {check["status"] for check in checks.values()} == {"ok"}
        (request,) = sandbox.ledger.requests
        assert (request.operation, request.method) == ("customers.list", "GET")
        assert sandbox.ledger.writes == []

    def test_for_people(self, doctor, environment, capsys):
        assert run(["doctor"]) == 0
        out = capsys.readouterr().out
        assert "ok    authentication  GET /customers/list answered 200" in out
        environment.delenv("PERFECTPAY_API_KEY")
        assert run(["doctor"]) == 4
        out = capsys.readouterr().out
        assert "fail  key             PERFECTPAY_API_KEY is not set" in out
        assert "-> copy the account's secret key again" in out

    @pytest.mark.parametrize(
        "key", ["", "pk_snd_planted", "epk_planted", "pay_1_secret_planted", '"snd_planted"', "a b"]
    )
    def test_a_key_of_the_wrong_kind_is_4_and_not_sent(self, doctor, environment, sandbox, key):
        environment.setenv("PERFECTPAY_API_KEY", key)
        code, checks = doctor()
        assert code == 4
        assert checks["key"]["status"] == "fail"
        assert checks["key"]["advice"]
        assert "authentication" not in checks
        assert "planted" not in str(checks)
        assert sandbox.ledger.requests == []

    def test_a_key_that_is_refused_is_4(self, doctor, environment):
        environment.setenv("PERFECTPAY_API_KEY", "snd_planted_83613")
        code, checks = doctor()
        assert code == 4
        assert "401" in checks["authentication"]["detail"]
        assert "request id" in checks["authentication"]["detail"]
        assert "snd_planted" not in str(checks)
        assert checks["clock"]["status"] == "ok"  # an answer is an answer

    def test_no_address_is_said_with_the_rest(self, doctor, environment):
        environment.delenv("PERFECTPAY_BASE_URL")
        code, checks = doctor()
        assert code == 1
        assert "--environment sandbox" in checks["host"]["advice"]
        assert checks["key"]["status"] == "ok"

    def test_a_server_that_is_not_there_is_1(self, doctor):
        with socket.socket() as taken:  # so that nobody listens there meanwhile
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            code, checks = doctor("--base-url", f"http://127.0.0.1:{port}")
        assert code == 1
        assert checks["tcp"]["status"] == "fail"
        assert "authentication" not in checks

    def test_a_name_that_does_not_exist_is_1(self, doctor, monkeypatch):
        def unknown(*_arguments, **_settings):
            raise socket.gaierror(socket.EAI_NONAME, "no such host")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        code, checks = doctor("--base-url", "https://pay.invalid")
        assert code == 1
        assert (checks["dns"]["status"], checks["dns"]["detail"]) == ("fail", "no such host")
        assert "tcp" not in checks

    @pytest.mark.parametrize(
        ("fault", "line", "code"),
        [
            (Fault.status(429, retry_after=7), ("call", "warn"), 0),
            (Fault.status(403), ("authentication", "fail"), 4),
            (Fault.status(503), ("call", "fail"), 1),
            (Fault.reset_before(), ("call", "fail"), 1),
            (Fault.redirect("https://elsewhere.invalid/"), ("call", "fail"), 1),
        ],
        ids=lambda value: getattr(value, "name", None),
    )
    def test_what_can_become_of_the_call(self, doctor, sandbox, fault, line, code):
        sandbox.faults.add(fault)
        ended, checks = doctor()
        assert ended == code
        name, status = line
        assert checks[name]["status"] == status
        assert checks[name]["advice"]
        if fault.retry_after:
            assert "retry-after: 7" in checks["limits"]["detail"]
        assert len(sandbox.ledger.requests) == 1


class TestTheKey:
    def test_one_that_fits(self):
        for key, address in (("snd_1", SANDBOX), ("prod_1", PRODUCTION), ("other", PRODUCTION)):
            assert diagnosis.check_shape(Secret(key), address).status is Status.OK

    @pytest.mark.parametrize(("key", "address"), [("snd_1", PRODUCTION), ("prod_1", SANDBOX)])
    def test_one_of_the_other_environment(self, key, address):
        assert diagnosis.check_shape(Secret(key), address).status is Status.WARN
        assert diagnosis.check_shape(Secret(key), URL("https://other.example")).status is Status.OK


class TestTheClock:
    @pytest.mark.parametrize(
        ("date", "status", "said"),
        [
            ("Mon, 15 Jun 2026 09:30:00 GMT", Status.OK, "as the server's"),
            ("Mon, 15 Jun 2026 09:31:00 GMT", Status.OK, "as the server's"),
            ("Mon, 15 Jun 2026 09:31:01 GMT", Status.WARN, "61 s behind"),
            ("Mon, 15 Jun 2026 08:30:00 GMT", Status.WARN, "3,600 s ahead of"),
            ("Mon Jun 15 09:30:00 2026", Status.OK, "as the server's"),
            ("yesterday", Status.OK, "not compared"),
            (None, Status.OK, "not compared"),
            ("Mon, 99 Jun 2026 09:30:00 GMT", Status.OK, "not compared"),
        ],
    )
    def test_is_compared(self, date, status, said):
        check = diagnosis.check_clock(date, NOW)
        assert check.status is status
        assert said in check.detail


def test_limits_are_told_as_they_are_announced():
    headers = {"X-RateLimit-Limit": "80", "RateLimit-Remaining": "7\x1b[2J", "Other": "x"}
    said = diagnosis.check_limits(headers).detail
    assert "x-ratelimit-limit: 80" in said
    assert "ratelimit-remaining: 7" in said
    assert "\x1b" not in said
    assert "Other" not in said


def test_a_certificate_that_ends_soon_is_a_warning():
    soon = {"notAfter": "Jun 20 09:30:00 2026 GMT"}
    later = {"notAfter": "Dec 20 09:30:00 2026 GMT"}
    assert diagnosis.check_certificate("TLSv1.3", soon, NOW.timestamp()).status is Status.WARN
    check = diagnosis.check_certificate("TLSv1.3", later, NOW.timestamp())
    assert check == Check("tls", Status.OK, "TLSv1.3, certificate good for 188 more days")


class TestTls:
    @pytest.fixture
    def authority(self):
        return trustme.CA()

    @pytest.fixture
    def address(self, authority):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        loop = asyncio.new_event_loop()

        async def serve(_reader, writer):
            writer.close()

        server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0, ssl=context))
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        yield URL(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(server.wait_closed())
        loop.close()

    def test_a_certificate_that_is_not_trusted(self, address):
        (_, _, tls) = asyncio.run(diagnosis.check_network(address))
        assert tls.status is Status.FAIL
        assert "not trusted" in tls.detail
        assert "SSL_CERT_FILE" in tls.advice

    def test_one_that_is(self, address, authority, tmp_path, monkeypatch):
        authority.cert_pem.write_to_path(tmp_path / "authority.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        (_, _, tls) = asyncio.run(diagnosis.check_network(address))
        assert tls.status is Status.OK
        assert tls.detail.startswith("TLSv1.")

    def test_a_port_that_does_not_speak_tls(self, sandbox):
        (_, _, tls) = asyncio.run(diagnosis.check_network(URL(sandbox.url).with_scheme("https")))
        assert tls.status is Status.FAIL


def test_behind_a_proxy_the_network_is_not_looked_at(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://planted:secret@proxy.example:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    (check,) = asyncio.run(diagnosis.check_network(SANDBOX))
    assert "proxy.example:3128" in check.detail
    assert "planted" not in check.detail
