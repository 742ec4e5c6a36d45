"""Answers in the form that was asked for, and others."""

from dataclasses import replace

import pytest

from gateway.core.answer import Completion, ToolCall
from gateway.core.call import Call, Message, ResponseFormat, Tool, ToolChoice
from gateway.core.promises import find_broken_promise

CALL = Call("chat", "m", (Message("user", "hi"),))
TOOLS = (Tool("f", "", {}), Tool("g", "", {}))
SCHEMA = ResponseFormat("json_schema", "s", {"type": "object", "required": ["a"]})


def answer(text: str = "", *calls: ToolCall) -> Completion:
    return Completion(text, calls, "tool_calls" if calls else "stop", None)


@pytest.mark.parametrize(
    ("wanted", "text", "is_kept"),
    [
        (SCHEMA, '{"a": 1}', True),
        (SCHEMA, '{"b": 1}', False),
        (SCHEMA, "Sure! {", False),
        (ResponseFormat("json_object"), "{}", True),
        (ResponseFormat("json_object"), "[]", False),
        (ResponseFormat("json_schema", "s", {"enum": ["x"]}), '"x"', True),
    ],
)
def test_find_broken_promise_judges_structured_output(wanted: ResponseFormat, text: str, is_kept: bool) -> None:
    found = find_broken_promise(replace(CALL, response_format=wanted), answer(text))
    assert (found is None) is is_kept
    assert found is None or found.kind == "unmet"


def test_find_broken_promise_of_a_cut_answer_says_what_may_help() -> None:
    cut = replace(answer('{"a": '), finish_reason="length")
    found = find_broken_promise(replace(CALL, response_format=SCHEMA), cut)
    assert found is not None
    assert "larger max_tokens" in found.message


@pytest.mark.parametrize(
    ("choice", "made", "is_kept"),
    [
        (ToolChoice("required"), answer("", ToolCall("1", "g", "{}")), True),
        (ToolChoice("required"), answer("no"), False),
        (ToolChoice("required", ("f",)), answer("", ToolCall("1", "g", "{}")), False),
        (ToolChoice("required"), answer("", ToolCall("1", "f", "[1]")), False),
        (ToolChoice("auto"), answer("no"), True),
    ],
)
def test_find_broken_promise_judges_forced_calls(choice: ToolChoice, made: Completion, is_kept: bool) -> None:
    found = find_broken_promise(replace(CALL, tools=TOOLS, tool_choice=choice), made)
    assert (found is None) is is_kept


def test_find_broken_promise_lets_a_tool_call_stand_for_structured_output() -> None:
    call = replace(CALL, tools=TOOLS, response_format=SCHEMA)
    assert find_broken_promise(call, answer("", ToolCall("1", "f", "{}"))) is None
