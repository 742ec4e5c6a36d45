"""Rules for calls that carry no switches of their own."""

from random import Random

import pytest

from gateway.simulator.scenario import Rules, parse_scenario
from gateway.simulator.switches import BadSwitch


def fired(text: str, calls: int, model: str = "@cf/a", said: str = "", *, stream: bool = False) -> list[bool]:
    rules = Rules(parse_scenario(text).rules, Random(1))
    return [bool(rules.settings(model, said, stream=stream)) for _ in range(calls)]


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ("{}", [True, True, True, True]),
        ("{nth: 2}", [False, True, False, False]),
        ("{every: 2}", [False, True, False, True]),
        ("{model: '@hf/*'}", [False] * 4),
        ("{model: '@cf/?'}", [True] * 4),
        ("{stream: true}", [False] * 4),
        ("{contains: magic}", [False] * 4),
        ("{chance: 0}", [False] * 4),
    ],
)
def test_rules_fire_where_all_conditions_hold(match: str, expected: list[bool]) -> None:
    assert fired(f"rules: [{{match: {match}, set: {{error: 3040}}}}]", 4) == expected


def test_rules_fire_for_streams_and_texts() -> None:
    text = "rules: [{match: {stream: true, contains: magic}, set: {error: 3040}}]"
    assert fired(text, 1, said="some magic words", stream=True) == [True]


def test_rules_fire_at_most_so_many_times() -> None:
    assert fired("rules: [{times: 2, set: {error: 3040}}]", 4) == [True, True, False, False]


def test_rules_fire_by_chance_about_as_often_as_asked() -> None:
    assert 20 < sum(fired("rules: [{match: {chance: 0.3}, set: {error: 3040}}]", 100)) < 40


def test_rules_that_come_later_win() -> None:
    rules = Rules(parse_scenario("rules: [{set: {variant: A, delay: 1}}, {set: {variant: B}}]").rules, Random(1))
    assert rules.settings("m", "", stream=False) == {"variant": "B", "delay": 1}


def test_parse_scenario_reads_models_and_retired() -> None:
    scenario = parse_scenario(
        "models: [{id: '@cf/x/y', window_tokens: 100, rates: [1, 2], prices: [0.1, 0.2]}]\nretired: ['@cf/x/y']"
    )
    assert scenario.models[0].window_tokens == 100
    assert scenario.retired == ["@cf/x/y"]


@pytest.mark.parametrize(
    "text",
    ["rules: 3", "rules: [{set: {nope: 1}}]", "rules: [{match: {}}]", "unknown: 1", "rules: [{set: {}, x: 1}]", "{"],
)
def test_parse_scenario_refuses_mistakes(text: str) -> None:
    with pytest.raises(BadSwitch):
        parse_scenario(text)
