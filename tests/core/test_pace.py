"""Steps and percentiles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.ledgers import make_identity, make_receipt, make_request

from gateway.core.pace import Pace, percentile, step_of, steps_of_row


@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=200), st.sampled_from([0.05, 0.5, 0.95]))
def test_percentile_is_within_a_step_of_the_true_one(values: list[float], share: float) -> None:
    steps: dict[int, int] = {}
    for value in values:
        steps[step_of(value)] = steps.get(step_of(value), 0) + 1
    ordered = sorted(values)
    true = ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
    found = percentile(steps, share)
    assert found is not None
    assert found == pytest.approx(true, rel=0.08)


def test_percentile_of_none_is_none() -> None:
    assert percentile({}, 0.5) is None


def test_paces_add_up() -> None:
    pace = Pace({1: 2}, {3: 1})
    pace.add(Pace({1: 1, 2: 5}, {}))
    assert (pace.first_ms, pace.rate, pace.requests) == ({1: 3, 2: 5}, {3: 1}, 8)


def test_only_streams_say_how_fast_they_were() -> None:
    row = replace(make_receipt(make_request(make_identity(), "r1"), 5), stream=False, ttft_ms=100, latency_ms=1100)
    assert steps_of_row(row) == []
    stream = replace(row, stream=True, completion_tokens=51)
    assert steps_of_row(stream) == [f"f{step_of(100)}", f"r{step_of(50)}"]
    assert steps_of_row(replace(stream, completion_tokens=1)) == [f"f{step_of(100)}"]
    assert steps_of_row(replace(stream, latency_ms=100)) == [f"f{step_of(100)}"]
