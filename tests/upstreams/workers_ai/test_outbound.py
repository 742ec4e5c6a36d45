"""Requests: what is sent for which call, on which model, and that it is valid under each model's published rules."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.answer import ToolCall
from gateway.core.call import Call, Message, ResponseFormat, Sampling, Tool, ToolChoice
from gateway.core.catalog import Model, Range
from gateway.upstreams.workers_ai.outbound import request

STRICT = {
    "temperature": Range(0, 5),
    "top_p": Range(0.001, 1),
    "top_k": Range(1, 50),
    "repetition_penalty": Range(0, 2),
    "frequency_penalty": Range(0, 2),
    "presence_penalty": Range(0, 2),
}
MODEL = Model(
    "@cf/meta/llama-3.1-8b-instruct-fp8", 32_000, (), ranges=STRICT, capabilities=frozenset({"stream", "tools"})
)
JSON_MODEL = replace(MODEL, id="@cf/meta/fast", capabilities=frozenset({"stream", "tools", "json"}))
CALL = Call("chat", "auto", (Message("system", "Be brief."), Message("user", "hi")), stream=True)
WEATHER = Tool("get_weather", "Weather", {"type": "object", "properties": {"city": {"type": "string"}}})


def body(call: Call, model: Model = MODEL, max_tokens: int = 100) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(request(call, model, max_tokens).body)
    return found


def test_request_plain_call_is_messages_with_explicit_max_tokens() -> None:
    outbound = request(CALL, MODEL, 4096)
    assert outbound.path == "/ai/run/@cf/meta/llama-3.1-8b-instruct-fp8"
    assert outbound.ignored == ()
    assert outbound.stream
    assert msgspec.json.decode(outbound.body) == {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
        "max_tokens": 4096,
        "stream": True,
    }
    assert not request(replace(CALL, stream=False), MODEL, 1).stream


def test_request_stop_and_n_are_never_sent() -> None:
    assert body(replace(CALL, stop=("a",), n=3)).keys() == {"messages", "max_tokens", "stream"}


@pytest.mark.parametrize(
    ("name", "wanted", "sent", "is_changed"),
    [
        ("temperature", 0.0, 0.0, False),
        ("temperature", 2.0, 2.0, False),
        ("temperature", 7.0, 5, True),
        ("top_p", 0.0, 0.001, True),
        ("top_p", 1.0, 1.0, False),
        ("top_k", 0, 1, True),
        ("top_k", 1, 1, False),
        ("top_k", 50, 50, False),
        ("top_k", 51, 50, True),
        ("repetition_penalty", 2.5, 2, True),
        ("frequency_penalty", -2.0, 0, True),
        ("frequency_penalty", 2.0, 2.0, False),
        ("presence_penalty", -0.5, 0, True),
        ("seed", 1, 1, False),
        ("seed", 9_999_999_999, 9_999_999_999, False),
        ("seed", 0, 9_999_999_999, False),
        ("seed", -1, 9_999_999_998, False),
        ("seed", 10_000_000_000, 1, False),
    ],
)
def test_request_parameter_is_sent_within_the_models_range(
    name: str, wanted: float, sent: float, is_changed: bool
) -> None:
    outbound = request(replace(CALL, sampling=msgspec.convert({name: wanted}, Sampling)), MODEL, 10)
    assert msgspec.json.decode(outbound.body)[name] == sent
    assert outbound.ignored == ((name,) if is_changed else ())


def test_request_negative_penalty_on_a_model_that_takes_it_is_sent() -> None:
    model = replace(MODEL, ranges={"frequency_penalty": Range(-2, 2)})
    outbound = request(replace(CALL, sampling=Sampling(frequency_penalty=-1.5, temperature=9)), model, 10)
    assert msgspec.json.decode(outbound.body)["frequency_penalty"] == -1.5
    assert msgspec.json.decode(outbound.body)["temperature"] == 9  # no published range, no clamp
    assert outbound.ignored == ()


@given(st.integers(-(2**63), 2**63 - 1))
def test_request_any_seed_is_sent_legally(seed: int) -> None:
    assert 1 <= body(replace(CALL, sampling=Sampling(seed=seed)))["seed"] <= 9_999_999_999


def test_request_tool_turns_are_visible_as_text_and_never_null() -> None:
    made = (ToolCall("call_1", "get_weather", '{"city": "Paris"}'), ToolCall("call_2", "get_weather", ""))
    call = replace(
        CALL,
        messages=(
            Message("user", "Weather?"),
            Message("assistant", "Let me see.", made),
            Message("tool", "rain", tool_call_id="call_2"),
            Message("tool", "sun", tool_call_id="call_1", name="weather"),
            Message("tool", "lost", tool_call_id="call_9"),
            Message("assistant", "", (ToolCall("call_3", "get_weather", "not json"),)),
        ),
    )
    turns = body(call)["messages"]
    assert [(turn["role"], turn["content"]) for turn in turns] == [
        ("user", "Weather?"),
        ("assistant", 'Let me see.\n{"name": "get_weather", "parameters": {"city": "Paris"}}'),
        ("tool", "sun"),
        ("assistant", '{"name": "get_weather", "parameters": {}}'),
        ("tool", "rain"),
        ("tool", "lost"),
        ("assistant", '{"name": "get_weather", "parameters": "not json"}'),
    ]
    assert turns[1]["tool_calls"] == [
        {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
    ]
    assert [turn.get("name") for turn in turns if turn["role"] == "tool"] == ["weather", "get_weather", None]
    assert turns[2]["tool_call_id"] == "call_1"


def test_request_tools_have_the_catalogues_shape_filled() -> None:
    odd = Tool(
        "odd",
        "",
        {
            "properties": {
                "any": True,
                "union": {"type": ["null", "integer"], "description": "u"},
                "nulls": {"type": ["null"]},
                "either": {"anyOf": [{"type": "null"}, {"type": "number"}]},
                "neither": {"anyOf": [{"type": "null"}]},
                "items": {"items": {}},
                "object": {"properties": {}},
                "enum": {"enum": ["a"], "description": None},
            },
            "required": None,
            "additionalProperties": False,
        },
    )
    found = body(replace(CALL, tools=(odd, Tool("bare", "", {}))))["tools"]
    assert [tool["type"] for tool in found] == ["function", "function"]
    function = found[0]["function"]
    assert function["description"] == "odd"
    assert function["parameters"]["type"] == "object"
    assert "required" not in function["parameters"]
    assert function["parameters"]["additionalProperties"] is False
    assert {name: known["type"] for name, known in function["parameters"]["properties"].items()} == {
        "any": "string",
        "union": "integer",
        "nulls": "string",
        "either": "number",
        "neither": "string",
        "items": "array",
        "object": "object",
        "enum": "string",
    }
    assert function["parameters"]["properties"]["union"]["description"] == "u"
    assert function["parameters"]["properties"]["enum"]["description"] == "enum"
    assert found[1]["function"]["parameters"] == {"type": "object", "properties": {}}


def test_request_tools_of_a_flat_model_are_flat() -> None:
    required = Tool("f", "F", {"properties": {"a": {"type": "string"}}, "required": ["a", 1]})
    (found,) = body(replace(CALL, tools=(required,)), replace(MODEL, tools_shape="flat"))["tools"]
    assert found.keys() == {"name", "description", "parameters"}
    assert found["parameters"]["required"] == ["a"]


def test_request_tool_choice_decides_which_tools_are_sent() -> None:
    call = replace(CALL, tools=(WEATHER, Tool("now", "", {})))
    assert "tools" not in body(replace(call, tool_choice=ToolChoice("none")))
    named = body(replace(call, tool_choice=ToolChoice("required", ("now",)), parallel_tool_calls=False))
    assert [tool["function"]["name"] for tool in named["tools"]] == ["now"]
    system = named["messages"][0]["content"]
    assert system.startswith("Be brief.\n\n")
    assert "now" in system
    assert "get_weather" not in system


def test_request_schema_for_a_model_with_json_mode_is_sent_bare_without_stream() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    outbound = request(replace(CALL, response_format=ResponseFormat("json_schema", "answer", schema)), JSON_MODEL, 10)
    sent = msgspec.json.decode(outbound.body)
    assert not outbound.stream
    assert sent["stream"] is False
    assert sent["response_format"] == {"type": "json_schema", "json_schema": {**schema, "title": "answer"}}
    assert sent["messages"][0]["content"] == "Be brief."
    boolean = body(replace(CALL, response_format=ResponseFormat("json_schema", "answer", True)), JSON_MODEL)
    assert boolean["response_format"]["json_schema"] is True
    plain = body(replace(CALL, response_format=ResponseFormat("json_object")), JSON_MODEL)
    assert plain["response_format"] == {"type": "json_object"}
    assert "response_format" in body(
        replace(CALL, response_format=ResponseFormat("json_object")), replace(MODEL, json_mode="native")
    )


@pytest.mark.parametrize("model", [MODEL, replace(JSON_MODEL, json_mode="prompt")])
def test_request_schema_for_a_model_without_json_mode_goes_into_the_prompt(model: Model) -> None:
    call = replace(CALL, messages=(Message("user", "hi"),))
    sent = body(replace(call, response_format=ResponseFormat("json_schema", "x", {"enum": ["a"]})), model)
    assert "response_format" not in sent
    assert sent["stream"] is False
    assert [turn["role"] for turn in sent["messages"]] == ["system", "user"]
    assert '{"enum":["a"]}' in sent["messages"][0]["content"]
    sent = body(replace(call, response_format=ResponseFormat("json_object")), model)
    assert "JSON object" in sent["messages"][0]["content"]


def test_request_demand_with_an_empty_system_message_stands_alone() -> None:
    call = replace(CALL, messages=(Message("system", ""), Message("user", "hi")))
    sent = body(replace(call, response_format=ResponseFormat("json_object")))
    assert sent["messages"][0]["content"].startswith("Answer with")


def test_request_raw_call_is_the_contents_as_prompt() -> None:
    sent = body(replace(CALL, raw=True))
    assert (sent["prompt"], sent["raw"]) == ("Be brief.\nhi", True)
    assert "messages" not in sent


@pytest.mark.parametrize(
    ("template", "prompt"),
    [
        (
            "llama3",
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        ),
        (
            "llama3.1",
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
            "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\nBe brief.<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        ),
    ],
)
def test_request_lora_call_is_the_rendered_template_as_raw_prompt(template: Any, prompt: str) -> None:
    call = replace(CALL, lora="my-lora", messages=(Message("system", "Be brief."), Message("user", " hi ")))
    sent = body(call, replace(MODEL, template=template))
    assert (sent["prompt"], sent["raw"], sent["lora"]) == (prompt, True, "my-lora")
    assert body(replace(call, raw=True))["prompt"] == "Be brief.\n hi "


def test_request_lora_call_without_system_message_keeps_the_date_block() -> None:
    call = replace(CALL, lora="x", messages=(Message("user", "hi"), Message("tool", "r", tool_call_id="1")))
    prompt = body(call)["prompt"]
    assert "26 Jul 2024\n\n<|eot_id|><|start_header_id|>user" in prompt
    assert "<|start_header_id|>ipython<|end_header_id|>\n\nr<|eot_id|>" in prompt


roles = st.sampled_from(["system", "user", "assistant", "tool"])
made_calls = st.lists(st.builds(ToolCall, st.text(min_size=1), st.text(min_size=1), st.text()), max_size=3).map(tuple)
turns = st.builds(Message, roles, st.text(), made_calls, st.none() | st.text(), st.none() | st.text())
schemas = st.dictionaries(
    st.text(), st.none() | st.booleans() | st.lists(st.text()) | st.dictionaries(st.text(), st.none())
)
tools = st.builds(Tool, st.text(min_size=1), st.text(), st.fixed_dictionaries({}, optional={"properties": schemas}))


@given(st.lists(turns, min_size=1, max_size=5).map(tuple), st.lists(tools, max_size=2).map(tuple))
def test_request_of_any_call_is_valid_under_the_published_schema(
    messages: tuple[Message, ...], offered: tuple[Tool, ...]
) -> None:
    sent = body(replace(CALL, messages=messages, tools=offered))
    for turn in sent["messages"]:
        assert isinstance(turn["role"], str)
        assert isinstance(turn["content"], str)
    for tool in sent.get("tools", ()):
        function = tool["function"]
        assert isinstance(function["name"], str)
        assert isinstance(function["description"], str)
        assert function["parameters"]["type"] == "object"
        for known in function["parameters"]["properties"].values():
            assert isinstance(known["type"], str)
            assert isinstance(known["description"], str)
