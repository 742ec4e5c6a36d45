"""Function definitions as Workers AI's schema wants them: whatever a client left out is filled in."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.call import Tool
from gateway.upstreams.workers_ai.tools import outbound_tools

WORDS = st.sampled_from(["type", "properties", "required", "anyOf", "items", "object", "null", "string", "description"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=10,
)


def parameters(schema: dict[str, Any]) -> dict[str, Any]:  # a JSON Schema
    (made,) = outbound_tools((Tool("f", "", schema),), "flat")
    found: dict[str, Any] = made["parameters"]
    return found


def test_outbound_tools_in_both_shapes() -> None:
    flat = {"name": "f", "description": "f", "parameters": {"type": "object", "properties": {}}}
    assert outbound_tools((Tool("f", "", {}),), "flat") == [flat]
    assert outbound_tools((Tool("f", "", {}),), "openai") == [{"type": "function", "function": flat}]
    assert outbound_tools((Tool("f", "Do it", {}),), "flat")[0]["description"] == "Do it"


@pytest.mark.parametrize(
    ("schema", "word"),
    [
        ({"type": "integer"}, "integer"),
        ({"type": ["null", "number"]}, "number"),
        ({"type": ["null"]}, "string"),
        ({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, "boolean"),
        ({"oneOf": []}, "string"),
        ({"allOf": [{"items": {}}]}, "array"),
        ({"properties": {}}, "object"),
        ({"enum": [1]}, "string"),
        ("nothing", "string"),
    ],
)
def test_outbound_tools_property_gets_one_type_word_and_a_description(schema: Any, word: str) -> None:  # any JSON
    made = parameters({"properties": {"p": schema}})["properties"]["p"]
    assert (made["type"], made["description"]) == (word, "p")


@pytest.mark.parametrize(("required", "kept"), [(["a", 3], ["a"]), ([], None), ("a", None), (None, None)])
def test_outbound_tools_required_is_a_list_of_names_or_absent(required: object, kept: list[str] | None) -> None:
    assert parameters({"required": required}).get("required") == kept


@given(st.dictionaries(WORDS, JSON, max_size=4))
def test_outbound_tools_any_schema_is_an_object_with_typed_properties(schema: dict[str, Any]) -> None:
    made = parameters(schema)
    assert made["type"] == "object"
    for found in made["properties"].values():
        assert isinstance(found["type"], str)
        assert isinstance(found["description"], str)
