import random

import pytest

from perfectpay_async.sandbox import Fault, FaultPlan

UPDATE, LIST = "payment_methods.update", "payment_methods.list"
EVERY_KIND = (
    Fault.status(503),
    Fault.latency(1),
    Fault.reset_before(),
    Fault.reset_after(),
    Fault.truncate(),
    Fault.bad_json(),
    Fault.stall(),
    Fault.drip(),
    Fault.gzip_bomb(),
    Fault.redirect("/"),
    Fault.raw(b""),
)


def picked(plan, count, operation=UPDATE, *ids):
    faults = [plan.pick(operation, ids) for _ in range(count)]
    return [fault and fault.name for fault in faults]


class TestFault:
    def test_names(self):
        assert [fault.name for fault in EVERY_KIND] == [
            *("503", "latency", "reset_before", "reset_after", "truncate", "bad_json", "stall"),
            *("drip", "gzip_bomb", "redirect", "raw"),
        ]

    def test_which_requests_are_carried_out(self):
        untouched = {fault.name for fault in EVERY_KIND if not fault.applied}
        assert untouched == {"503", "reset_before", "redirect", "raw"}

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (1, "1"),
            (1.0, "1"),
            (0.05, "0.05"),
            (1_234_567, "1234567"),
            ("soon", "soon"),
            (None,) * 2,
        ],
    )
    def test_retry_after_is_written_as_a_header_has_it(self, seconds, text):
        assert Fault.status(429, retry_after=seconds).retry_after == text

    def test_a_body_never_shows_in_its_repr(self):
        assert "secret" not in repr(Fault.raw(b"secret"))

    @pytest.mark.parametrize(
        ("make", "sentence"),
        [
            (
                lambda: Fault.status(503, probability=1.5),
                "probability must be from 0 to 1, not 1.5",
            ),
            (lambda: Fault.status(99), "status_code must be from 200 to 599, not 99"),
            (lambda: Fault.latency(-1), "seconds must be from 0 to 86400, not -1"),
            (lambda: Fault.drip(float("nan")), "seconds must be from 0 to 86400, not nan"),
            (lambda: Fault.truncate(times=-1), "times must be from 0 to 1e"),
            (lambda: Fault.gzip_bomb(-1), "size must be from 0 to 1e"),
            (lambda: Fault.bad_json(operation="update"), "operation must be one of .*'update'"),
        ],
    )
    def test_refuses_what_could_never_be(self, make, sentence):
        with pytest.raises(ValueError, match=sentence):
            make()


class TestPick:
    def test_nothing_planned(self):
        assert picked(FaultPlan(), 2) == [None, None]

    def test_by_operation_and_id(self):
        plan = FaultPlan(
            [Fault.status(500, operation=UPDATE, id="pm_1"), Fault.status(502, id="c")]
        )
        assert picked(plan, 1, UPDATE, "pm_1") == ["500"]
        assert picked(plan, 1, UPDATE, "pm_2") == picked(plan, 1, LIST, "pm_1") == [None]
        assert picked(plan, 1, LIST, "a", "c") == ["502"]

    def test_at_most_so_often(self):
        plan = FaultPlan([Fault.status(500, times=2), Fault.status(502, times=0)])
        plan.add(Fault.status(504, operation=LIST))
        assert picked(plan, 1, LIST) + picked(plan, 2) == ["500", "500", None]
        assert picked(plan, 1, LIST) == ["504"]

    def test_probability_is_a_share_and_repeatable(self):
        def names(seed):
            plan = FaultPlan([Fault.status(500, probability=0.2)], random.Random(seed))
            return picked(plan, 5_000)

        assert names(7) == names(7) != names(8)
        assert 900 < names(7).count("500") < 1_100

    @pytest.mark.parametrize(("probability", "hits"), [(0.0, 0), (1.0, 2_000)])
    def test_never_and_always(self, probability, hits):
        plan = FaultPlan([Fault.status(500, probability=probability)])
        assert picked(plan, 2_000).count("500") == hits

    def test_a_script_goes_first_and_ends(self):
        plan = FaultPlan([Fault.status(500)])
        plan.script(UPDATE, [None, Fault.reset_after(), None])
        plan.script("pm_1", iter([Fault.truncate()]))
        assert picked(plan, 1, LIST) == ["500"]
        assert picked(plan, 5, UPDATE, "pm_1") == [None, "reset_after", None, "truncate", "500"]

    def test_clear(self):
        plan = FaultPlan([Fault.status(500)])
        plan.script(UPDATE, [Fault.truncate()])
        plan.clear()
        assert picked(plan, 1) == [None]


class TestParse:
    @pytest.mark.parametrize(
        ("text", "faults"),
        [
            ("", []),
            ("503=0.05", [Fault.status(503, probability=0.05)]),
            (
                "503=0.05, reset_after=0.05,429=0.05:retry_after=1,latency=0.2:seconds=0.05,",
                [
                    Fault.status(503, probability=0.05),
                    Fault.reset_after(probability=0.05),
                    Fault.status(429, retry_after=1, probability=0.05),
                    Fault.latency(0.05, probability=0.2),
                ],
            ),
            ("502=1:applied=yes:times=3", [Fault.status(502, applied=True, times=3)]),
            ("stall=1:silent=yes:id=pm_1", [Fault.stall(silent=True, id="pm_1")]),
            ("drip=1:seconds=2:operation=unknown", [Fault.drip(2, operation="unknown")]),
            ("gzip_bomb=0:size=5", [Fault.gzip_bomb(5, probability=0)]),
            (
                "truncate=1,bad_json=1,reset_before=1",
                [Fault.truncate(), Fault.bad_json(), Fault.reset_before()],
            ),
        ],
    )
    def test_reads(self, text, faults):
        assert FaultPlan.parse(text) == faults

    @pytest.mark.parametrize(
        "part",
        [
            *("503", "=1", "503=", "503=a lot", "503=2", "503=-1", "503=nan", "503=1=1", "42=1"),
            *("flood=1", "raw=1", "redirect=1", "latency=1", "latency=1:seconds=-1", "503=1:hue=1"),
            *("503=1:seconds=1", "truncate=1:retry_after=1", "reset_after=1:applied=no", "503=1:"),
            *("503=1:times=some", "503=1:applied=maybe", "503=1:operation=update"),
        ],
    )
    def test_says_what_is_wrong(self, part):
        with pytest.raises(ValueError, match="NAME=PROBABILITY") as caught:
            FaultPlan.parse(f"500=0.1,{part}")
        assert str(caught.value).startswith(f"faults: '{part}' must have the form ")
        assert caught.value.__suppress_context__
