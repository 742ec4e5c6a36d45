"""Neurons of an attempt, and what they cost, to the nano-dollar."""

import pytest

from gateway.core.answer import Usage
from gateway.core.catalog import Model
from gateway.core.neurons import NANO, NeuronPrice, neurons_of

KNOWN = Model("m", 8_000, (), neurons_in_per_mtok=4625, neurons_out_per_mtok=30_475)


@pytest.mark.parametrize(
    ("model", "usage", "expected"),
    [
        (KNOWN, Usage(42, 2, 0, 0.2551819682), (255_181_968, "reported")),
        (KNOWN, Usage(42, 2, 0, 0.0), (0, "reported")),
        (KNOWN, Usage(42, 2), (42 * 4_625_000 + 2 * 30_475_000, "computed")),
        (KNOWN, Usage(42, 2, 40), (42 * 4_625_000 + 2 * 30_475_000, "computed")),
        (Model("m", 8_000, (), neurons_in_per_mtok=4625), Usage(42, 2), (None, "reported")),
        (Model("m", 8_000, ()), Usage(42, 2, 0, 1.5), (1_500_000_000, "reported")),
    ],
)
def test_neurons_of_an_attempt(model: Model, usage: Usage, expected: tuple[int | None, str]) -> None:
    assert neurons_of(model, usage) == expected


def test_neurons_computed_agree_with_a_recorded_answer_to_a_tenth_of_a_percent() -> None:
    computed, _ = neurons_of(KNOWN, Usage(42, 2))
    assert computed == pytest.approx(0.2551819682 * NANO, rel=1e-3)


@pytest.mark.parametrize(
    ("neurons_nano", "gross", "billed"),
    [
        (0, 0, 0),
        (1_000 * NANO, 11_000_000, 0),
        (10_000 * NANO, 110_000_000, 0),
        (12_000 * NANO, 132_000_000, 22_000_000),
        (45, 0, 0),
        (46_000, 1, 0),  # 0.506 nano-dollars
    ],
)
def test_neuron_price_of_a_day(neurons_nano: int, gross: int, billed: int) -> None:
    assert (NeuronPrice().gross_nano(neurons_nano), NeuronPrice().billed_nano(neurons_nano)) == (gross, billed)
