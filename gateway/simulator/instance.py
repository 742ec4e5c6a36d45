"""Builds a small JSON value that satisfies a JSON Schema: what the simulated JSON mode and tool calls answer.

Covers the vocabulary structured output uses. A schema it cannot satisfy raises Unsatisfiable, which the caller turns
into the upstream's own complaint.
"""

import re
from collections.abc import Callable
from typing import Any

Keywords = dict[str, Any]  # the keywords of an object schema: values of any kind
Schema = Any  # a schema is an object or a boolean
Value = Any  # any JSON value
Fill = Callable[[str, Keywords], Value | None]  # property name and its schema → a fitting value, or None

_DEPTH = 24
_LARGEST = 10_000  # values and characters; a schema that wants more is answered like one that cannot be met
_MALFORMED = (TypeError, KeyError, AttributeError, ArithmeticError, RecursionError, re.error)
_FORMATS = {
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "time": "12:00:00Z",
    "email": "ada@example.com",
    "uri": "https://example.com/",
    "uuid": "3f2b8c1e-0d4a-4c6b-9a7e-5d1f2e3c4b5a",
    "ipv4": "192.0.2.1",
    "hostname": "example.com",
}


class Unsatisfiable(ValueError):
    """No value was found for a schema."""


def fill_nothing(_name: str, _schema: Keywords) -> Value | None:
    """The Fill that has no ideas of its own."""
    return None


def minimal_instance(schema: Schema, fill: Fill = fill_nothing) -> Value:
    """A value for the schema: required properties and those `fill` knows. Raises Unsatisfiable."""
    try:
        return _Builder(schema, fill).build(schema, "", _DEPTH)
    except _MALFORMED as trouble:
        raise Unsatisfiable(f"not a schema: {trouble}") from trouble


class _Builder:
    def __init__(self, root: Schema, fill: Fill) -> None:
        self._root = root
        self._fill = fill
        self._built = 0

    def build(self, schema: Schema, name: str, depth: int) -> Value:
        self._built += 1
        if schema is False or depth == 0 or self._built > _LARGEST:
            raise Unsatisfiable(name or "schema")
        if schema is True or schema == {}:
            return self._known(name, {}) or "value"
        if not isinstance(schema, dict):
            raise Unsatisfiable(f"{name}: a schema is an object")
        schema = self._flattened(schema, depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._choice(schema, name)
        known = self._known(name, schema)
        return self._typed(schema, name, depth) if known is None else known

    def _known(self, name: str, schema: Keywords) -> Value | None:
        return self._fill(name, schema) if name else None

    def _choice(self, schema: Keywords, name: str) -> Value:
        options = schema["enum"]
        if not isinstance(options, list) or not options:
            raise Unsatisfiable(f"{name}: empty enum")
        known = self._known(name, schema)
        return known if known in options else options[0]

    def _flattened(self, schema: Keywords, depth: int) -> Keywords:
        if "$ref" in schema:
            target = self._referenced(schema["$ref"])
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            return self._flattened({**target, **rest}, depth - 1) if depth else self._give_up()
        for word in ("anyOf", "oneOf"):
            if schema.get(word):
                rest = {key: value for key, value in schema.items() if key != word}
                return self._flattened(_merged(rest, self._first_possible(schema[word], depth)), depth - 1)
        if schema.get("allOf"):
            merged = {key: value for key, value in schema.items() if key != "allOf"}
            for part in schema["allOf"]:
                merged = _merged(merged, self._flattened(part, depth - 1) if isinstance(part, dict) else {})
            return merged
        return schema

    def _give_up(self) -> Keywords:
        raise Unsatisfiable("a reference without end")

    def _referenced(self, reference: str) -> Keywords:
        node = self._root
        for step in reference.removeprefix("#").strip("/").split("/") if reference != "#" else ():
            step = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(node, dict) or step not in node:
                raise Unsatisfiable(f"unknown reference {reference}")
            node = node[step]
        return node if isinstance(node, dict) else {}

    def _first_possible(self, options: list[Schema], depth: int) -> Keywords:
        for option in options:
            try:
                self.build(option, "", depth - 1)
            except Unsatisfiable:
                continue
            return option if isinstance(option, dict) else {}
        raise Unsatisfiable("no alternative fits")

    def _typed(self, schema: Keywords, name: str, depth: int) -> Value:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = kind[0] if kind else None
        if kind is None:
            kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, name, depth)
            case "string":
                return _string(schema, name)
            case "integer" | "number":
                return _number(schema, is_integer=kind == "integer")
            case "boolean":
                return True
            case "null":
                return None
        raise Unsatisfiable(f"{name}: unknown type {kind}")

    def _object(self, schema: Keywords, depth: int) -> Value:
        properties = schema.get("properties", {})
        built = {}
        for name in [*properties, *(name for name in schema.get("required", []) if name not in properties)]:
            if name in schema.get("required", []):
                built[name] = self.build(properties.get(name, True), name, depth - 1)
            elif isinstance(properties[name], dict):
                known = self._fill(name, properties[name])
                if known is not None:
                    built[name] = known
        return built

    def _array(self, schema: Keywords, name: str, depth: int) -> Value:
        least = max(1, schema.get("minItems", 0))
        if "maxItems" in schema and schema["maxItems"] < least:
            if schema["maxItems"] < schema.get("minItems", 0):
                raise Unsatisfiable(f"{name}: no length fits")
            return []
        if least > _LARGEST:
            raise Unsatisfiable(f"{name}: too many")
        prefix = [self.build(item, name, depth - 1) for item in schema.get("prefixItems", [])]
        items = schema.get("items", True)
        return prefix + [self.build(items, name, depth - 1) for _ in range(least - len(prefix))]


def _merged(left: Keywords, right: Keywords) -> Keywords:
    merged = {**left, **right}
    if "properties" in left and "properties" in right:
        merged["properties"] = {**left["properties"], **right["properties"]}
    if "required" in left and "required" in right:
        merged["required"] = list(dict.fromkeys([*left["required"], *right["required"]]))
    return merged


def _string(schema: Keywords, name: str) -> str:
    text = _FORMATS.get(schema.get("format", ""), name.replace("_", " ") or "text")
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if most is not None and most < least:
        raise Unsatisfiable(f"{name}: no length fits")
    if least > _LARGEST:
        raise Unsatisfiable(f"{name}: too long")
    text = (text + " " + "text " * (least // 5 + 1))[: max(least, len(text))] if len(text) < least else text
    text = text if most is None else text[:most]
    if "pattern" in schema and not re.search(schema["pattern"], text):
        raise Unsatisfiable(f"{name}: pattern")
    return text


def _number(schema: Keywords, *, is_integer: bool) -> float:
    low: float | None = schema.get("minimum", schema.get("exclusiveMinimum"))
    high: float | None = schema.get("maximum", schema.get("exclusiveMaximum"))
    step: float = schema.get("multipleOf", 1 if is_integer else 0.5)
    value: float = -(-low // step) * step if low is not None else high // step * step if high is not None else step
    if value == schema.get("exclusiveMinimum"):
        value += step
    if value == schema.get("exclusiveMaximum"):
        value -= step
    if (high is not None and value > high) or (low is not None and value < low):
        raise Unsatisfiable("no number fits")
    return int(value) if value == int(value) else value
