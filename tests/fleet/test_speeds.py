"""Speeds follow the latest answers."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.eligibility import Sample
from gateway.fleet.speeds import Speeds

SAMPLE = Sample("key", "auto", "m", output_tokens=100, first_token_seconds=0.5, total_seconds=2.5)


def test_speeds_of_a_stream_are_taken_apart() -> None:
    speeds = Speeds()
    speeds.observe(SAMPLE, 7.0)
    found = speeds.speeds["m"]
    assert (found.first_token_seconds, found.tokens_per_second, found.measured_at) == (0.5, 50.0, 7.0)


def test_speeds_of_a_whole_answer_use_what_is_known_of_the_first_token() -> None:
    speeds = Speeds()
    speeds.observe(SAMPLE, 1.0)
    speeds.observe(replace(SAMPLE, first_token_seconds=None, total_seconds=1.5), 2.0)
    found = speeds.speeds["m"]
    assert found.first_token_seconds == 0.5
    assert found.tokens_per_second == pytest.approx(50 + (100 - 50) * 0.2)


def test_speeds_a_tiny_answer_says_nothing_about_the_rate() -> None:
    speeds = Speeds()
    speeds.observe(replace(SAMPLE, output_tokens=1), 1.0)
    assert speeds.speeds == {}
    speeds.observe(SAMPLE, 1.0)
    speeds.observe(replace(SAMPLE, output_tokens=1, first_token_seconds=1.5), 2.0)
    assert speeds.speeds["m"].tokens_per_second == 50
    assert speeds.speeds["m"].first_token_seconds == pytest.approx(0.7)


@given(
    st.lists(st.tuples(st.integers(0, 5000), st.none() | st.floats(0, 100), st.floats(0, 200)), min_size=1, max_size=50)
)
def test_speeds_stay_positive_whatever_is_measured(given_samples: list[tuple[int, float | None, float]]) -> None:
    speeds = Speeds()
    for tokens, first, total in given_samples:
        speeds.observe(replace(SAMPLE, output_tokens=tokens, first_token_seconds=first, total_seconds=total), 1.0)
    for found in speeds.speeds.values():
        assert found.tokens_per_second > 0
        assert found.first_token_seconds >= 0
