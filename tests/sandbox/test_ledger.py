import pytest

from perfectpay_async.sandbox import Ledger, LedgerRequest

UPDATE, RETRIEVE = "payment_methods.update", "payment_methods.retrieve"
EXPIRY = {"exp_month": "03", "exp_year": "31"}


@pytest.fixture
def ledger():
    return Ledger()


@pytest.fixture
def arrive(ledger):
    def arrive(method_id="pm_1", operation=UPDATE, **fields):
        number = len(ledger.requests) + 1
        entry = LedgerRequest(number, 1.0, "POST", operation, payment_method_id=method_id, **fields)
        ledger.arrive(entry)
        return entry

    return arrive


def test_what_is_under_way_is_counted_for_each_id(ledger, arrive):
    first, second, other, none = arrive(), arrive(), arrive("pm_2"), arrive(None)
    ledger.finish(first, 200, 2.0)
    third = arrive()
    assert [entry.in_flight for entry in (first, second, other, none, third)] == [1, 2, 1, 1, 2]
    assert ledger.max_in_flight_per_id == 2
    for entry in (second, other, none, third):
        ledger.finish(entry, None, 3.0)
    assert arrive().in_flight == 1


def test_a_write_is_recorded_once_for_all_questions(ledger, arrive):
    entry = arrive()
    ledger.apply(entry, "pm_1", EXPIRY)
    unchanged = arrive(changed=False)
    ledger.apply(unchanged, "pm_1", EXPIRY)
    ledger.apply(arrive(None, customer_id="cus_1"))
    assert (entry.applied, ledger.expiry_of("pm_1")) == (True, ("03", "31"))
    assert [write.request for write in ledger.writes] == [1, 2, 3]
    assert [write.changed for write in ledger.writes_of("pm_1")] == [True, False]
    assert ledger.writes[2].customer_id == "cus_1"
    assert (ledger.writes_of("pm_2"), ledger.expiry_of("pm_2")) == ([], None)


def test_what_is_gone_has_no_expiry_but_a_history(ledger, arrive):
    ledger.apply(arrive(), "pm_1", EXPIRY)
    ledger.forget("pm_1", "pm_2")
    assert (ledger.expiry_of("pm_1"), len(ledger.writes_of("pm_1"))) == (None, 1)


def test_a_returned_list_is_the_callers_own(ledger, arrive):
    ledger.apply(arrive(), "pm_1", EXPIRY)
    ledger.writes_of("pm_1").clear()
    assert len(ledger.writes_of("pm_1")) == 1


def test_counts(ledger, arrive):
    for operation, status, fault in (
        (UPDATE, 200, None),
        (UPDATE, 503, "503"),
        (RETRIEVE, None, "truncate"),
        (UPDATE, 503, "503"),
    ):
        entry = arrive(operation=operation)
        entry.fault = fault
        ledger.finish(entry, status, 0.0)
    arrive()
    assert ledger.counts() == {UPDATE: 4, RETRIEVE: 1}
    assert ledger.statuses() == {200: 1, 503: 2, None: 1}
    assert ledger.faults() == {"503": 2, "truncate": 1}
    assert [entry.number for entry in ledger.requests_of(RETRIEVE)] == [3]
