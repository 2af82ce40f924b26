"""The table of docs/reliability.md: its rows are those of the generator, and they are true."""

import pytest

from tests.chaos.facts import REQUIRED, TIMEOUTS
from tests.chaos.fault_table import CASES, DOCUMENT, end, measure
from tests.chaos.plan import faults


def table(name):
    inside = DOCUMENT.read_text().split(f"<!-- {name} -->")[1].split(f"<!-- end of {name} -->")[0]
    lines = inside.strip().splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_document_has_a_row_for_every_fault():
    assert [row[0] for row in table("faults")] == [case.name for case in CASES]
    assert {fault.kind for fault in faults("http://localhost")} == {
        case.fault.kind for case in CASES if case.fault
    }


def test_what_is_measured_in_the_document_is_what_is_required():
    for name, _, required, measured, *_ in table("faults"):
        assert measured == required, name
    assert [row[2] for row in table("faults")] == [end(case.required) for case in CASES]


def test_the_document_knows_the_outages():
    loads = {row[0]: float(row[1]) for row in table("outages")}
    assert loads["0%"] == 1.0
    assert loads["100%"] <= 1.1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_each_fault_ends_as_required(case):
    ends = (await measure(case, calls=2, pace=0.3)).ends
    assert case.required in ends
    # A slow machine may be late for any of them.
    assert {ending for ending in ends if ending[0] not in TIMEOUTS} <= {case.required}


def test_every_required_ending_is_in_the_table():
    assert set(REQUIRED.values()) <= {case.required for case in CASES}
