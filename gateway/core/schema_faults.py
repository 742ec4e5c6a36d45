"""Finds what keeps a stranger's JSON Schema from being used: draft 2020-12's own rules, and a few of ours.

The rules are the draft's metaschema as a table. Walking a schema with jsonschema and the metaschema costs 5 ms for ten
properties and seconds for thousands, on the event loop; this takes microseconds. Tests hold it against the metaschema.
Ours: nothing outside of the document, no keyword whose evaluation cannot be bounded, at most 20,000 members.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from gateway.core.pattern_cost import is_cheap

_MAX_MEMBERS = 20_000
_PROPERTY_NAME_CHARS = 2_000  # names a model makes up are shorter
_SHOWN_CHARS = 200
_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_is_anchor = re.compile(r"[A-Za-z_][-A-Za-z0-9._]*").fullmatch

Path = tuple[str | int, ...]
Fault = tuple[Path, str]
Waiting = list[tuple[Path, Any]]  # any JSON values, yet to be examined as schemas


def find_schema_fault(schema: Any) -> str | None:  # any JSON value: that is the question
    """Why `schema` is not a JSON Schema (draft 2020-12) that can be used here, in OpenAI's wording; None if it is."""
    waiting: Waiting = [((), schema)]
    members = 0
    while waiting:
        path, found = waiting.pop()
        members += len(found) if isinstance(found, dict) else 0
        if members + len(waiting) > _MAX_MEMBERS:
            return f"In context=(), the schema has more than {_MAX_MEMBERS} members."
        fault = _examine(path, found, waiting)
        if fault is not None:
            context = repr(fault[0])
            context = context if len(context) <= _SHOWN_CHARS else f"{context[:_SHOWN_CHARS]}..."
            return f"In context={context}, {fault[1]}."
    return None


def _examine(path: Path, schema: Any, waiting: Waiting) -> Fault | None:  # any JSON value
    """The fault of one schema itself; the schemas in it are put on `waiting`."""
    if isinstance(schema, bool):
        return None
    if not isinstance(schema, dict):
        return path, f"{_show(schema)} is not of type 'object', 'boolean'"
    for keyword, value in schema.items():
        here = (*path, keyword)
        check = _VALUES.get(keyword)
        if check is not None:
            message = check(value)
            if message is not None:
                return here, message
        inner = _INNER.get(keyword)
        if inner is not None:
            message = inner(here, value, waiting)
            if message is not None:
                return here, message
    return None


def _show(value: Any) -> str:  # any JSON value
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    if isinstance(value, int) and value.bit_length() > 256:
        return "a huge integer"
    text = repr(value[:_SHOWN_CHARS]) if isinstance(value, str) else str(value)
    return text if not isinstance(value, str) or len(value) <= _SHOWN_CHARS else f"{text}..."


def _is_string(value: Any) -> str | None:  # any JSON value, as in all of these
    return None if isinstance(value, str) else f"{_show(value)} is not of type 'string'"


def _is_boolean(value: Any) -> str | None:  # any JSON value
    return None if isinstance(value, bool) else f"{_show(value)} is not of type 'boolean'"


def _is_array(value: Any) -> str | None:  # any JSON value
    return None if isinstance(value, list) else f"{_show(value)} is not of type 'array'"


def _is_number(value: Any) -> str | None:  # any JSON value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return None
    return f"{_show(value)} is not of type 'number'"


def _is_positive(value: Any) -> str | None:  # any JSON value
    return _is_number(value) or (None if value > 0 else f"{_show(value)} is not above 0")


def _is_count(value: Any) -> str | None:  # any JSON value
    if _is_number(value) or (isinstance(value, float) and not value.is_integer()):
        return f"{_show(value)} is not of type 'integer'"
    return None if value >= 0 else f"{_show(value)} is less than the minimum of 0"


def _is_names(value: Any) -> str | None:  # any JSON value
    if not isinstance(value, list):
        return f"{_show(value)} is not of type 'array'"
    for name in value:
        if not isinstance(name, str):
            return f"{_show(name)} is not of type 'string'"
    return None if len(set(value)) == len(value) else "the array has an element twice"


def _is_type(value: Any) -> str | None:  # any JSON value
    words = value if isinstance(value, list) else [value]
    if not words:
        return "the array is empty"
    for word in words:
        if not isinstance(word, str) or word not in _TYPES:
            return f"{_show(word)} is not valid under any of the given schemas"
    return _is_names(words)


def _is_pattern(value: Any) -> str | None:  # any JSON value
    if not isinstance(value, str):
        return f"{_show(value)} is not of type 'string'"
    try:
        re.compile(value)
    except (re.error, RecursionError, OverflowError):
        return f"{_show(value)} is not a 'regex'"
    return None


def _is_anchor_name(value: Any) -> str | None:  # any JSON value
    if isinstance(value, str) and _is_anchor(value):
        return None
    return f"{_show(value)} is not the name of an anchor"


def _is_reference(value: Any) -> str | None:  # any JSON value
    if not isinstance(value, str):
        return f"{_show(value)} is not of type 'string'"
    return None if value.startswith("#") else f"reference {_show(value)} points outside of the schema"


def _is_id(value: Any) -> str | None:  # any JSON value
    if not isinstance(value, str):
        return f"{_show(value)} is not of type 'string'"
    return f"{_show(value)} has a fragment" if "#" in value[:-1] else None


def _is_not_permitted(value: Any) -> str | None:  # any JSON value
    return "the keyword is not permitted"


_VALUES: Mapping[str, Callable[[Any], str | None]] = {  # of any JSON value
    **dict.fromkeys(("title", "description", "$comment", "format", "contentEncoding", "contentMediaType"), _is_string),
    **dict.fromkeys(("uniqueItems", "deprecated", "readOnly", "writeOnly"), _is_boolean),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"), _is_number),
    **dict.fromkeys(("maxLength", "minLength", "maxItems", "minItems", "maxContains", "minContains"), _is_count),
    **dict.fromkeys(("maxProperties", "minProperties"), _is_count),
    **dict.fromkeys(("enum", "examples"), _is_array),
    **dict.fromkeys(("$ref", "$dynamicRef"), _is_reference),
    **dict.fromkeys(("$anchor", "$dynamicAnchor"), _is_anchor_name),
    # The first two gather what was evaluated below by following references in a way that cannot be counted; with the
    # others a schema is no longer one document of one draft.
    **dict.fromkeys(("unevaluatedProperties", "unevaluatedItems"), _is_not_permitted),
    **dict.fromkeys(("$vocabulary", "$recursiveRef", "$recursiveAnchor"), _is_not_permitted),
    "$id": _is_id,
    "$schema": _is_string,
    "multipleOf": _is_positive,
    "required": _is_names,
    "type": _is_type,
    "pattern": _is_pattern,
}
"""What the value of a keyword must be, where it holds no schemas."""


def _schema(path: Path, value: Any, waiting: Waiting) -> str | None:  # any JSON value
    waiting.append((path, value))
    return None


def _schemas(path: Path, value: Any, waiting: Waiting) -> str | None:  # any JSON value
    if not isinstance(value, list):
        return f"{_show(value)} is not of type 'array'"
    waiting.extend(((*path, position), member) for position, member in enumerate(value))
    return None if value else "the array is empty"


def _named_schemas(path: Path, value: Any, waiting: Waiting) -> str | None:  # any JSON value
    if not isinstance(value, dict):
        return f"{_show(value)} is not of type 'object'"
    waiting.extend(((*path, name), member) for name, member in value.items())
    return None


def _patterned_schemas(path: Path, value: Any, waiting: Waiting) -> str | None:  # any JSON value
    return _named_schemas(path, value, waiting) or next(filter(None, map(_property_pattern_fault, value)), None)


def _property_pattern_fault(pattern: str) -> str | None:
    if is_cheap(pattern, _PROPERTY_NAME_CHARS):
        return _is_pattern(pattern)
    return f"the property pattern {_show(pattern)} may take too long to match"


def _names_by_property(path: Path, value: Any, waiting: Waiting) -> str | None:  # any JSON value
    if not isinstance(value, dict):
        return f"{_show(value)} is not of type 'object'"
    return next(filter(None, map(_is_names, value.values())), None)


def _dependencies(path: Path, value: Any, waiting: Waiting) -> str | None:  # any JSON value
    if not isinstance(value, dict):
        return f"{_show(value)} is not of type 'object'"
    waiting.extend(((*path, name), member) for name, member in value.items() if not isinstance(member, list))
    return next(filter(None, (_is_names(member) for member in value.values() if isinstance(member, list))), None)


_INNER: Mapping[str, Callable[[Path, Any, Waiting], str | None]] = {  # of any JSON value
    **dict.fromkeys(("items", "contains", "additionalProperties", "propertyNames", "contentSchema"), _schema),
    **dict.fromkeys(("not", "if", "then", "else"), _schema),
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), _schemas),
    **dict.fromkeys(("properties", "$defs", "definitions", "dependentSchemas"), _named_schemas),
    "patternProperties": _patterned_schemas,
    "dependentRequired": _names_by_property,
    "dependencies": _dependencies,
}
"""Where the schemas inside a schema are."""
