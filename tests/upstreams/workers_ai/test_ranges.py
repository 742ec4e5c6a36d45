"""Every bounded parameter of every built-in model, at its least, at its most, and beyond both."""

from pathlib import Path

import msgspec
import pytest

from gateway.config.load import load
from gateway.core.call import Call, Message, Sampling
from gateway.core.catalog import Model, Range
from gateway.upstreams.workers_ai.outbound import request

MODELS = load("", {}, Path("/"), demo=False).catalog.models
BOUNDED = [
    pytest.param(model, name, bounds, id=f"{model.id}-{name}")
    for model in MODELS.values()
    for name, bounds in model.ranges.items()
    if name != "seed"
]


def send(model: Model, **sampling: float) -> tuple[dict[str, float], tuple[str, ...]]:
    call = Call("chat", "m", (Message("user", "hi"),), sampling=Sampling(**sampling))  # type: ignore[arg-type]  # one by name
    outbound = request(call, model, 16)
    return msgspec.json.decode(outbound.body), outbound.ignored


@pytest.mark.parametrize(("model", "name", "bounds"), BOUNDED)
def test_request_parameter_at_its_bounds_goes_out_as_it_is(model: Model, name: str, bounds: Range) -> None:
    for value in (bounds.minimum, bounds.maximum):
        body, changed = send(model, **{name: value})
        assert (body[name], changed) == (value, ())


@pytest.mark.parametrize(("model", "name", "bounds"), BOUNDED)
def test_request_parameter_beyond_its_bounds_is_moved_there_and_named(model: Model, name: str, bounds: Range) -> None:
    for value, sent in ((bounds.minimum - 1, bounds.minimum), (bounds.maximum + 1, bounds.maximum)):
        body, changed = send(model, **{name: value})
        assert (body[name], changed) == (sent, (name,))


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.id)
@pytest.mark.parametrize(
    ("seed", "sent"),
    [(1, 1), (9_999_999_999, 9_999_999_999), (0, 9_999_999_999), (10_000_000_000, 1), (-1, 9_999_999_998)],
)
def test_request_seed_is_mapped_into_the_range_of_the_upstream(model: Model, seed: int, sent: int) -> None:
    body, changed = send(model, seed=seed)
    assert (body["seed"], changed) == (sent, ())


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.id)
def test_request_absent_parameters_are_not_sent(model: Model) -> None:
    body, _ = send(model)
    assert set(body) == {"messages", "max_tokens", "stream"}
