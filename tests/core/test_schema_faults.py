"""Faults of JSON Schemas: the table holds what the draft's own metaschema says, and our few additions."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from gateway.core.schema_faults import find_schema_fault

OURS = re.compile("points outside|may take too long|not permitted|more than")
KEYWORDS = [
    *("title", "$comment", "format", "uniqueItems", "readOnly", "maximum", "minLength", "maxItems", "minProperties"),
    *(
        "enum",
        "examples",
        "$ref",
        "$dynamicRef",
        "$anchor",
        "$id",
        "$schema",
        "multipleOf",
        "required",
        "type",
        "const",
    ),
    *("pattern", "items", "contains", "additionalProperties", "not", "if", "allOf", "prefixItems", "properties", "x"),
    *("$defs", "definitions", "patternProperties", "dependentRequired", "dependencies", "dependentSchemas", "default"),
]
SCALARS = st.sampled_from(
    [None, True, False, 0, 1, -1, 2.0, 0.5, -0.5, "", "a", "object", "string", "#", "#/items", "a#", "a#b", "(", "^a"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "^a", "("]), inner, max_size=2)
    ),
    max_leaves=10,
)
SCHEMAS = st.dictionaries(st.sampled_from(KEYWORDS), VALUES, max_size=3)


def is_schema(value: Any) -> bool:  # any JSON
    """What the draft's own metaschema says."""
    try:
        Draft202012Validator.check_schema(value)
    except SchemaError:
        return False
    return True


@given(SCHEMAS | VALUES)
def test_find_schema_fault_agrees_with_the_metaschema(schema: Any) -> None:  # any JSON
    fault = find_schema_fault(schema)
    if fault is None or not OURS.search(fault):
        assert (fault is None) == is_schema(schema)


@pytest.mark.parametrize("keyword", KEYWORDS)
@pytest.mark.parametrize("value", [None, True, 0, -1, 0.5, "", "a", "object", [], [1], ["a", "a"], [{}], {}, {"a": 1}])
def test_find_schema_fault_each_keyword_agrees_with_the_metaschema(keyword: str, value: Any) -> None:  # any JSON
    fault = find_schema_fault({keyword: value})
    if fault is None or not OURS.search(fault):
        assert (fault is None) == is_schema({keyword: value})


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        (True, None),
        ({}, None),
        (3, "In context=(), 3 is not of type 'object', 'boolean'."),
        ([], "In context=(), an array is not of type 'object', 'boolean'."),
        ({"type": "strin"}, "In context=('type',), 'strin' is not valid under any of the given schemas."),
        ({"properties": {"a": {"type": 10**100}}}, "In context=('properties', 'a', 'type'), a huge integer is not "),
        ({"allOf": [{}, {"minimum": {}}]}, "In context=('allOf', 1, 'minimum'), an object is not of type 'number'."),
        ({"pattern": "("}, "In context=('pattern',), '(' is not a 'regex'."),
        ({"items": {"$ref": "other.json"}}, "In context=('items', '$ref'), reference 'other.json' points outside of "),
        ({"anyOf": [{"$dynamicRef": "x"}]}, "In context=('anyOf', 0, '$dynamicRef'), reference 'x' points outside of "),
        (
            {"patternProperties": {"(a+)+$": {}}},
            "In context=('patternProperties',), the property pattern '(a+)+$'",
        ),
        ({"patternProperties": {"^x-": {}}}, None),
        ({"patternProperties": {"^x-": {"type": 1}}}, "In context=('patternProperties', '^x-', 'type'), 1 is not "),
        ({"unevaluatedProperties": False}, "In context=('unevaluatedProperties',), the keyword is not permitted."),
        ({"dependentRequired": []}, "In context=('dependentRequired',), an array is not of type 'object'."),
        ({"title": "x", "deprecated": True, "$comment": "c", "contentSchema": {}, "maxContains": 2}, None),
    ],
)
def test_find_schema_fault_table(schema: Any, fault: str | None) -> None:  # any JSON
    found = find_schema_fault(schema)
    assert found == fault or (found is not None and fault is not None and found.startswith(fault))


def test_find_schema_fault_deep_schema_is_walked() -> None:
    schema: Any = {"type": 1}  # a JSON Schema
    for _ in range(5000):
        schema = {"not": schema}
    fault = find_schema_fault(schema)
    assert fault is not None
    assert fault.endswith(", 1 is not valid under any of the given schemas.")


def test_find_schema_fault_too_large_has_one() -> None:
    assert find_schema_fault({"properties": {f"p{number}": {} for number in range(19_000)}}) is None
    fault = find_schema_fault({"properties": {f"p{number}": {} for number in range(21_000)}})
    assert fault == "In context=(), the schema has more than 20000 members."


@pytest.mark.parametrize("schema", [{"type": "x" * 10_000}, {"properties": {"x" * 10_000: 1}}])
def test_find_schema_fault_long_values_are_cut(schema: Any) -> None:  # a wrong JSON Schema
    fault = find_schema_fault(schema)
    assert fault is not None
    assert len(fault) < 500
