"""When and how the simulated model calls tools."""

import json
from typing import Any

import pytest
from support.scenes import CALL
from support.simulated import WEATHER

from gateway.simulator.tools import (
    Offer,
    arguments_for,
    is_result_turn,
    leaked,
    offers,
    pick,
    shaped,
    with_numbers_as_text,
)

TIMER = {"name": "set_timer", "description": "Start a countdown", "parameters": {"type": "object", "properties": {}}}


def test_offers_reads_both_published_shapes() -> None:
    assert [offer.name for offer in offers({"tools": [WEATHER, TIMER]})] == ["get_weather", "set_timer"]
    assert offers({}) == []


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("What is the weather in London?", "get_weather"),
        ("Use set_timer now", "set_timer"),
        ("please start a countdown", "set_timer"),
        ("which location do you mean", "get_weather"),
        ("hi", None),
    ],
)
def test_pick_takes_the_tool_a_prompt_suggests(prompt: str, name: str | None) -> None:
    tool = pick(prompt, offers({"tools": [WEATHER, TIMER]}))
    assert (tool.name if tool else None) == name


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("What is the weather in London?", {"location": "London"}),
        ("Weather for the next 3 days in New York", {"location": "New York", "days": 3}),
        ("weather please", {"location": "location"}),
        ('weather of location "Rome"', {"location": "Rome"}),
    ],
)
def test_arguments_for_are_taken_from_the_prompt(prompt: str, expected: dict[str, Any]) -> None:
    assert arguments_for(prompt, offers({"tools": [WEATHER]})[0]) == expected


def test_arguments_for_an_enum_are_the_mentioned_member() -> None:
    unit = {"type": "string", "enum": ["celsius", "fahrenheit"], "description": "unit"}
    offer = Offer("t", "", {"type": "object", "properties": {"unit": unit}, "required": ["unit"]})
    assert arguments_for("in Fahrenheit please", offer) == {"unit": "fahrenheit"}
    assert arguments_for("please", offer) == {"unit": "celsius"}


def test_arguments_for_an_impossible_schema_are_empty() -> None:
    assert arguments_for("x", Offer("t", "", {"properties": {"a": False}, "required": ["a"]})) == {}


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([], False),
        ([{"role": "user", "content": "x"}], False),
        ([{"role": "tool", "content": "x"}], True),
        ([{"role": "assistant", "content": "", "tool_calls": [{}]}, {"role": "user", "content": "r"}], True),
        ([{"role": "assistant", "content": '{"name": "f", "parameters": {}}'}, {"role": "user", "content": "r"}], True),
        ([{"role": "assistant", "content": "Hello"}, {"role": "user", "content": "r"}], False),
    ],
)
def test_is_result_turn_sees_tool_turns_and_written_ones(messages: list[Any], expected: bool) -> None:
    assert is_result_turn(messages) is expected


def test_leaked_calls_are_json_text() -> None:
    assert json.loads(leaked((CALL,), "leak")) == {"name": "get_weather", "parameters": CALL.arguments}
    assert json.loads(leaked((CALL, CALL), "leak_list"))[1]["name"] == "get_weather"
    assert json.loads(leaked((CALL,), "leak_siblings")) == {"name": "get_weather", **CALL.arguments}
    assert leaked((CALL,), "leak_tag").startswith('<|python_tag|>{"name"')


def test_shaped_nested_calls_have_no_index() -> None:
    assert set(shaped((CALL,), "nested")[0]) == {"id", "type", "function"}


def test_with_numbers_as_text_leaves_other_values() -> None:
    assert with_numbers_as_text({"a": 4, "b": True, "c": "x"}) == {"a": "4", "b": True, "c": "x"}
