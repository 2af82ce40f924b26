"""docs/cli.md lists the keys of all JSON that commands print, and no others."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest
from yarl import URL

from perfectpay_async import entities
from perfectpay_async.cli.app import run
from perfectpay_async.fleet import (
    FleetSettings,
    WorkerEntry,
    WorkerFacts,
    enter_job,
    open_ledger,
    plan_job,
)

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")
JSON = PAGE.partition("\n## JSON\n")[2].partition("\n## ")[0]
NEW = f"12,{datetime.now(UTC).year + 3}"


def listed(heading):
    """The keys that the table below a heading lists."""
    (section,) = re.findall(rf"^### {heading}$(.*?)(?=^### |\Z)", JSON, re.DOTALL | re.MULTILINE)
    cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    keys = [key for cell in cells for key in re.findall(r"`([^`]+)`", cell)]
    assert len(keys) == len(set(keys))
    return set(keys)


def keys_of(value, path=""):
    """The paths of all keys of an object, in the form of the page."""
    found = set()
    if isinstance(value, dict):
        for name, inner in value.items():
            key = f"{path}.{name}" if path else name
            found |= {key, *keys_of(inner, key)}
    elif isinstance(value, list):
        for item in value:
            found |= keys_of(item, f"{path}[]")
    return found


@pytest.fixture
def printed(environment, capsys):
    """Runs a command and returns the JSON on its standard output."""

    def make(*arguments, code=0):
        capsys.readouterr()
        assert run([str(argument) for argument in arguments]) == code
        return json.loads(capsys.readouterr().out)

    return make


@pytest.fixture
def file(sandbox, write_csv):
    """A file whose rows end in several ways."""
    cards = sandbox.seed_cards(3)
    return write_csv(*(f"{card},{NEW}" for card in (*cards, "pm_gone")), f"pm_bad,13,{NEW[-4:]}")


class TestBulk:
    def test_an_account(self, printed, file):
        account = printed("bulk", "run", file, "--json", code=1)
        assert keys_of(account) == listed("An account")

    def test_a_dry_run(self, printed, file):
        assert keys_of(printed("bulk", "run", file, "--dry-run", "--json")) == listed("A dry run")

    def test_a_plan(self, printed, write_csv):
        file = write_csv(f"pm_1,{NEW}", f"pm_1,{NEW}", "pm_2,13,2031")
        assert keys_of(printed("bulk", "plan", file, "--json", code=3)) == listed("A plan")

    @pytest.fixture
    def job(self, printed, file):
        return printed("bulk", "run", file, "--json", code=1)["job"]

    def test_a_job(self, printed, job):
        one = printed("bulk", "status", job, "--json")
        assert keys_of(one) == listed("A job")
        listing = printed("bulk", "status", "--json")
        assert keys_of(listing) == {
            *("schema", "jobs"),
            *(f"jobs[].{key}" for key in listed("A job") - {"schema"}),
        }

    def test_a_report(self, printed, job):
        report = printed("bulk", "report", job, "--format", "json")
        assert keys_of(report) == listed("A job") | listed("A report")

    def test_a_dead_letter(self, printed, job, capsys):
        assert run(["bulk", "dead-letter", job, "--format", "jsonl"]) == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert len(lines) == 2
        for line in lines:
            assert keys_of(line) == listed("A dead letter")

    def test_a_verification(self, printed, job, sandbox):
        sandbox.store.delete(next(iter(sandbox.store.methods)))
        proof = printed("bulk", "verify", job, "--json", code=1)
        assert keys_of(proof) == listed("A verification")


def test_a_fleet(printed, environment, write_csv, tmp_path):
    path = str(tmp_path / "fleet.db")
    environment.setenv("PERFECTPAY_FLEET_LEDGER", path)

    async def fill():
        ledger = open_ledger(path)
        try:
            await ledger.prepare()
            plan = plan_job(FleetSettings(location=write_csv(f"pm_1,{NEW}"), format="csv"))
            await enter_job(ledger, plan, URL("http://127.0.0.1:9/"))
        finally:
            await ledger.close()
        environment.setattr(type(ledger), "workers", workers)

    async def workers(_ledger):  # one that works is known by its open ledger
        facts = WorkerFacts(id="one", name="one", version="1", rate=None)
        return [WorkerEntry(facts=facts, share=None, chunks=0)]

    asyncio.run(fill())
    assert keys_of(printed("fleet", "status", "--json")) == listed("A fleet")


class TestSingleCalls:
    @pytest.mark.parametrize(
        ("heading", "classes"),
        [
            ("A payment method", ["PaymentMethod", "CustomerPaymentMethod"]),
            ("A deleted payment method", ["DeletedPaymentMethod"]),
            ("A default payment method", ["DefaultPaymentMethod"]),
            ("A customer", ["Customer"]),
            ("A deleted customer", ["DeletedCustomer"]),
        ],
    )
    def test_all_fields_that_can_be_shown_are_listed(self, heading, classes):
        shown = set()
        for name in classes:
            kind = getattr(entities, name)
            shown |= {field.name for field in attrs.fields(kind) if _can_be_shown(field)}
        if "card" in shown:
            fields = attrs.fields(entities.CardDetails)
            shown |= {f"card.{field.name}" for field in fields if _can_be_shown(field)}
        assert shown == listed(heading)

    def test_and_no_more_are_printed(self, printed, sandbox):
        customer = printed("customers", "create", "--id", "cus_x", "--name", "Ida", "--json")
        assert keys_of(customer) <= listed("A customer")
        (card,) = sandbox.seed_cards(1)
        method = printed("methods", "get", card, "--json")
        assert keys_of(method) <= listed("A payment method")
        owner = method["customer_id"]
        (item,) = [printed("methods", "list", owner, "--json")]
        assert keys_of(item) <= listed("A payment method")
        updated = printed("methods", "update", card, "--nick-name", "x", "--json")
        assert keys_of(updated) <= listed("A payment method")
        deleted = printed("methods", "delete", card, "--yes", "--json")
        assert keys_of(deleted) == listed("A deleted payment method")
        gone = printed("customers", "delete", "cus_x", "--yes", "--json")
        assert keys_of(gone) == listed("A deleted customer")

    def test_an_error(self, printed):
        found = printed("methods", "get", "pm_gone", "--json", code=1)
        assert keys_of(found) - {"error"} == listed("An error")

    def test_a_diagnosis(self, printed):
        assert keys_of(printed("doctor", "--json")) == listed("A diagnosis")


def test_every_form_has_a_test():
    text = Path(__file__).read_text("utf-8")
    for heading in re.findall("^### (.*)$", JSON, re.MULTILINE):
        assert f'"{heading}"' in text


def _can_be_shown(field):
    left_out = {"extra", "response", "bank_transfer", "wallet"}  # free form, or not of the API
    return field.name not in left_out and "Secret" not in str(field.type)
