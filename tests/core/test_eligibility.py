"""Whether one model can do one call, at the edges, and what it is expected to cost."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.load import load
from gateway.core.call import Call, Message
from gateway.core.catalog import Model, Price, Route
from gateway.core.eligibility import Candidate, Excluded, Facts, Learned, examine
from gateway.core.policies import tell_cost
from gateway.core.pricing import worst_cost

MODELS = load("", {}, Path("/"), demo=False).catalog.models
CALL = Call("chat", "auto", (Message("user", "hi"),))
ROUTE = Route("auto", ("m",))
MODEL = Model("m", 1000, (Price("p", 0, "page", 100_000_000, 300_000_000),))


def facts(prompt: int, chars: int = 0, outputs: dict[str, int] | None = None) -> Facts:
    return Facts(1e9, {"llama3": prompt, "llama3.1": prompt}, chars, chars, outputs=outputs or {})


def candidate(call: Call, known: Facts, route: Route = ROUTE, model: Model = MODEL) -> Candidate:
    found = examine(call, model, route, known, tell_cost)
    assert isinstance(found, Candidate)
    return found


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.id)
@pytest.mark.parametrize("beyond", [-1, 0, 1])
@pytest.mark.parametrize("by_characters", [False, True])
def test_examine_each_model_at_its_window(model: Model, beyond: int, by_characters: bool) -> None:
    prompt = model.window_tokens - 300 + beyond
    known = facts(10, prompt * 4) if by_characters else facts(prompt)
    found = examine(replace(CALL, max_tokens=300), model, ROUTE, known, tell_cost)
    assert isinstance(found, Excluded) == (beyond > 0)
    if isinstance(found, Excluded):
        assert found.reason == f"its window of {model.window_tokens} tokens is too small"


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.id)
def test_examine_a_million_tokens_in_and_out_cost_the_price_entry(model: Model) -> None:
    wide = replace(model, window_tokens=3_000_000, deprecated_on=None)
    price = model.price_at(1.8e9)
    call = replace(CALL, max_tokens=1_000_000)
    found = candidate(call, facts(1_000_000, outputs={"auto": 1_000_000}), model=wide)
    assert found.expected_nano == price.input_nano_per_mtok + price.output_nano_per_mtok


@pytest.mark.parametrize(
    ("max_tokens", "outputs", "expected"),
    [(None, {}, 256), (100, {}, 100), (None, {"auto": 40}, 40), (30, {"auto": 40}, 30), (None, {"other": 40}, 256)],
)
def test_examine_expects_what_was_learned_on_this_route(
    max_tokens: int | None, outputs: dict[str, int], expected: int
) -> None:
    found = candidate(replace(CALL, max_tokens=max_tokens), facts(10, outputs=outputs))
    assert found.expected_output == expected
    assert found.expected_nano == (10 * 100 + expected * 300)
    assert found.reason.endswith(f" for 10 prompt and {expected} output tokens")


def test_examine_learned_output_is_bounded_by_what_may_be_asked() -> None:
    assert candidate(CALL, facts(10, outputs={"auto": 10**9})).expected_output == 990


@given(
    ceiling=st.integers(0, 10**9),
    prompt=st.integers(1, 600),
    n=st.integers(1, 8),
    max_tokens=st.none() | st.integers(1),
)
def test_examine_never_lets_a_candidate_cost_more_than_the_ceiling(
    ceiling: int, prompt: int, n: int, max_tokens: int | None
) -> None:
    call = replace(CALL, n=n, max_tokens=max_tokens)
    found = examine(call, MODEL, replace(ROUTE, max_cost_nano=ceiling), facts(prompt), tell_cost)
    if isinstance(found, Candidate):
        assert worst_cost(MODEL.prices[0], prompt, found.max_tokens, n) <= ceiling


def test_excluded_reasons_are_words() -> None:
    assert Excluded(MODEL, "capability", "tools").reason == "does not offer tools"
    assert Excluded(MODEL, "retired").reason == "retired by Cloudflare"
    assert Excluded(MODEL, "resting", 1.6).reason == "failed repeatedly; asked again in 2 s"


def test_examine_retired_and_resting_are_by_what_was_learned() -> None:
    for learned, obstacle in (
        (Learned(retired={"m": 0.0}), "retired"),
        (Learned(resting={"m": 1e9 + 1}), "resting"),
    ):
        found = examine(CALL, MODEL, ROUTE, Facts(1e9, {"llama3.1": 1}, 1, 1, learned), tell_cost)
        assert isinstance(found, Excluded)
        assert found.obstacle == obstacle
