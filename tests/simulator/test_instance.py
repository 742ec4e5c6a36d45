"""JSON values made from schemas, judged by an independent validator."""

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.instance import Unsatisfiable, minimal_instance

SCHEMAS: list[Any] = [
    True,
    {},
    {"type": "string"},
    {"type": "string", "minLength": 12, "maxLength": 13},
    {"type": "string", "maxLength": 2},
    {"type": "string", "format": "date"},
    {"type": "integer", "minimum": 3, "multipleOf": 5},
    {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    {"type": "number", "exclusiveMaximum": 10},
    {"type": "boolean"},
    {"type": "null"},
    {"type": ["string", "null"]},
    {"enum": ["a", 2]},
    {"const": {"x": 1}},
    {"type": "array", "items": {"type": "integer"}, "minItems": 3},
    {"type": "array", "items": {"type": "integer"}, "maxItems": 0},
    {
        "type": "array",
        "prefixItems": [{"type": "string"}, {"type": "integer"}],
        "items": {"type": "null"},
        "minItems": 3,
    },
    {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a", "c"]},
    {"properties": {"a": {"type": "string"}}},
    {"items": {"type": "string"}},
    {"anyOf": [False, {"type": "integer"}]},
    {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"properties": {"b": {"type": "integer"}}, "required": ["b"]},
        ]
    },
    {
        "$defs": {"step": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
        "type": "array",
        "items": {"$ref": "#/$defs/step"},
    },
    {
        "type": "object",
        "properties": {"name": {"type": "string"}, "next": {"anyOf": [{"type": "null"}, {"$ref": "#"}]}},
        "required": ["name", "next"],
        "additionalProperties": False,
    },
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_minimal_instance_satisfies_its_schema(schema: Any) -> None:
    jsonschema.Draft202012Validator(schema).validate(minimal_instance(schema))


@pytest.mark.parametrize(
    "schema",
    [
        False,
        3,
        {"enum": []},
        {"type": "unknown"},
        {"$ref": "#/$defs/missing"},
        {"$ref": "#"},
        {"anyOf": [False]},
        {"type": "string", "minLength": 3, "maxLength": 2},
        {"type": "string", "pattern": "^[0-9]{40}$"},
        {"type": "integer", "minimum": 3, "maximum": 2},
        {"type": "array", "items": {}, "minItems": 2, "maxItems": 1},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"type": "string", "minLength": 10**9},
        {"type": "array", "minItems": 10**9},
        {"type": "array", "minItems": 500, "items": {"type": "array", "minItems": 500}},
        {"type": "integer", "multipleOf": 0, "minimum": 1},
        {"type": "string", "pattern": "("},
        {"type": "string", "minLength": "3"},
        {"type": "object", "required": 3},
    ],
)
def test_minimal_instance_of_an_impossible_schema_is_unsatisfiable(schema: Any) -> None:
    with pytest.raises(Unsatisfiable):
        minimal_instance(schema)


NUMBERS = st.fixed_dictionaries(
    {"type": st.sampled_from(["integer", "number"])},
    optional={"minimum": st.integers(-50, 50), "multipleOf": st.sampled_from([1, 2, 5])},
)
STRINGS = st.fixed_dictionaries({"type": st.just("string")}, optional={"minLength": st.integers(0, 30)})
LEAVES = st.one_of(NUMBERS, STRINGS, st.just({"type": "boolean"}), st.just({"enum": [1, "two"]}))
NESTED = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.dictionaries(st.sampled_from("abcd"), inner, max_size=3).map(
            lambda properties: {"type": "object", "properties": properties, "required": sorted(properties)}
        ),
    ),
    max_leaves=8,
)


@given(NESTED)
def test_minimal_instance_of_any_simple_schema_satisfies_it(schema: Any) -> None:
    jsonschema.Draft202012Validator(schema).validate(minimal_instance(schema))


def test_minimal_instance_takes_what_fill_offers() -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}, "note": {"type": "string"}},
        "required": ["city", "unit"],
    }
    built = minimal_instance(schema, lambda name, _schema: {"city": "Bern", "unit": "F"}.get(name))
    assert built == {"city": "Bern", "unit": "F"}
