"""Which tools may be called, and what is asked for in words."""

import pytest

from gateway.core.call import Call, Message, ResponseFormat, Tool, ToolChoice
from gateway.core.demands import allowed_tools, describe_demands

TOOLS = (Tool("f", "", {}), Tool("g", "", {}))


def call(choice: ToolChoice, *, parallel: bool = True, wanted: ResponseFormat | None = None) -> Call:
    messages = (Message("user", "hi"),)
    return Call(
        "chat", "m", messages, tools=TOOLS, tool_choice=choice, parallel_tool_calls=parallel, response_format=wanted
    )


@pytest.mark.parametrize(
    ("choice", "allowed"),
    [
        (ToolChoice(), TOOLS),
        (ToolChoice("none"), ()),
        (ToolChoice("auto", ("g",)), TOOLS[1:]),
        (ToolChoice("required"), TOOLS),
    ],
)
def test_allowed_tools_follow_the_choice(choice: ToolChoice, allowed: tuple[Tool, ...]) -> None:
    assert allowed_tools(call(choice)) == allowed


def test_describe_demands_is_silent_where_nothing_is_demanded() -> None:
    assert describe_demands(Call("chat", "m", ()), describe_format=True) == ""
    assert describe_demands(call(ToolChoice()), describe_format=True) == ""


def test_describe_demands_names_the_functions_that_must_be_called() -> None:
    said = describe_demands(call(ToolChoice("required", ("g",)), parallel=False), describe_format=True)
    assert "functions, and with nothing else: g." in said
    assert "Call at most one function." in said


def test_describe_demands_shows_the_schema_only_where_asked() -> None:
    wanted = call(ToolChoice(), wanted=ResponseFormat("json_schema", "s", {"type": "object"}))
    assert '{"type":"object"}' in describe_demands(wanted, describe_format=True)
    assert describe_demands(wanted, describe_format=False) == ""
    loose = call(ToolChoice(), wanted=ResponseFormat("json_object"))
    assert "one JSON object" in describe_demands(loose, describe_format=True)
