"""The published constraints of each model, value by value."""

import copy
from typing import Any

import pytest
from support.simulated import FAST, FP8, HF, OLD, WEATHER, asking

from gateway.simulator.models import MODELS
from gateway.simulator.schema import complaints, input_schema

RULES = {model.id: model.rules for model in MODELS}
ALL = (FP8, FAST, HF, OLD)
LONG = "x" * 131_073

FINE: list[tuple[str, Any]] = [
    *(("temperature", value) for value in (0, 0.6, 2, 5)),
    *(("top_p", value) for value in (0.001, 0.5, 1)),
    *(("top_k", value) for value in (1, 50)),
    *(("seed", value) for value in (1, 9_999_999_999)),
    *(("repetition_penalty", value) for value in (0, 2)),
    *(("frequency_penalty", value) for value in (0, 2)),
    *(("presence_penalty", value) for value in (0, 2)),
    *(("max_tokens", value) for value in (1, 256, 4096, 8.0)),
    ("stream", True),
    ("functions", [{"name": "f", "code": "1"}]),
    ("tools", [WEATHER, WEATHER["function"]]),
    ("stop", ["x"]),
    ("enable_thinking", "perhaps"),
]

BAD: list[tuple[str, Any, str]] = [
    ("temperature", -0.1, "'/temperature' must be >= 0"),
    ("temperature", 5.1, "'/temperature' must be <= 5"),
    ("temperature", "1", "Type mismatch of '/temperature', 'string' not in 'number'"),
    ("temperature", None, "Type mismatch of '/temperature', 'null' not in 'number'"),
    ("top_p", -1, "'/top_p' must be >= "),
    ("top_p", 2.1, "'/top_p' must be <= "),
    ("top_k", 0, "'/top_k' must be >= 1"),
    ("top_k", 51, "'/top_k' must be <= 50"),
    ("top_k", 1.5, "Type mismatch of '/top_k', 'number' not in 'integer'"),
    ("seed", 0, "'/seed' must be >= 1"),
    ("seed", 10_000_000_000, "'/seed' must be <= 9999999999"),
    ("repetition_penalty", -0.1, "'/repetition_penalty' must be >= 0"),
    ("repetition_penalty", 2.1, "'/repetition_penalty' must be <= 2"),
    ("frequency_penalty", -2.1, "'/frequency_penalty' must be >= "),
    ("presence_penalty", 2.1, "'/presence_penalty' must be <= 2"),
    ("max_tokens", 1.5, "Type mismatch of '/max_tokens', 'number' not in 'integer'"),
    ("max_tokens", True, "Type mismatch of '/max_tokens', 'boolean' not in 'integer'"),
    ("stream", "yes", "Type mismatch of '/stream', 'string' not in 'boolean'"),
    ("functions", [{"name": "f"}], "required properties at '/functions/0' are 'name,code'"),
    ("tools", {}, "Type mismatch of '/tools', 'object' not in 'array'"),
    ("tools", [{}], "oneOf at '/tools/0' not met, 0 matches"),
]


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize(("name", "value"), FINE)
def test_complaints_about_a_permitted_value_are_none(model: str, name: str, value: Any) -> None:
    assert complaints(asking("hi", **{name: value}), RULES[model]) is None


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize(("name", "value", "reason"), BAD)
def test_complaints_about_a_bad_value_name_it(model: str, name: str, value: Any, reason: str) -> None:
    found = complaints(asking("hi", **{name: value}), RULES[model])
    assert found is not None
    assert found.startswith("oneOf at '/' not met, 0 matches: ")
    assert reason in found


@pytest.mark.parametrize(
    ("model", "name", "value", "is_fine"),
    [
        (FP8, "top_p", 0, True),
        (FAST, "top_p", 2, True),
        (OLD, "top_p", 0, True),
        (HF, "top_p", 0, False),
        (HF, "top_p", 1.1, False),
        (FP8, "frequency_penalty", -0.1, False),
        (FAST, "presence_penalty", -0.1, False),
        (OLD, "frequency_penalty", -0.1, False),
        (HF, "frequency_penalty", -2, True),
        (HF, "presence_penalty", -2, True),
        (FP8, "response_format", {"type": "other"}, False),
        (HF, "response_format", {"type": "json_object"}, True),
        (FAST, "response_format", {"type": "other"}, True),  # not in its schema, so not looked at
        (FP8, "raw", "yes", False),
        (FAST, "raw", "yes", True),  # only its prompt form knows raw
        (FAST, "image", [1, 2], True),
        (FAST, "image", "bytes", True),
        (FAST, "image", {}, False),
        (FP8, "image", {}, True),
    ],
)
def test_complaints_differ_by_model(model: str, name: str, value: Any, is_fine: bool) -> None:
    assert (complaints(asking("hi", **{name: value}), RULES[model]) is None) == is_fine


@pytest.mark.parametrize(("model", "is_fine"), [(FP8, True), (HF, True), (FAST, False), (OLD, False)])
def test_complaints_about_long_text_follow_the_published_length(model: str, is_fine: bool) -> None:
    assert (complaints(asking(LONG), RULES[model]) is None) == is_fine
    assert (complaints({"prompt": LONG}, RULES[model]) is None) == is_fine


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "required properties at '/' are 'prompt', required properties at '/' are 'messages'"),
        ({"prompt": ""}, "Length of '/prompt' must be >= 1 not met"),
        ({"prompt": "a", "messages": []}, "oneOf at '/' not met, 2 matches"),
        ({"messages": "hi"}, "Type mismatch of '/messages', 'string' not in 'array'"),
        ({"messages": [{"role": "user", "content": None}]}, "Type mismatch of '/messages/0/content', 'null' not in"),
        (
            {"messages": [{"role": "user", "content": []}]},
            "Type mismatch of '/messages/0/content', 'array' not in 'string'",
        ),
        ({"messages": [{"role": "user"}]}, "required properties at '/messages/0' are 'role,content'"),
        ([], "Type mismatch of '/', 'array' not in 'object'"),
        (None, "Type mismatch of '/', 'null' not in 'object'"),
    ],
)
def test_complaints_about_the_form_of_a_body(body: Any, reason: str) -> None:
    found = complaints(body, RULES[FP8])
    assert found is not None
    assert reason in found


def _without(*path: str) -> Any:
    tool = copy.deepcopy(WEATHER)
    node: Any = tool
    for step in path[:-1]:
        node = node[step]
    del node[path[-1]]
    return tool


@pytest.mark.parametrize(
    "path",
    [
        ("type",),
        ("function",),
        ("function", "name"),
        ("function", "description"),
        ("function", "parameters"),
        ("function", "parameters", "type"),
        ("function", "parameters", "properties"),
        ("function", "parameters", "properties", "location", "type"),
        ("function", "parameters", "properties", "location", "description"),
    ],
)
def test_complaints_about_an_incomplete_tool(path: tuple[str, ...]) -> None:
    assert complaints(asking("hi", tools=[_without(*path)]), RULES[FP8]) is not None


def test_complaints_accept_a_tool_without_required_list_or_properties() -> None:
    tool = _without("function", "parameters", "required")
    tool["function"]["parameters"]["properties"] = {}
    assert complaints(asking("hi", tools=[tool]), RULES[FP8]) is None


def test_input_schema_has_a_prompt_and_a_messages_form() -> None:
    forms = input_schema(RULES[FP8])["oneOf"]
    assert [form["required"] for form in forms] == [["prompt"], ["messages"]]
