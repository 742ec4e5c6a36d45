"""One worker's permits: never more used than given, and the arithmetic of what is wanted."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.meter import Meter


def test_take_uses_what_is_in_hand_and_no_more() -> None:
    meter = Meter(300, 60.0)
    assert not meter.take(1, 0.0)
    meter.grant(3, 3, 0.0)
    assert meter.take(2, 0.0)
    assert not meter.take(2, 0.0)
    assert (meter.stock, meter.used(0.0)) == (1, 2)
    meter.give_back(2)
    assert (meter.stock, meter.used(0.0)) == (3, 0)


def test_used_forgets_what_is_older_than_the_window() -> None:
    meter = Meter(300, 60.0, margin=1.0)
    meter.grant(2, 2, 0.0)
    meter.take(1, 10.0)
    meter.take(1, 20.0)
    assert [meter.used(now) for now in (70.9, 71.0, 80.9, 81.0)] == [2, 1, 1, 0]


def test_take_more_than_the_limit_counts_as_the_limit() -> None:
    meter = Meter(2, 60.0)
    meter.grant(2, 2, 0.0)
    assert meter.take(8, 0.0)
    assert meter.used(0.0) == 2


def test_wanted_is_for_the_waiting_for_as_many_as_came_lately_and_a_reserve() -> None:
    meter = Meter(300, 60.0)
    assert (meter.reserve, meter.burst) == (3, 75)
    meter.grant(10, 10, 0.0)
    meter.take(4, 0.0)
    meter.take(5, 0.9)
    assert [meter.wanted(now, 7) for now in (0.95, 1.5, 2.0)] == [7 + 9 + 3, 7 + 5 + 3, 7 + 3]
    assert meter.wanted(2.0, 1_000) == 300
    meter.grant(0, 0, 2.0, lacked=2)
    assert meter.wanted(2.0, 7) == 7
    assert Meter(20, 60.0).reserve == 1


def test_shed_lets_go_of_what_is_not_wanted() -> None:
    meter = Meter(300, 60.0)
    meter.grant(10, 10, 0.0)
    assert (meter.shed(4), meter.stock) == (6, 4)
    assert (meter.shed(9), meter.stock) == (0, 4)


def test_grant_tells_whether_it_was_enough() -> None:
    meter = Meter(300, 60.0)
    seen = []
    for gain in (2, 3, -9):
        meter.grant(gain, 5, 0.0)
        seen.append((meter.stock, meter.is_short))
    assert seen == [(2, True), (5, False), (0, True)]


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 4)), max_size=60), st.integers(1, 12))
def test_carry_on_keeps_every_window_to_what_was_allowed_last(calls: list[tuple[float, int]], allowed: int) -> None:
    meter = Meter(100, 10.0, margin=0.0)
    meter.grant(allowed, allowed, 0.0)
    now, sent = 0.0, []
    for pause, count in calls:
        now += pause
        meter.carry_on(now)
        if meter.take(count, now):
            sent += [now] * count
    for end in sent:
        assert sum(end - 10.0 < moment <= end for moment in sent) <= allowed
