"""Complete answers: the published shape, the SDK's strict models, and exact bytes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion
from support.openai_stream import validator_of

from gateway.core.answer import Completion, FinishReason, ToolCall, Usage
from gateway.core.call import Call, Message
from gateway.core.contracts import Answer
from gateway.surfaces.chat.answer import escape_separators, render

CALL = Call("chat", "m", (Message("user", "hi"),))
LEGACY = Call("chat", "m", (Message("user", "hi"),), legacy_functions=True)
REASONS: tuple[FinishReason, ...] = ("stop", "length", "tool_calls", "content_filter")
_is_published_shape = validator_of("CreateChatCompletionResponse").validate

CALLS = st.lists(st.builds(ToolCall, st.just("call_1"), st.text(max_size=5), st.just("{}")), max_size=3).map(tuple)
COMPLETIONS = st.builds(
    Completion,
    text=st.text(max_size=9) | st.sampled_from(["\u2028", "x\u2029", "\u0085", "“”"]),
    tool_calls=CALLS,
    finish_reason=st.sampled_from(REASONS),
    usage=st.none(),
)


def rendered(answer: Answer, call: Call = CALL) -> dict[str, Any]:  # JSON of the published shape
    found: dict[str, Any] = json.loads(render(answer, call))  # likewise
    return found


def answer_of(*choices: Completion) -> Answer:
    return Answer("chatcmpl-1", 1764000000, "@cf/meta/llama", choices, Usage(12, 3, 2))


@given(st.lists(COMPLETIONS, min_size=1, max_size=3), st.booleans())
def test_render_any_answer_has_the_published_shape(choices: list[Completion], legacy: bool) -> None:
    data = render(answer_of(*choices), LEGACY if legacy else CALL)
    said = json.loads(data)
    _is_published_shape(said)
    model = ChatCompletion.model_validate_json(data, strict=True)
    assert not model.model_extra
    assert not any(mark in data.decode() for mark in "\u2028\u2029\u0085")
    for index, (choice, told) in enumerate(zip(said["choices"], choices, strict=True)):
        assert choice["index"] == index
        assert (choice["message"]["content"] or "") == told.text
        assert (choice["finish_reason"] in ("tool_calls", "function_call")) <= bool(told.tool_calls)
        assert "tool_calls" not in choice["message"] or choice["message"]["tool_calls"]


def test_render_text_is_openais_object() -> None:
    assert rendered(answer_of(Completion("Hello!", (), "stop", None))) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1764000000,
        "model": "@cf/meta/llama",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello!", "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 12,
            "completion_tokens": 3,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        "service_tier": "default",
    }


def test_render_tool_calls_has_null_content_and_text_arguments() -> None:
    completion = Completion("", (ToolCall("call_1", "get_weather", '{"city":"Paris"}'),), "tool_calls", None)
    choice = rendered(answer_of(completion))["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "annotations": [],
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}
        ],
    }


def test_render_legacy_functions_answers_in_kind() -> None:
    completion = Completion("", (ToolCall("call_1", "f", "{}"), ToolCall("call_2", "g", "{}")), "tool_calls", None)
    choice = rendered(answer_of(completion), LEGACY)["choices"][0]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {"name": "f", "arguments": "{}"}
    assert "tool_calls" not in choice["message"]


def test_render_empty_text_is_empty_not_null() -> None:
    assert rendered(answer_of(Completion("", (), "length", None)))["choices"][0]["message"]["content"] == ""


@pytest.mark.parametrize("text", ["plain", "a\u2028b", "\u2029", "\u0085", "“quoted”", "é\u2028é"])
def test_escape_separators_same_json_without_raw_ones(text: str) -> None:
    escaped = escape_separators(json.dumps(text, ensure_ascii=False).encode())
    assert json.loads(escaped) == text
    assert len(escaped.decode().splitlines()) == 1
