from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfectpay_async.bulk.controller import (
    FLOOR,
    HOLD,
    LEAP,
    MARGIN,
    PAUSE,
    START,
    Controller,
    cubic,
)


def control(ceiling=1_000.0, concurrency=64, jitter=0.0):
    return Controller(
        ceiling, concurrency, now=0.0, uniform=lambda low, high: low + jitter * (high - low)
    )


def deliver(controller, begin, seconds, rate, latency=0.01):
    """Send and deliver requests at a steady rate; returns the time of the end."""
    for number in range(round(seconds * rate)):
        sent = begin + number / rate
        controller.delivered(controller.send(sent), sent + latency)
    return begin + seconds


def throttle(controller, now, retry_after=None):
    controller.throttled(controller.send(now), now, retry_after)


class TestCubic:
    @pytest.mark.parametrize(
        ("elapsed", "rate"),
        list(enumerate([7.0, 9.648936, 10.000031, 10.453285, 13.408697, 21.266268, 36.425999])),
    )
    def test_the_published_vectors_hold(self, elapsed, rate):
        assert cubic(elapsed, 10, beta=0.7, scale=0.4) == pytest.approx(rate, abs=1e-6)

    def test_it_begins_at_the_cut(self):
        assert cubic(0, 50, beta=0.8) == pytest.approx(40)

    def test_without_a_cut_it_grows_at_once(self):
        assert [cubic(t, 50, scale=2.0) for t in (0, 1, 2)] == pytest.approx([50, 52, 66])


class TestSlowStart:
    def test_it_doubles_each_second(self):
        controller = control()
        assert controller.rate(0.0) == START
        for second in range(1, 5):
            deliver(controller, second - 1, 1.0, START * 2**second)
            assert controller.rate(second) == pytest.approx(START * 2**second)

    def test_the_ceiling_ends_it(self):
        controller = control(ceiling=25.0)
        deliver(controller, 0.0, 3.0, 40)
        assert controller.rate(3.0) == 25.0

    def test_a_rate_that_is_not_used_does_not_grow_beyond_twice_what_is_delivered(self):
        controller = control()
        deliver(controller, 0.0, 10.0, 8, latency=0.0)
        assert controller.rate(9.9) == pytest.approx(16, abs=2)

    def test_a_low_ceiling_is_obeyed_from_the_start(self):
        assert control(ceiling=0.2).rate(0.0) == 0.2


def held_below(limit):
    return limit - MARGIN * limit**0.5


class TestCuts:
    def met(self, limit=50, **options):
        """A controller that met its limit just now, and the time at which it goes on."""
        controller = control(**options)
        now = deliver(controller, 0.0, 3.0, limit, latency=0.0)
        throttle(controller, now)
        return controller, now + PAUSE

    def test_nothing_is_sent_for_a_moment(self):
        controller, go_on = self.met()
        assert controller.gate_open
        assert controller.hold(go_on - PAUSE) == pytest.approx(PAUSE)
        assert controller.hold(go_on) == 0.0

    def test_or_for_as_long_as_the_server_says(self):
        controller = control(jitter=1.0)
        throttle(controller, 0.0, retry_after=10)
        assert controller.hold(0.0) == pytest.approx(13)

    @pytest.mark.parametrize("endless", [3_600.0, float("inf")])
    def test_but_not_for_ever(self, endless):
        controller = control()
        throttle(controller, 0.0, retry_after=endless)
        assert controller.hold(0.0) == 60.0

    def test_the_rate_is_then_held_just_below_what_was_delivered(self):
        controller, go_on = self.met(50)
        assert controller.cuts == 1
        for moment in (go_on, go_on + HOLD / 2, go_on + HOLD):
            assert controller.rate(moment) == pytest.approx(held_below(50), abs=1)

    def test_and_tries_for_more_after_a_while(self):
        controller, go_on = self.met(50)
        end = deliver(controller, go_on, HOLD + 2.0, 48)
        leap = 50 + LEAP * 50**0.5
        assert controller.rate(go_on + HOLD + 0.001) == pytest.approx(leap, abs=2)
        assert controller.rate(end) > leap + 5

    def test_a_burst_of_throttles_cuts_once(self):
        controller = control()
        now = deliver(controller, 0.0, 3.0, 50)
        tickets = [controller.send(now) for _ in range(20)]
        for ticket in tickets:
            controller.throttled(ticket, now + 0.1)
        assert (controller.cuts, controller.rejected) == (1, 20)
        assert controller.gate_open

    def test_a_limit_that_is_met_again_where_it_was_is_kept(self):
        controller, go_on = self.met(50)
        held = controller.rate(go_on)
        now = deliver(controller, go_on, HOLD + 0.3, 55, latency=0.0)
        throttle(controller, now)
        assert controller.cuts == 2
        assert controller.rate(now) == held

    def test_one_that_has_moved_up_is_noticed(self):
        controller, go_on = self.met(50)
        now = deliver(controller, go_on, HOLD + 1.5, 80, latency=0.0)
        throttle(controller, now)
        assert controller.rate(now) == pytest.approx(held_below(80), abs=1)

    def test_a_throttle_while_the_rate_is_held_lowers_it_by_one_margin(self):
        controller, go_on = self.met(50)
        now = deliver(controller, go_on, 2.0, 30, latency=0.0)
        throttle(controller, now)
        assert controller.rate(now) == pytest.approx(held_below(held_below(50)), abs=1)

    def test_a_second_throttle_in_a_row_halves_the_limit(self):
        controller, go_on = self.met(50)
        throttle(controller, go_on)
        assert (controller.cuts, controller.gate_open) == (1, False)
        assert controller.rate(go_on) == pytest.approx(held_below(25), abs=1)

    def test_a_request_let_through_ends_the_row(self):
        controller, go_on = self.met(50)
        deliver(controller, go_on, 0.1, 10, latency=0.0)
        throttle(controller, go_on + 0.1)
        assert (controller.cuts, controller.gate_open) == (2, True)


class TestGate:
    def closed(self, **options):
        controller = control(**options)
        throttle(controller, 0.0)
        throttle(controller, 0.1)
        return controller

    def test_two_throttles_in_a_row_close_it(self):
        assert not self.closed().gate_open

    def test_so_do_five_faults_in_a_row(self):
        controller = control()
        for number in range(5):
            assert controller.gate_open, number
            controller.faulted(controller.send(0.0), 0.1)
        assert not controller.gate_open
        assert controller.hold(0.1) == pytest.approx(0.25)

    def test_faults_between_successes_do_not(self):
        controller = control()
        for number in range(50):
            controller.faulted(controller.send(number), number)
            if number % 4 == 3:
                controller.delivered(controller.send(number), number)
        assert controller.gate_open

    def test_it_stays_closed_for_as_long_as_the_server_says(self):
        controller = control(jitter=1.0)
        throttle(controller, 0.0)
        throttle(controller, 0.2, retry_after=10)
        assert controller.hold(0.2) == pytest.approx(13)

    def test_one_probe_at_a_time(self):
        controller = self.closed()
        assert controller.hold(0.1) == pytest.approx(0.25)
        assert controller.hold(0.36) == 0.0
        controller.send(0.36)
        assert controller.hold(5.0) == float("inf")

    @pytest.mark.parametrize("end", ["throttled", "faulted"])
    def test_a_failed_probe_keeps_it_closed_for_longer(self, end):
        controller, now, waits = self.closed(), 0.1, []
        for _ in range(6):
            waits.append(controller.hold(now))
            now += waits[-1]
            getattr(controller, end)(controller.send(now), now)
        assert waits == pytest.approx([0.25, 0.75, 2.25, 5, 5, 5])
        assert controller.figures(now).gate_seconds == pytest.approx(now - 0.1)

    def test_a_delivered_probe_opens_it(self):
        controller = self.closed()
        controller.delivered(controller.send(0.6), 0.7)
        assert controller.gate_open
        assert controller.hold(0.7) == 0.0
        assert controller.figures(9.0).gate_seconds == pytest.approx(0.6)

    def test_after_a_short_closure_the_limit_is_still_known(self):
        controller = control()
        now = deliver(controller, 0.0, 3.0, 50, latency=0.0)
        throttle(controller, now)
        throttle(controller, now + 0.1)
        controller.delivered(controller.send(now + 0.5), now + 0.5)
        assert controller.rate(now + 0.5) == pytest.approx(held_below(25), abs=1)

    def test_after_a_long_one_there_is_a_slow_start_with_all_places_in_flight(self):
        controller = control(concurrency=10)
        now = deliver(controller, 0.0, 3.0, 50, latency=0.1)
        for _ in range(5):
            controller.faulted(controller.send(now), now + 0.1)
        for now in (5.0, 10.0, 15.0):
            controller.faulted(controller.send(now), now)
        controller.delivered(controller.send(20.0), 20.1)
        assert controller.rate(20.1) == START
        assert controller.rate(21.0) < 2 * START
        assert controller.cap(20.1) == 4

    def test_an_abandoned_probe_makes_room_for_the_next(self):
        controller = self.closed()
        controller.abandoned(controller.send(0.7))
        assert controller.hold(0.7) == 0.0

    def test_stragglers_of_a_closure_do_not_close_it_again(self):
        controller = control()
        tickets = [controller.send(0.0) for _ in range(20)]
        for ticket in tickets[:10]:
            controller.faulted(ticket, 0.1)
        controller.delivered(controller.send(0.4), 0.5)
        for ticket in tickets[10:]:
            controller.faulted(ticket, 0.6)
        assert controller.gate_open

    def test_stragglers_do_not_touch_it(self):
        controller = control()
        early, late = controller.send(0.0), controller.send(0.0)
        throttle(controller, 0.1)
        throttle(controller, 0.2)
        until = 0.2 + controller.hold(0.2)
        controller.throttled(early, 0.2)
        controller.delivered(late, 0.3)
        assert not controller.gate_open
        assert controller.hold(0.3) == pytest.approx(until - 0.3)


class TestCap:
    def test_it_is_twice_what_the_rate_needs_and_two(self):
        controller = control(ceiling=100.0)
        now = deliver(controller, 0.0, 10.0, 100, latency=0.1)
        assert controller.cap(now) == pytest.approx(2 * 100 * 0.1 + 2, abs=1)

    def test_the_concurrency_bounds_it(self):
        controller = control(concurrency=5)
        assert controller.cap(0.0) == 5
        assert controller.cap(deliver(controller, 0.0, 5.0, 100, latency=1.0)) == 5

    def test_a_burst_of_faults_cuts_it_once_and_success_mends_it(self):
        controller = control(ceiling=100.0, concurrency=10)
        now = deliver(controller, 0.0, 10.0, 100, latency=0.1)
        for ticket in [controller.send(now) for _ in range(4)]:
            controller.faulted(ticket, now + 0.1)
        assert controller.cap(now + 0.1) == 7
        assert controller.cap(deliver(controller, now + 0.1, 1.0, 50, latency=0.1)) == 10


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["delivered", "throttled", "faulted", "abandoned"]),
        st.floats(0.0, 3.0),
        st.floats(0.0, 1.0),
        st.none() | st.floats(0, 100),
    ),
    max_size=60,
)


@given(st.floats(0.01, 500) | st.just(float("inf")), st.integers(1, 100), EVENTS)
def test_rate_and_cap_stay_in_their_bounds(ceiling, concurrency, events):
    controller, now = control(ceiling, concurrency), 0.0
    for end, pause, latency, retry_after in events:
        now += pause
        ticket = controller.send(now)
        now += latency
        if end == "throttled":
            controller.throttled(ticket, now, retry_after)
        elif end == "abandoned":
            controller.abandoned(ticket)
        else:
            getattr(controller, end)(ticket, now)
        assert min(FLOOR, ceiling) <= controller.rate(now) <= ceiling
        assert controller.rate(now) < float("inf")
        assert 1 <= controller.cap(now) <= concurrency
        assert controller.hold(now) >= 0
        assert controller.figures(now).gate_seconds <= now
