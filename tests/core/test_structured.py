"""Schemas and answers: sound judgement, and strangers' schemas cannot cost more than they may."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gateway.core.schema_faults import find_schema_fault
from gateway.core.structured import find_mismatch

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
    "additionalProperties": False,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYWORDS = st.sampled_from(
    ["type", "properties", "items", "$ref", "pattern", "patternProperties", "enum", "const", "allOf", "required"]
)
SCHEMA = st.dictionaries(KEYWORDS, JSON | st.sampled_from(["object", "array", "#", "#/items", "#/nowhere"]), max_size=4)


@pytest.mark.parametrize(
    ("text", "schema", "fault"),
    [
        ('{"name": "a"}', PERSON, None),
        ('{"name": "a", "age": 3}', PERSON, None),
        ('{"name": "a", "age": -3}', PERSON, "at $.age: -3 is less than the minimum of 0"),
        ('{"age": 3}', PERSON, "at $: 'name' is a required property"),
        ('{"name": "a", "x": 1}', PERSON, "at $: Additional properties are not allowed ('x' was unexpected)"),
        ('{"name": "a"', PERSON, "not JSON: Input data was truncated"),
        ("[" * 100_000, PERSON, "not JSON: maximum recursion depth exceeded while deserializing an object"),
        ("1e999", True, "not JSON: Number out of range"),
        ("3", {"enum": [1, 2, 3]}, None),
        ("4", {"enum": [1, 2, 3]}, "at $: 4 is not one of [1, 2, 3]"),
        ("[[], [[]]]", {"type": "array", "items": {"$ref": "#"}}, None),
        ("[[], [1]]", {"type": "array", "items": {"$ref": "#"}}, "at $[1][0]: 1 is not of type 'array'"),
        ("1", {"$ref": "#"}, "the schema cannot be evaluated"),
        ("1", {"$ref": "#/nowhere"}, "the schema cannot be evaluated"),
        ("1", {"$ref": "http://127.0.0.1:9/x"}, "the schema cannot be evaluated"),
        ('"ab"', {"pattern": "^a"}, None),
        ('"ba"', {"pattern": "^a"}, "at $: 'ba' does not match '^a'"),
        ("5", {"pattern": "^a"}, None),
        ("1", {"$ref": "#/enum/0", "enum": [{"type": 5}]}, "the schema cannot be evaluated"),
        ("1", {"$ref": "#/enum/0", "enum": [5]}, "the schema cannot be evaluated"),
        ("1", {"$dynamicRef": "#meta"}, "the schema cannot be evaluated"),
        ("1", {"$schema": "http://127.0.0.1/x", "type": "integer"}, None),
        ("true", False, "at $: False schema does not allow True"),
    ],
)
def test_find_mismatch_table(text: str, schema: Any, fault: str | None) -> None:  # any JSON Schema
    assert find_mismatch(text, schema) == fault


def test_find_mismatch_catastrophic_pattern_is_not_run() -> None:
    assert find_mismatch(json.dumps("a" * 40 + "!"), {"pattern": "^(a+)+$"}) is None


def test_find_mismatch_references_that_double_are_counted() -> None:
    definitions: dict[str, Any] = {"a0": {"type": "integer"}}  # a JSON Schema
    for level in range(1, 40):
        below = {"$ref": f"#/$defs/a{level - 1}"}
        definitions[f"a{level}"] = {"allOf": [below, below]}
    schema = {"$defs": definitions, "$ref": "#/$defs/a39"}
    assert find_schema_fault(schema) is None
    assert find_mismatch("1", schema) == "the schema cannot be evaluated"


@given(JSON, SCHEMA | JSON)
def test_find_mismatch_any_schema_gives_a_verdict(value: Any, schema: Any) -> None:  # any JSON twice
    if find_schema_fault(schema) is None:
        found = find_mismatch(json.dumps(value), schema)
        assert found is None or isinstance(found, str)


@given(JSON, SCHEMA)
def test_find_mismatch_agrees_with_plain_jsonschema(value: Any, schema: Any) -> None:  # any JSON twice
    if find_schema_fault(schema) is None and "$ref" not in json.dumps(schema):
        expected = Draft202012Validator(schema).is_valid(value)
        assert (find_mismatch(json.dumps(value), schema) is None) is expected
