"""Eligibility, policies and the refusals of a plan."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.call import Call, Message, Tool
from gateway.core.catalog import Catalog, Model, Price, Route
from gateway.core.errors import ContextTooLong, InvalidRequest, NotFound
from gateway.core.routing import POLICIES, Facts, plan

CALL = Call("chat", "auto", (Message("user", "hi"),))


def model(
    name: str, window: int, price_in: int = 100, price_out: int = 100, **changes: Any
) -> Model:  # any field of a model
    entry = Model(
        id=name,
        window_tokens=window,
        prices=(Price("p", 0, "page", price_in * 1_000_000, price_out * 1_000_000),),
        capabilities=frozenset({"stream", "tools"}),
    )
    return replace(entry, **changes)


def catalog(*models: Model, policy: str = "cheapest") -> Catalog:
    ids = tuple(entry.id for entry in models)
    return Catalog({entry.id: entry for entry in models}, {"auto": Route("auto", ids, policy)}, {})


def facts(prompt: int = 10, chars: int = 40, **changes: Any) -> Facts:  # any field of the facts
    known = Facts(1e9, {"llama3": prompt, "llama3.1": prompt}, chars, chars)
    return replace(known, **changes)


def order(call: Call, entries: Catalog, known: Facts) -> list[str]:
    return [candidate.model.id for candidate in plan(call, entries, known).candidates]


def test_plan_unknown_model_is_not_found() -> None:
    with pytest.raises(NotFound) as caught:
        plan(replace(CALL, requested_model="gpt-9"), catalog(model("a", 1000)), facts())
    assert caught.value.code == "model_not_found"


def test_plan_cheapest_weighs_prompt_against_expected_output() -> None:
    reader = model("reader", 100_000, price_in=1, price_out=1000)
    writer = model("writer", 100_000, price_in=100, price_out=10)
    assert order(CALL, catalog(reader, writer), facts(prompt=10)) == ["writer", "reader"]
    assert order(CALL, catalog(reader, writer), facts(prompt=90_000)) == ["reader", "writer"]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("ordered", ["b", "a", "c"]),
        ("largest_window", ["c", "b", "a"]),
        ("smallest_sufficient_window", ["a", "b", "c"]),
        ("cheapest", ["a", "c", "b"]),
    ],
)
def test_plan_orders_by_the_policy(policy: str, expected: list[str]) -> None:
    models = (model("b", 2000, 3, 3), model("a", 1000, 1, 1), model("c", 3000, 2, 2))
    assert order(CALL, catalog(*models, policy=policy), facts()) == expected


@pytest.mark.parametrize(("max_tokens", "fits"), [(89, True), (90, True), (91, False)])
def test_plan_window_admits_prompt_plus_max_tokens_exactly(max_tokens: int, fits: bool) -> None:
    call = replace(CALL, max_tokens=max_tokens)
    if fits:
        assert order(call, catalog(model("a", 100)), facts(prompt=10, chars=40)) == ["a"]
    else:
        with pytest.raises(ContextTooLong):
            plan(call, catalog(model("a", 100)), facts(prompt=10, chars=40))


def test_plan_excludes_what_the_upstreams_own_estimate_would_refuse() -> None:
    with pytest.raises(ContextTooLong) as caught:
        plan(replace(CALL, max_tokens=10), catalog(model("a", 100)), facts(prompt=10, chars=361))
    assert "361 characters" in caught.value.message


@pytest.mark.parametrize(
    ("window", "prompt", "chars", "asked"),
    [(100_000, 10, 40, 4096), (1000, 100, 40, 900), (1000, 100, 3000, 250 + 6), (1000, 744, 40, 256)],
)
def test_plan_without_max_tokens_asks_for_what_the_window_leaves(
    window: int, prompt: int, chars: int, asked: int
) -> None:
    known = facts(prompt=prompt, chars=chars if chars != 3000 else 2976)
    assert plan(CALL, catalog(model("a", window)), known).candidates[0].max_tokens == asked


def test_plan_without_max_tokens_needs_room_for_256() -> None:
    with pytest.raises(ContextTooLong) as caught:
        plan(CALL, catalog(model("a", 1000)), facts(prompt=745))
    assert caught.value.param == "messages"
    assert caught.value.message.startswith("This model's maximum context length is 1000 tokens. However, your messages")


def test_plan_too_long_names_every_window() -> None:
    with pytest.raises(ContextTooLong) as caught:
        plan(replace(CALL, max_tokens=5000), catalog(model("a", 1000), model("b", 2000)), facts())
    assert "2000 tokens. However, you requested 5010 tokens (10 in the messages, 5000" in caught.value.message
    assert "a: its window of 1000" in caught.value.message


def test_plan_leaves_out_models_without_tools_and_says_so() -> None:
    call = replace(CALL, tools=(Tool("f", "d", {}),))
    plain = model("plain", 1000, capabilities=frozenset({"stream"}))
    made = plan(call, catalog(plain, model("able", 1000)), facts())
    assert [candidate.model.id for candidate in made.candidates] == ["able"]
    assert made.excluded[0].reason == "does not offer tools"


@pytest.mark.parametrize(("field", "value"), [("raw", True), ("lora", "name"), ("tools", (Tool("f", "d", {}),))])
def test_plan_capability_nobody_has_is_an_unsupported_parameter(field: str, value: Any) -> None:  # any field of a call
    call = replace(CALL, **{field: value})
    with pytest.raises(InvalidRequest) as caught:
        plan(call, catalog(model("a", 1000, capabilities=frozenset())), facts())
    assert (caught.value.param, caught.value.code) == (field, "unsupported_parameter")


def test_plan_content_longer_than_a_model_takes_goes_elsewhere() -> None:
    short = model("short", 1_000_000, max_content_chars=131_072)
    known = facts(prompt=40_000, chars=131_073)
    assert order(CALL, catalog(short, model("long", 1_000_000)), known) == ["long"]


def test_plan_deprecated_models_come_last_until_they_answer() -> None:
    old = model("old", 1000, 1, 1, deprecated_on=1)
    entries = catalog(old, model("new", 1000, 9, 9))
    assert order(CALL, entries, facts()) == ["new", "old"]
    assert order(CALL, entries, facts(proven=frozenset({"old"}))) == ["old", "new"]


def test_plan_retired_model_asked_for_by_name_names_the_successor() -> None:
    entries = catalog(model("old", 1000, successor="new"))
    with pytest.raises(NotFound) as caught:
        plan(replace(CALL, requested_model="old"), entries, facts(retired=frozenset({"old"})))
    assert "`new`" in caught.value.message


windows = st.integers(1, 200_000)


@given(
    models=st.lists(st.tuples(windows, st.integers(0, 1000), st.integers(0, 1000)), min_size=1, max_size=6),
    prompt=st.integers(1, 150_000),
    chars=st.integers(1, 600_000),
    max_tokens=st.none() | st.integers(1, 100_000),
    policy=st.sampled_from(sorted(POLICIES)),
)
def test_plan_never_offers_a_window_smaller_than_the_request(
    models: list[tuple[int, int, int]], prompt: int, chars: int, max_tokens: int | None, policy: str
) -> None:
    entries = catalog(*(model(f"m{number}", *entry) for number, entry in enumerate(models)), policy=policy)
    try:
        made = plan(replace(CALL, max_tokens=max_tokens), entries, facts(prompt, chars))
    except ContextTooLong:
        needed = max(prompt, -(-chars // 4)) + (max_tokens or 256)
        assert all(window < needed for window, _, _ in models)
        return
    assert len(made.candidates) + len(made.excluded) == len(models)
    for candidate in made.candidates:
        assert candidate.max_tokens >= 1
        assert max(prompt, -(-chars // 4)) + candidate.max_tokens <= candidate.model.window_tokens
