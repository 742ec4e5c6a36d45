"""Result shapes of a non-streamed answer."""

import json
from typing import Any

import pytest
from support.scenes import CALL, scene
from support.simulated import FAST

from gateway.simulator.documents import document, is_bare_number, reports_usage
from gateway.simulator.scene import Scene


def result(of: Scene) -> Any:
    whole = json.loads(document(of))
    assert whole["errors"] == whole["messages"] == []
    return whole["result"]


USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 20,
    "total_tokens": 30,
    "prompt_tokens_details": {"cached_tokens": 0},
}


def test_document_of_the_classic_shape_is_text_only() -> None:
    assert result(scene("hi", shape="classic")) == {"response": "hi"}
    assert not reports_usage(scene(shape="classic"))


def test_document_of_a_native_model_has_usage_and_neurons() -> None:
    given = result(scene("hi"))
    neurons = given["usage"].pop("neurons")
    assert given == {"response": "hi", "tool_calls": [], "usage": USAGE}
    assert neurons == pytest.approx((10 * 13778 + 20 * 26128) / 1e6)


def test_document_of_a_fast_model_is_hybrid_and_echoes_another_name() -> None:
    given = result(scene("hi", model=FAST))
    assert given["choices"] == [{"index": 0, "message": {"role": "assistant", "content": "hi"}}]
    assert given["response"] == "hi"
    assert given["model"] == "@cf/meta/llama-3.1-8b-fast-v2"


def test_document_of_the_openai_shape_has_no_response() -> None:
    given = result(scene("hi", shape="openai", echo="other"))
    assert "response" not in given
    assert given["choices"][0]["finish_reason"] == "stop"
    assert (given["model"], given["object"], given["id"]) == ("other", "chat.completion", "id1")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("string", {"response": "42"}),
        ("auto", {"response": 42}),
        ("number", {"response": 42}),
        ("object", {"response": {"answer": "42"}}),
        ("boolean", {"response": True}),
        ("null", {"response": None}),
        ("missing", {}),
    ],
)
def test_document_with_a_response_kind_has_that_type(kind: str, expected: Any) -> None:
    assert result(scene("42", shape="classic", response=kind)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("42", True), ("-7", True), ("0", True), ("007", False), ("1.0", False), (" 1", False), ("", False)],
)
def test_is_bare_number_only_where_nothing_would_be_lost(text: str, expected: bool) -> None:
    assert is_bare_number(text) is expected


def test_document_in_json_mode_has_value_and_original_text() -> None:
    given = result(scene('{"n": 220.0}', model=FAST, json_value={"n": 220}))
    assert given["response"] == {"n": 220}
    assert given["choices"][0]["message"]["content"] == '{"n": 220.0}'


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("flat", [{"name": "get_weather", "arguments": {"location": "Bern", "days": 3}}]),
        ("string", [{"name": "get_weather", "arguments": '{"location": "Bern", "days": 3}'}]),
        ("parameters", [{"name": "get_weather", "parameters": {"location": "Bern", "days": 3}}]),
        (
            "nested",
            [
                {
                    "id": "chatcmpl-tool-1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"location": "Bern", "days": 3}'},
                }
            ],
        ),
    ],
)
def test_document_with_a_tool_call_has_the_asked_shape(shape: str, expected: Any) -> None:
    given = result(scene(calls=(CALL,), tool_shape=shape))
    assert given["response"] is None
    assert given["tool_calls"] == expected


def test_document_of_a_fast_model_with_a_tool_call_nests_it_in_choices() -> None:
    choice = result(scene(calls=(CALL, CALL), model=FAST))["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert [call["function"]["name"] for call in choice["message"]["tool_calls"]] == ["get_weather", "get_weather"]


def test_document_with_success_false_says_so() -> None:
    assert json.loads(document(scene(success_false=True)))["success"] is False


def test_document_usage_can_be_missing_or_zero() -> None:
    assert "usage" not in result(scene(usage="none"))
    assert result(scene(usage="zero", usage_detail=False))["usage"] == {
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "total_tokens": 0,
    }
    assert not reports_usage(scene(usage="zero"))
