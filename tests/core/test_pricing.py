"""Prices: exact, half up, worst case never below what is charged."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.catalog import Price
from gateway.core.pricing import cost_nano, dearest_input, worst_cost

amounts = st.integers(0, 10**12)
tokens = st.integers(0, 200_000)
prices = st.builds(Price, st.just("p"), st.just(0), st.just("s"), amounts, amounts, st.none() | amounts)


@pytest.mark.parametrize(
    ("price", "usage", "expected"),
    [
        ((152_000_000, 287_000_000, None), (1000, 500, 0), 295_500),
        ((152_000_000, 287_000_000, None), (0, 0, 0), 0),
        ((1, 0, None), (499_999, 0, 0), 0),
        ((1, 0, None), (500_000, 0, 0), 1),
        ((1_000_000, 2_000_000, 100_000), (10, 1, 5), 8),  # 5 + 0.5 + 2, half up
        ((1_000_000, 0, 100_000), (10, 0, 99), 1),  # more cached than prompt
    ],
)
def test_cost_nano_table(price: tuple[int, int, int | None], usage: tuple[int, int, int], expected: int) -> None:
    assert cost_nano(Price("p", 0, "s", *price), *usage) == expected


@given(prices, tokens, tokens, tokens)
def test_cost_nano_any_usage_rounds_the_exact_sum_half_up(price: Price, prompt: int, output: int, cached: int) -> None:
    cached = min(cached, prompt)
    cached_price = price.input_nano_per_mtok if price.cached_nano_per_mtok is None else price.cached_nano_per_mtok
    exact = Fraction(
        (prompt - cached) * price.input_nano_per_mtok + cached * cached_price + output * price.output_nano_per_mtok,
        1_000_000,
    )
    assert cost_nano(price, prompt, output, cached) == (exact + Fraction(1, 2)).__floor__()


@given(prices, tokens, tokens, tokens, st.integers(1, 8))
def test_worst_cost_covers_every_cost_within_the_claim(
    price: Price, prompt: int, output: int, cached: int, choices: int
) -> None:
    assert worst_cost(price, prompt, output, choices) >= choices * cost_nano(price, prompt, output, cached)
    assert dearest_input(price) >= price.input_nano_per_mtok
