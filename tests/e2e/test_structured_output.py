"""Structured output and forced calls: valid, or refused; never something else with a 200."""

import json
from typing import Any

import pytest
from support.gateway import GatewayProcess

FP8 = "@cf/meta/llama-3.1-8b-instruct-fp8"
FAST = "@cf/meta/llama-3.1-8b-instruct-fast"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "celsius": {"type": "integer"}},
    "required": ["city", "celsius"],
}
WANTED = {"type": "json_schema", "json_schema": {"name": "weather", "schema": SCHEMA, "strict": True}}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}


def ask(content: str, **fields: Any) -> dict[str, Any]:
    return {"model": FAST, "messages": [{"role": "user", "content": content}], **fields}


def streamed(text: str) -> tuple[str, list[str]]:
    chunks = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    said = "".join(choice["delta"].get("content") or "" for choice in choices)
    return said, [choice["finish_reason"] for choice in choices if choice["finish_reason"]]


@pytest.mark.parametrize("model", [FAST, FP8])
@pytest.mark.parametrize("stream", [False, True])
def test_json_schema_answer_is_valid_json(product: GatewayProcess, model: str, stream: bool) -> None:
    marker = '[[sim: text="{\\"city\\": \\"Paris\\", \\"celsius\\": 21}"]]' if model == FP8 else ""
    body = ask(f"Weather as JSON {marker}", response_format=WANTED, stream=stream) | {"model": model}
    answer = product.chat(body)
    assert answer.status_code == 200, answer.text
    text = streamed(answer.text)[0] if stream else answer.json()["choices"][0]["message"]["content"]
    assert set(json.loads(text)) == {"city", "celsius"}


def test_json_that_does_not_fit_is_asked_for_once_more_and_then_refused(product: GatewayProcess) -> None:
    body = ask('As JSON [[sim: text="no json at all"]]', response_format=WANTED) | {"model": FP8}
    answer = product.chat(body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "model_output_invalid")
    assert answer.headers["x-should-retry"] == "false"
    row = product.row(answer.headers["x-request-id"])
    assert len(row["attempts"]) == 2
    assert row["cost_nano"] > 0
    assert (row["end_reason"], row["status"]) == ("failed", 502)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_weather"}}])
@pytest.mark.parametrize("stream", [False, True])
def test_forced_call_is_made_or_refused(product: GatewayProcess, choice: Any, stream: bool) -> None:
    made = product.chat(ask("What about get_weather for Paris?", tools=[TOOL], tool_choice=choice, stream=stream))
    assert made.status_code == 200, made.text
    if stream:
        assert streamed(made.text)[1] == ["tool_calls"]
    else:
        assert made.json()["choices"][0]["finish_reason"] == "tool_calls"
    marker = '[[sim: text="I would rather talk."]]'
    refused = product.chat(ask(f"Hello {marker}", tools=[TOOL], tool_choice=choice, stream=stream))
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "model_output_invalid")


def test_stop_string_ends_the_answer_and_the_upstream(product: GatewayProcess) -> None:
    for stream in (False, True):
        answer = product.chat(ask("Count to 50", stop=["7"], stream=stream) | {"model": FP8})
        text = streamed(answer.text)[0] if stream else answer.json()["choices"][0]["message"]["content"]
        assert "6" in text
        assert "7" not in text
        row = product.row(answer.headers["x-request-id"])
        assert (row["end_reason"], row["usage_source"]) == ("stop", "counted" if stream else "reported")
