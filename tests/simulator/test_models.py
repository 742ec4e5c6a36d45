"""The played models, checked against the published neuron prices."""

import pytest

from gateway.simulator.models import MODELS, SimulatedModel


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_model_rates_in_neurons_are_its_prices_in_dollars(model: SimulatedModel) -> None:
    for rate, price in zip(model.rates, model.prices, strict=True):
        assert rate * 0.011 / 1000 == pytest.approx(price, abs=0.0006)


def test_model_neurons_of_a_known_call() -> None:
    small = SimulatedModel(id="s", window_tokens=1, rates=(4625, 30475), prices=(0.051, 0.335))
    assert small.neurons(42, 2) == pytest.approx(0.2551819682, rel=1e-3)


def test_models_have_different_ids() -> None:
    assert len({model.id for model in MODELS}) == len({model.catalogue_id for model in MODELS}) == 9
