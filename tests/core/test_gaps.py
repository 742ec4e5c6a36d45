"""Waits between events, by length."""

import pytest

from gateway.core.gaps import GAP_BOUNDS, Gaps


def test_gaps_begin_at_the_first_byte() -> None:
    gaps = Gaps(100.0)
    gaps.note(100.02)
    assert gaps.counts[GAP_BOUNDS.index(0.025)] == 1
    assert gaps.total == pytest.approx(0.02)


@pytest.mark.parametrize(("gap", "place"), [(0.0, 0), (GAP_BOUNDS[0], 0), (0.0011, 1), (60.0, 14), (61.0, 15)])
def test_gap_counts_below_its_upper_bound(gap: float, place: int) -> None:
    gaps = Gaps(0.0)
    gaps.note(gap)
    assert gaps.counts == [int(number == place) for number in range(len(GAP_BOUNDS) + 1)]
    assert gaps.total == gap
