"""Headers of rates, in the formats OpenAI's clients read."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.rates import Rate, duration_text, rate_headers


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0s"),
        (-5, "0s"),
        (8, "8ms"),
        (1000, "1s"),
        (1500, "1.5s"),
        (60_000, "1m0s"),
        (360_000, "6m0s"),
        (3_723_500, "1h2m3.5s"),
        (3_600_000, "1h0m0s"),
    ],
)
def test_duration_text_is_written_as_go_does(milliseconds: int, text: str) -> None:
    assert duration_text(milliseconds) == text


@given(st.integers(1, 10**10))
def test_duration_text_any_duration_reads_back_exactly(milliseconds: int) -> None:
    sizes = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
    parts = re.findall(r"([0-9.]+)(ms|h|m|s)", duration_text(milliseconds))
    assert sum(round(float(number) * sizes[unit]) for number, unit in parts) == milliseconds


def test_rate_headers_name_limit_remaining_and_reset_of_each_kind() -> None:
    assert rate_headers((Rate("tokens", 9000, 12, 61_000), Rate("requests", 60, 0, None))) == [
        (b"x-ratelimit-limit-tokens", b"9000"),
        (b"x-ratelimit-remaining-tokens", b"12"),
        (b"x-ratelimit-reset-tokens", b"1m1s"),
        (b"x-ratelimit-limit-requests", b"60"),
        (b"x-ratelimit-remaining-requests", b"0"),
    ]
    assert rate_headers(()) == []
