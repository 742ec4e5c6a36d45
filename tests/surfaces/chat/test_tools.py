"""Tools and the choice among them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.call import Tool, ToolChoice
from gateway.core.errors import InvalidRequest
from gateway.surfaces.chat import tools

NAMES = st.from_regex(r"\A[a-zA-Z0-9_-]{1,64}\Z")


@given(NAMES, st.text(max_size=5), st.booleans())
def test_read_tools_both_shapes_mean_the_same(name: str, description: str, nested: bool) -> None:
    function = {"name": name, "description": description, "parameters": {"type": "object", "properties": {}}}
    given_form = {"type": "function", "function": function} if nested else function
    found, ignored = tools.read_tools([given_form], "tools")
    assert found == (Tool(name, description, {"type": "object", "properties": {}}),)
    assert ignored == ()


def test_check_choice_known_names_pass() -> None:
    tools.check_choice(ToolChoice("required", ("f",)), [Tool("f", "", {})], "tool_choice", "tools")
    with pytest.raises(InvalidRequest):
        tools.check_choice(ToolChoice("auto", ("f", "g")), [Tool("f", "", {})], "tool_choice", "tools")
