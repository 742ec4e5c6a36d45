"""Eligibility, policies and the refusals of a plan."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.access import Access
from gateway.core.call import Call, Message, ResponseFormat, Tool
from gateway.core.catalog import Catalog, Model, Price, Route, Template
from gateway.core.eligibility import Facts, Learned, Speed, Stop
from gateway.core.errors import (
    ContextTooLong,
    Forbidden,
    GatewayError,
    InvalidRequest,
    NotFound,
    UpstreamOverloaded,
    UpstreamQuotaUsedUp,
)
from gateway.core.policies import POLICIES
from gateway.core.pricing import worst_cost
from gateway.core.routing import plan

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


def facts(prompt: int = 10, chars: int = 40, **learned: Any) -> Facts:  # any field of what was learned
    return Facts(1e9, {"llama3": prompt, "llama3.1": prompt}, chars, chars, Learned(**learned))


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
        ("balanced", ["a", "c", "b"]),
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


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("raw", True),
        ("lora", "name"),
        ("stream", True),
        ("tools", (Tool("f", "d", {}),)),
        ("response_format", ResponseFormat("json_object")),
    ],
)
def test_plan_capability_nobody_has_is_an_unsupported_parameter(field: str, value: Any) -> None:  # any field of a call
    call = replace(CALL, **{field: value})
    with pytest.raises(InvalidRequest) as caught:
        plan(call, catalog(model("a", 1000, capabilities=frozenset())), facts())
    assert (caught.value.param, caught.value.code) == (field, "unsupported_parameter")


def test_plan_content_longer_than_published_comes_last_until_disproved() -> None:
    short = model("short", 1_000_000, 1, 1, max_content_chars=131_072)
    entries = catalog(short, model("long", 1_000_000))
    assert order(CALL, entries, facts(40_000, 131_072)) == ["short", "long"]
    assert order(CALL, entries, facts(40_000, 131_073)) == ["long", "short"]
    assert order(CALL, entries, facts(40_000, 131_073, unlimited=frozenset({"short"}))) == ["short", "long"]


def test_plan_deprecated_models_come_last_until_they_answer() -> None:
    old = model("old", 1000, 1, 1, deprecated_on=1)
    entries = catalog(old, model("new", 1000, 9, 9))
    assert order(CALL, entries, facts()) == ["new", "old"]
    assert order(CALL, entries, facts(proven=frozenset({"old"}))) == ["old", "new"]


def test_plan_retired_model_asked_for_by_name_names_the_successor() -> None:
    entries = catalog(model("old", 1000, successor="new"))
    with pytest.raises(NotFound) as caught:
        plan(replace(CALL, requested_model="old"), entries, facts(retired={"old": 0.0}))
    assert "`new`" in caught.value.message


def test_plan_json_by_instruction_needs_no_capability() -> None:
    told = model("told", 1000, json_mode="prompt")
    assert order(replace(CALL, response_format=ResponseFormat("json_object")), catalog(told), facts()) == ["told"]


def test_plan_resting_models_are_left_out_until_their_rest_is_over() -> None:
    entries = catalog(model("a", 1000, 1, 1), model("b", 1000))
    made = plan(CALL, entries, facts(resting={"a": 1e9 + 5}))
    assert [candidate.model.id for candidate in made.candidates] == ["b"]
    assert made.excluded[0].reason == "failed repeatedly; asked again in 5 s"
    assert order(CALL, entries, facts(resting={"a": 1e9})) == ["a", "b"]


def test_plan_all_resting_is_overloaded_until_the_first_is_back() -> None:
    with pytest.raises(UpstreamOverloaded) as caught:
        plan(CALL, catalog(model("a", 1000), model("b", 100)), facts(resting={"a": 1e9 + 5, "b": 1e9 + 3}))
    assert caught.value.retry_after == 3


def test_plan_too_long_for_the_rest_while_the_large_one_rests_is_overloaded() -> None:
    with pytest.raises(UpstreamOverloaded):
        plan(CALL, catalog(model("large", 10_000), model("small", 1000)), facts(900, resting={"large": 1e9 + 5}))


def test_plan_learned_window_replaces_the_catalogues() -> None:
    entries = catalog(model("a", 128_000))
    call = replace(CALL, max_tokens=24_000)
    assert order(call, entries, facts()) == ["a"]
    with pytest.raises(ContextTooLong) as caught:
        plan(call, entries, facts(windows={"a": 24_000}))
    assert caught.value.message.startswith("This model's maximum context length is 24000 tokens.")


@pytest.mark.parametrize(("kind", "error"), [("quota", UpstreamQuotaUsedUp), ("rate_limited", UpstreamOverloaded)])
def test_plan_stopped_account_refuses_until_it_may_ask_again(kind: Any, error: type[GatewayError]) -> None:
    entries = catalog(model("a", 1000))
    with pytest.raises(error) as caught:
        plan(CALL, entries, facts(stop=Stop(kind, 1e9 + 60)))
    if kind == "rate_limited":
        assert caught.value.retry_after == 60
    assert order(CALL, entries, facts(stop=Stop(kind, 1e9))) == ["a"]


def test_plan_hopeless_call_on_a_stopped_account_is_still_the_callers_fault() -> None:
    with pytest.raises(ContextTooLong):
        plan(CALL, catalog(model("a", 100)), facts(stop=Stop("quota", 2e9)))


def priced(ceiling_nano: int, *models: Model) -> Catalog:
    ids = tuple(entry.id for entry in models)
    route = Route("auto", ids, max_cost_nano=ceiling_nano)
    return Catalog({entry.id: entry for entry in models}, {"auto": route}, {})


def test_plan_price_ceiling_leaves_out_what_could_cost_more() -> None:
    dear, fair = model("dear", 10_000, 100, 200), model("fair", 10_000, 100, 100)
    entries = priced(101_000, dear, fair)  # 10 prompt + 1,000 output tokens of `fair` cost 101 microdollars
    call = replace(CALL, max_tokens=1000)
    made = plan(call, entries, facts())
    assert [candidate.model.id for candidate in made.candidates] == ["fair"]
    assert made.excluded[0].reason == "could cost $0.0002010, more than the route allows"
    with pytest.raises(InvalidRequest) as caught:
        plan(replace(call, max_tokens=1001), entries, facts())
    assert caught.value.code == "max_cost_exceeded"


def test_plan_price_ceiling_shortens_an_answer_whose_length_was_not_asked_for() -> None:
    made = plan(replace(CALL, n=2), priced(202_000, model("a", 10_000)), facts())
    assert made.candidates[0].max_tokens == 1000
    with pytest.raises(InvalidRequest):
        plan(CALL, priced(20_000, model("a", 10_000)), facts())


def test_plan_pinned_model_has_no_fallback_unless_its_route_lends_one() -> None:
    models = {name: model(name, 1000, price, price) for name, price in (("a", 9), ("b", 2), ("c", 1))}
    route = Route("auto", ("a", "b", "c"))
    call = replace(CALL, requested_model="b")
    assert order(call, Catalog(models, {"auto": route}, {}), facts()) == ["b"]
    lending = Catalog(models, {"auto": replace(route, fallback_for_pinned=True)}, {})
    made = plan(call, lending, facts())
    assert [candidate.model.id for candidate in made.candidates] == ["b", "c", "a"]
    assert made.candidates[0].reason == "asked for by name"
    assert made.route.name == "b"


def test_plan_of_a_key_keeps_to_its_models_and_falls_back_to_no_other() -> None:
    entries = catalog(model("a", 1000, 1, 1), model("b", 1000))
    narrow = msgspec.structs.replace(facts(), access=Access(models=frozenset({"b"})))
    made = plan(CALL, entries, narrow)
    assert [candidate.model.id for candidate in made.candidates] == ["b"]
    assert made.excluded[0].reason == "is not allowed to this key"


@pytest.mark.parametrize(
    ("asked", "access"),
    [
        ("auto", Access(models=frozenset({"c"}), project_id="proj_1")),
        ("a", Access(models=frozenset({"b"}), project_id="proj_1")),
        ("a", Access(routes=frozenset({"auto"}), project_id="proj_1")),
        ("auto", Access(routes=frozenset({"other"}), project_id="proj_1")),
    ],
)
def test_plan_of_a_key_without_access_is_openais_refusal(asked: str, access: Access) -> None:
    entries = catalog(model("a", 1000), model("b", 1000))
    with pytest.raises(Forbidden) as caught:
        plan(replace(CALL, requested_model=asked), entries, msgspec.structs.replace(facts(), access=access))
    assert caught.value.message == f"Project `proj_1` does not have access to model `{asked}`"
    assert (caught.value.status, caught.value.code) == (403, "model_not_found")


def test_plan_of_a_key_whose_only_model_is_too_small_names_no_other() -> None:
    entries = catalog(model("a", 100), model("b", 10_000))
    with pytest.raises(ContextTooLong) as caught:
        plan(CALL, entries, msgspec.structs.replace(facts(), access=Access(models=frozenset({"a"}))))
    assert "(a: its window of 100 tokens is too small, 10 counted;" in caught.value.message


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


names = st.sampled_from(["m0", "m1", "m2", "m3"])
CAPABILITIES = ("stream", "tools", "json", "raw")


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    """Up to four models of any ability, price and age, in one route of any policy."""
    models = [
        model(
            f"m{number}",
            draw(st.integers(300, 50_000)),
            draw(st.integers(0, 900)),
            draw(st.integers(0, 900)),
            capabilities=frozenset(draw(st.sets(st.sampled_from(CAPABILITIES)))),
            deprecated_on=draw(st.none() | st.just(1)),
            max_content_chars=draw(st.none() | st.just(1_000)),
        )
        for number in range(draw(st.integers(1, 4)))
    ]
    route = Route(
        "auto",
        tuple(entry.id for entry in models),
        draw(st.sampled_from(sorted(POLICIES))),
        max_cost_nano=draw(st.none() | st.integers(0, 10_000_000)),
        fallback_for_pinned=draw(st.booleans()),
    )
    return Catalog({entry.id: entry for entry in models}, {"auto": route}, {})


calls = st.builds(
    Call,
    surface=st.just("chat"),
    requested_model=st.just("auto") | names,
    messages=st.just(CALL.messages),
    stream=st.booleans(),
    max_tokens=st.none() | st.integers(1, 60_000),
    n=st.integers(1, 3),
    tools=st.just(()) | st.just((Tool("f", "d", {}),)),
    raw=st.booleans(),
)
accesses = st.builds(
    Access, models=st.none() | st.frozensets(names, min_size=1), routes=st.none() | st.frozensets(st.just("auto"))
)
learnings = st.builds(
    Learned,
    retired=st.dictionaries(names, st.just(0.0)),
    proven=st.frozensets(names),
    resting=st.dictionaries(names, st.sampled_from([1e9 - 1, 1e9 + 1])),
    windows=st.dictionaries(names, st.integers(300, 20_000)),
    speeds=st.dictionaries(names, st.builds(Speed, st.floats(0, 9), st.floats(1, 300), st.just(1e9))),
)


@given(
    entries=catalogs(),
    call=calls,
    learned=learnings,
    prompt=st.integers(1, 30_000),
    chance=st.floats(0, 1, exclude_max=True),
    access=accesses,
    full=st.frozensets(names),
)
def test_plan_never_makes_an_ineligible_choice(
    entries: Catalog, call: Call, learned: Learned, prompt: int, chance: float, access: Access, full: frozenset[str]
) -> None:
    counted: dict[Template, int] = {"llama3": prompt, "llama3.1": prompt}
    known = Facts(1e9, counted, 4 * prompt, 4 * prompt, learned, access=access, full=full, draw=chance)
    try:
        made = plan(call, entries, known)
    except GatewayError:
        return
    assert len(made.candidates) + len(made.excluded) == len(made.route.models)
    ceiling = made.route.max_cost_nano
    assert access.routes is None or call.requested_model in (access.routes | (access.models or frozenset()))
    for each in made.candidates:
        assert access.models is None or each.model.id in access.models
        offered = each.model.capabilities
        assert not call.tools or "tools" in offered
        assert not call.stream or "stream" in offered
        assert not call.raw or "raw" in offered
        assert each.model.id not in learned.retired
        assert learned.resting.get(each.model.id, 0) <= 1e9
        assert prompt + each.max_tokens <= learned.windows.get(each.model.id, each.model.window_tokens)
        assert ceiling is None or worst_cost(each.model.prices[0], prompt, each.max_tokens, call.n) <= ceiling
        assert each.reason
    doubts = [
        (each.doubt != "", each.model.id in full) for each in made.candidates if each.model.id != made.route.pinned
    ]
    assert doubts == sorted(doubts)
    again = plan(call, entries, known)
    assert [each.model.id for each in again.candidates] == [each.model.id for each in made.candidates]


@pytest.mark.parametrize(
    ("policy", "expected"), [("largest_window", ["b", "a"]), ("smallest_sufficient_window", ["a", "b"])]
)
def test_plan_by_window_goes_by_the_learned_one_and_says_so(policy: str, expected: list[str]) -> None:
    entries = catalog(model("a", 128_000), model("b", 32_000), policy=policy)
    made = plan(CALL, entries, facts(windows={"a": 24_000}))
    assert [candidate.model.id for candidate in made.candidates] == expected
    assert {candidate.model.id: candidate.window_tokens for candidate in made.candidates} == {"a": 24_000, "b": 32_000}
