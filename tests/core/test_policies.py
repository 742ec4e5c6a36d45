"""Each policy on candidates made for it, and what all of them promise."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.catalog import Model, Price, Route
from gateway.core.eligibility import Candidate, Facts, Learned, Speed
from gateway.core.policies import POLICIES, SPEED_SECONDS, expected_seconds, tell_cost

NOW = 1e9


def candidate(name: str, nano: int = 100, window: int = 1000) -> Candidate:
    model = Model(name, window, (Price("p", 0, "page", 1, 1),))
    return Candidate(model, 10, 100, nano, tell_cost, 100)


def facts(draw: float = 0.0, **seconds: float) -> Facts:
    """Speeds under which 100 tokens take so many seconds."""
    speeds = {name: Speed(total / 2, 200 / total, NOW) for name, total in seconds.items()}
    return Facts(NOW, {}, 0, 0, Learned(speeds=speeds), draw=draw)


def ordered(policy: str, candidates: list[Candidate], known: Facts, route: Route | None = None) -> list[str]:
    POLICIES[policy].order(candidates, route or Route("r", (), policy), known)
    for one in candidates:
        one.tell, one.told = POLICIES[policy].tell, ""
    return [one.model.id for one in candidates]


def test_fastest_of_two_is_the_faster() -> None:
    pair = [candidate("slow"), candidate("quick")]
    assert ordered("fastest", pair, facts(slow=3, quick=1)) == ["quick", "slow"]
    assert pair[0].reason == "expected to take 1.00 s for 100 output tokens"


def test_fastest_of_three_is_the_better_of_two_drawn() -> None:
    firsts: Counter[str] = Counter()
    for step in range(600):
        three = [candidate("c"), candidate("a"), candidate("b")]
        firsts[ordered("fastest", three, facts(step / 600, a=1, b=2, c=3))[0]] += 1
    assert firsts == {"a": 400, "b": 200}  # the best is in two of three pairs, the second in one more


def test_fastest_tries_what_was_not_measured_lately() -> None:
    known = facts(a=1, b=2)
    old = replace(known.learned.speeds["b"], measured_at=NOW - SPEED_SECONDS - 1)
    later = Facts(NOW, {}, 0, 0, Learned(speeds={**known.learned.speeds, "b": old}))
    assert expected_seconds(candidate("b"), later) is None
    pair = [candidate("a"), candidate("b")]
    assert ordered("fastest", pair, later) == ["b", "a"]
    assert pair[0].reason == "not measured lately"


@pytest.mark.parametrize(
    ("weights", "first"),
    [({}, "even"), ({"cost": 1.0, "speed": 0.0}, "cheap"), ({"cost": 0.0, "speed": 1.0}, "quick")],
)
def test_balanced_weighs_cost_against_time(weights: dict[str, float], first: str) -> None:
    three = [candidate("cheap", 100), candidate("quick", 900), candidate("even", 150)]
    route = Route("r", (), "balanced", weights=weights)
    assert ordered("balanced", three, facts(cheap=9, quick=1, even=1.5), route)[0] == first
    assert three[0].score == pytest.approx(1.0 if weights else 1.5)


def test_balanced_without_measurements_is_cheapest() -> None:
    assert ordered("balanced", [candidate("a", 2), candidate("b", 1)], facts()) == ["b", "a"]


def test_weighted_draws_by_the_weights_and_keeps_zero_for_last() -> None:
    route = Route("r", (), "weighted", weights={"a": 3, "b": 1, "spare": 0})
    firsts: Counter[str] = Counter()
    for step in range(400):
        three = [candidate("spare"), candidate("a"), candidate("b")]
        found = ordered("weighted", three, facts(step / 400), route)
        assert found[2] == "spare"
        firsts[found[0]] += 1
    assert firsts == {"a": 300, "b": 100}
    assert {one.reason for one in three if one.model.id == "a"} == {
        "drawn by weight, which gives it 75 % of such calls"
    }


def test_windows_and_list_order_say_why() -> None:
    two = [candidate("a", window=1000), candidate("b", window=2000)]
    assert ordered("largest_window", two, facts()) == ["b", "a"]
    assert two[0].reason == "window of 2000 tokens"
    assert ordered("smallest_sufficient_window", two, facts()) == ["a", "b"]
    assert two[0].reason == "window of 1000 tokens is enough"
    assert ordered("ordered", two, facts()) == ["a", "b"]
    assert two[1].reason == "number 2 of those in the route's list that can"


@given(
    policy=st.sampled_from(sorted(POLICIES)),
    given_models=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9), st.integers(0, 3)), min_size=1, max_size=6),
    draw=st.floats(0, 1, exclude_max=True),
    seconds=st.lists(st.floats(0.01, 50), max_size=6),
)
def test_policy_keeps_every_candidate_and_is_stable(
    policy: str, given_models: list[tuple[int, int, int]], draw: float, seconds: list[float]
) -> None:
    known = facts(draw, **{f"m{number}": each for number, each in enumerate(seconds)})
    weights = {f"m{number}": float(weight) for number, (_, _, weight) in enumerate(given_models)}
    route = Route("r", (), policy, weights=weights if policy == "weighted" else {})
    made = [candidate(f"m{number}", nano, window) for number, (nano, window, _) in enumerate(given_models)]
    again = [candidate(f"m{number}", nano, window) for number, (nano, window, _) in enumerate(given_models)]
    found = ordered(policy, made, known, route)
    assert sorted(found) == sorted(one.model.id for one in again)
    assert ordered(policy, again, known, route) == found
    assert all(one.reason and one.reason.isascii() for one in made)
    if policy not in ("weighted", "fastest"):
        assert [one.score for one in made] == sorted(one.score for one in made)
