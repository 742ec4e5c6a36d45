"""What a call is answered with, decided without a network."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.simulated import FAST, FP8, HF, WEATHER, asking

from gateway.simulator.counting import estimate_tokens
from gateway.simulator.errors import Refusal
from gateway.simulator.models import MODELS
from gateway.simulator.plan import Answer, answer, check, forced_refusal, last_user_text
from gateway.simulator.switches import resolve

BY_ID = {model.id: model for model in MODELS}
PERSON = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}


def code(body: Any, model: str = FP8, *, is_retired: bool = False, **switches: Any) -> int | None:
    refused = check(body, BY_ID[model], resolve(switches), is_retired=is_retired)
    return refused.code if refused else None


def said(body: Any, model: str = FP8, **switches: Any) -> Answer:
    given = answer(body, BY_ID[model], resolve(switches), lambda text: len(text.split()), ["id1", "id2", "id3"])
    assert isinstance(given, Answer)
    return given


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (asking("x"), "x"),
        ({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}, "x"),
        ({"prompt": "p"}, "p"),
        ({"prompt": 1}, ""),
        ({"messages": [3]}, ""),
        ([], ""),
    ],
)
def test_last_user_text_of_any_body_is_a_text(body: Any, text: str) -> None:
    assert last_user_text(body) == text


WINDOWS = [(FP8, 32_000), (FAST, 128_000), (HF, 8_192)]


@pytest.mark.parametrize(("model", "window"), WINDOWS)
def test_check_refuses_just_beyond_the_window(model: str, window: int) -> None:
    assert code(asking("abcde", max_tokens=window - 2), model) is None
    assert code(asking("abcde", max_tokens=window - 1), model) == 5021


def test_check_assumes_256_answer_tokens() -> None:
    assert code(asking("x" * 4 * (8_192 - 256)), HF) is None
    assert code(asking("x" * (4 * (8_192 - 256) + 1)), HF) == 5021


@pytest.mark.parametrize("window", [7968, 8192, 24000])
def test_check_takes_a_window_from_a_switch(window: int) -> None:
    refused = check(asking("x", max_tokens=window), BY_ID[FP8], resolve({"window": window}), is_retired=False)
    assert refused is not None
    assert f"({window + 1}) exceeded this model context window limit ({window})" in refused.text
    assert code(asking("x", max_tokens=window), window=window, old_length_code=True) == 3010


JSON = {"type": "json_schema", "json_schema": PERSON}
WRAPPED = {"type": "json_schema", "json_schema": {"name": "p", "schema": PERSON, "strict": True}}


@pytest.mark.parametrize(
    ("fields", "model", "switches", "expected"),
    [
        ({"response_format": JSON}, FP8, {}, 5025),
        ({"response_format": JSON}, FP8, {"json_mode": True}, None),
        ({"response_format": JSON}, FAST, {}, None),
        ({"response_format": JSON}, FAST, {"json_mode": False}, 5025),
        ({"response_format": JSON, "stream": True}, FAST, {}, 5023),
        ({"response_format": JSON, "stream": True}, FP8, {}, 5025),
        ({"response_format": WRAPPED}, FAST, {}, 5024),
        ({"response_format": WRAPPED}, FAST, {"wrapped": "ignore"}, None),
        ({"response_format": {}}, FP8, {}, None),
    ],
)
def test_check_of_json_mode(fields: Any, model: str, switches: Any, expected: int | None) -> None:
    assert code(asking("x", **fields), model, **switches) == expected


def test_check_of_a_lora_is_unsupported() -> None:
    assert code({"prompt": "x", "lora": "mine"}) == 5005


def test_check_of_a_retired_model_comes_before_validation() -> None:
    refused = check({}, BY_ID["@cf/meta/llama-3.1-8b-instruct"], resolve({}), is_retired=True)
    assert refused is not None
    assert (refused.code, refused.status) == (5028, 410)
    assert "@cf/meta/infire-llama-3.1-8b-instruct was deprecated on 2026-05-30." in refused.text


def test_forced_refusal_is_what_the_switches_ask_for() -> None:
    model = BY_ID[FP8]
    assert forced_refusal(resolve({}), model) is None
    assert forced_refusal(resolve({"retired": True}), model) == forced_refusal(resolve({"error": 5028}), model)
    page = forced_refusal(resolve({"http": 504}), model)
    assert page == Refusal(0, 504, "Bad gateway", "html")
    long = forced_refusal(resolve({"error": 5021}), model)
    assert long is not None
    assert "(64000) exceeded this model context window limit (32000)." in long.text
    custom = forced_refusal(
        resolve({"error": 3040, "status": 400, "envelope": "F", "message": "m", "retry_after": 2}), model
    )
    assert custom == Refusal(3040, 400, "m", "F", 2.0)


def test_answer_counts_the_end_of_turn_token() -> None:
    given = said(asking("say one two three"))
    assert (given.text, given.finish, given.completion_tokens) == ("one two three", "stop", 4)


@pytest.mark.parametrize(("max_tokens", "finish", "completion"), [(4, "stop", 4), (3, "length", 3), (1, "length", 1)])
def test_answer_at_max_tokens_ends_by_length(max_tokens: int, finish: str, completion: int) -> None:
    given = said(asking("say one two three", max_tokens=max_tokens))
    assert (given.finish, given.completion_tokens) == (finish, completion)
    assert len(given.text.split()) <= max_tokens


def test_answer_defaults_to_256_tokens() -> None:
    given = said(asking("Write 500 sentences about rain"))
    assert (given.finish, given.completion_tokens, given.max_tokens) == ("length", 256, 256)


def test_answer_can_be_given_or_measured() -> None:
    assert said(asking("x"), text="exactly this").text == "exactly this"
    assert said(asking("x"), tokens=12).completion_tokens == 13


TOOLS = {"tools": [WEATHER]}


def test_answer_calls_a_suggested_tool() -> None:
    given = said(asking("Weather in Bern?", **TOOLS))
    assert given.finish == "tool_calls"
    assert [(call.id, call.name, call.arguments) for call in given.calls] == [
        ("id1", "get_weather", {"location": "Bern"})
    ]


@pytest.mark.parametrize(
    ("text", "switches", "calls"),
    [
        ("hi", {}, 0),
        ("hi", {"tool_call": "get_weather"}, 1),
        ("hi", {"tool_call": "any"}, 1),
        ("Weather in Bern?", {"tool_call": "none"}, 0),
        ("Weather in Bern?", {"calls": 2}, 2),
        ("Weather in Bern?", {"text": "no"}, 0),
    ],
)
def test_answer_calls_as_the_switches_say(text: str, switches: Any, calls: int) -> None:
    assert len(said(asking(text, **TOOLS), **switches).calls) == calls


def test_answer_with_numeric_strings_quotes_numbers() -> None:
    given = said(asking("Weather in Bern for 3 days", **TOOLS), numeric_strings=True)
    assert given.calls[0].arguments == {"location": "Bern", "days": "3"}


def test_answer_with_a_leak_is_text() -> None:
    given = said(asking("Weather in Bern?", **TOOLS), tool_shape="leak")
    assert given.text == '{"name": "get_weather", "parameters": {"location": "Bern"}}'
    assert (given.finish, given.calls) == ("stop", ())


def test_answer_after_a_tool_result_uses_it() -> None:
    messages = [
        {"role": "user", "content": "Weather in Bern?"},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "function": {"name": "get_weather"}}]},
        {"role": "tool", "content": "12 degrees", "tool_call_id": "a"},
    ]
    assert said({"messages": messages, **TOOLS}).text == "According to get_weather, the answer is: 12 degrees"


def test_answer_in_json_mode_satisfies_the_schema() -> None:
    given = said(asking("I am 33", response_format=JSON), FAST)
    assert (given.text, given.json_value) == ('{"age": 33}', {"age": 33})


def test_answer_in_json_mode_without_schema_is_an_object() -> None:
    given = said(asking("ping", response_format={"type": "json_object"}), FAST)
    assert given.json_value == {"answer": "pong"}


@pytest.mark.parametrize(("wrapped", "value"), [("accept", {"age": 1}), ("ignore", "value")])
def test_answer_to_a_wrapped_schema_depends_on_the_switch(wrapped: str, value: Any) -> None:
    assert said(asking("x", response_format=WRAPPED), FAST, wrapped=wrapped).json_value == value


@pytest.mark.parametrize(
    ("response_format", "switches"),
    [
        ({"type": "json_schema", "json_schema": False}, {}),
        (JSON, {"text": "not json"}),
        (JSON, {"text": '{"a": "one two three four five six seven"}'}),
    ],
)
def test_answer_that_cannot_be_json_is_refused(response_format: Any, switches: Any) -> None:
    body = asking("x", response_format=response_format, max_tokens=5)
    given = answer(body, BY_ID[FAST], resolve(switches), lambda text: len(text.split()), [])
    assert isinstance(given, Refusal)
    assert given.code == 5024


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
WORDS = ["type", "properties", "required", "items", "enum", "minimum", "minLength", "anyOf", "$ref", "pattern", "x"]
ODD_SCHEMA = st.recursive(
    ANYTHING | st.sampled_from(["object", "array", "string", "integer", "#", "#/x"]),
    lambda inner: st.dictionaries(st.sampled_from(WORDS), inner, max_size=4) | st.lists(inner, max_size=2),
    max_leaves=10,
)
TURN = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", "system"]), "content": st.text(max_size=8)},
    optional={"tool_calls": ANYTHING, "name": ANYTHING, "tool_call_id": ANYTHING},
)
BODY = st.fixed_dictionaries(
    {"messages": st.lists(TURN, max_size=3)},
    optional={
        "response_format": st.builds(lambda schema: {"type": "json_schema", "json_schema": schema}, ODD_SCHEMA)
        | ANYTHING,
        "tools": st.builds(lambda argument: [_tool_with(argument)], st.dictionaries(st.sampled_from(WORDS), ANYTHING)),
        "max_tokens": ANYTHING | st.integers(),
        "options": ANYTHING,
        "stream": st.booleans(),
    },
)


def _tool_with(argument: Any) -> Any:
    described = {**argument, "type": "string", "description": "x"}
    parameters = {"type": "object", "properties": {"x": described}, "required": ["x"]}
    return {"type": "function", "function": {"name": "t", "description": "x", "parameters": parameters}}


@given(BODY | ANYTHING, st.sampled_from([FP8, FAST, HF]))
def test_plan_of_any_body_is_an_answer_or_a_refusal(body: Any, model: str) -> None:
    switches = resolve({"tool_call": "t"})
    if check(body, BY_ID[model], switches, is_retired=False) is None:
        given_answer = answer(body, BY_ID[model], switches, estimate_tokens, ["id1"])
        assert isinstance(given_answer, Answer | Refusal)
