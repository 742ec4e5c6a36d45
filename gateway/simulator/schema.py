"""Checks a request body against a model's published input schema and words the complaints as the upstream does.

Decides only; the refusal around the complaints is built elsewhere. Unknown fields pass, as they do upstream.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from gateway.simulator.models import InputRules

Schema = dict[str, Any]  # a JSON Schema node has no fixed shape
Value = Any  # any JSON value: finding out is the job here

_TEXT: Schema = {"type": "string"}


def _object(properties: Schema, *required: str) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required)}


def _sampling(rules: InputRules) -> Schema:
    penalty = {"type": "number", "minimum": rules.penalty_minimum, "maximum": 2}
    return {
        "stream": {"type": "boolean"},
        "max_tokens": {"type": "integer"},
        "temperature": {"type": "number", "minimum": 0, "maximum": 5},
        "top_p": {"type": "number", "minimum": rules.top_p[0], "maximum": rules.top_p[1]},
        "top_k": {"type": "integer", "minimum": 1, "maximum": 50},
        "seed": {"type": "integer", "minimum": 1, "maximum": 9_999_999_999},
        "repetition_penalty": {"type": "number", "minimum": 0, "maximum": 2},
        "frequency_penalty": penalty,
        "presence_penalty": penalty,
    }


def _tool() -> Schema:
    argument = _object({"type": _TEXT, "description": _TEXT}, "type", "description")
    parameters = _object(
        {
            "type": _TEXT,
            "required": {"type": "array", "items": _TEXT},
            "properties": {"type": "object", "additionalProperties": argument},
        },
        "type",
        "properties",
    )
    flat = _object({"name": _TEXT, "description": _TEXT, "parameters": parameters}, "name", "description", "parameters")
    return {"oneOf": [flat, _object({"type": _TEXT, "function": flat}, "type", "function")]}


@cache
def input_schema(rules: InputRules) -> Schema:
    """The two forms of a request body, `prompt` and `messages`; exactly one must match."""
    text = _TEXT if rules.text_limit is None else {"type": "string", "maxLength": rules.text_limit}
    shared = _sampling(rules)
    if rules.response_format:
        shared["response_format"] = _object({"type": {"type": "string", "enum": ["json_object", "json_schema"]}})
    if rules.image:
        numbers = {"type": "array", "items": {"type": "number"}}
        shared["image"] = {"oneOf": [numbers, _TEXT]}
    prompt = {"prompt": {**text, "minLength": 1}, "lora": _TEXT, "raw": {"type": "boolean"}, **shared}
    messages = {
        "messages": {"type": "array", "items": _object({"role": _TEXT, "content": text}, "role", "content")},
        "functions": {"type": "array", "items": _object({"name": _TEXT, "code": _TEXT}, "name", "code")},
        "tools": {"type": "array", "items": _tool()},
        **({"raw": {"type": "boolean"}} if rules.raw_messages else {}),
        **shared,
    }
    return {"oneOf": [_object(prompt, "prompt"), _object(messages, "messages")]}


def complaints(body: Value, rules: InputRules) -> str | None:
    """Why a body is refused, in the upstream's words; None where it is accepted."""
    found = list(dict.fromkeys(_check(body, input_schema(rules), "")))
    if not found:
        return None
    return found[0]


def _check(value: Value, schema: Schema, path: str) -> Iterator[str]:
    if "oneOf" in schema:
        yield from _check_one_of(value, schema["oneOf"], path)
        return
    expected = schema["type"]
    if not _has_type(value, expected):
        yield f"Type mismatch of '{path or '/'}', '{_type_name(value)}' not in '{expected}'"
        return
    yield from _CHECKS[expected](value, schema, path)


def _check_one_of(value: Value, options: list[Schema], path: str) -> Iterator[str]:
    results = [list(_check(value, option, path)) for option in options]
    matches = sum(not result for result in results)
    if matches == 1:
        return
    reasons = dict.fromkeys(reason for result in results for reason in result)
    tail = f": {', '.join(reasons)}" if reasons else ""
    yield f"oneOf at '{path or '/'}' not met, {matches} matches{tail}"


def _check_object(value: dict[str, Value], schema: Schema, path: str) -> Iterator[str]:
    for name, inner in schema.get("properties", {}).items():
        if name in value:
            yield from _check(value[name], inner, f"{path}/{name}")
    if "additionalProperties" in schema:
        for name, member in value.items():
            yield from _check(member, schema["additionalProperties"], f"{path}/{name}")
    required = schema.get("required", [])
    if any(name not in value for name in required):
        yield f"required properties at '{path or '/'}' are '{','.join(required)}'"


def _check_array(value: list[Value], schema: Schema, path: str) -> Iterator[str]:
    for index, item in enumerate(value):
        yield from _check(item, schema["items"], f"{path}/{index}")


def _check_string(value: str, schema: Schema, path: str) -> Iterator[str]:
    if "enum" in schema and value not in schema["enum"]:
        yield f"enum {value} not in {','.join(schema['enum'])} at '{path}'"
    if len(value) < schema.get("minLength", 0):
        yield f"Length of '{path}' must be >= {schema['minLength']} not met"
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        yield f"Length of '{path}' must be <= {schema['maxLength']}"


def _check_number(value: float, schema: Schema, path: str) -> Iterator[str]:
    if "minimum" in schema and value < schema["minimum"]:
        yield f"'{path}' must be >= {schema['minimum']}"
    if "maximum" in schema and value > schema["maximum"]:
        yield f"'{path}' must be <= {schema['maximum']}"


def _check_nothing(_value: Value, _schema: Schema, _path: str) -> Iterator[str]:
    return iter(())


_CHECKS: dict[str, Callable[[Value, Schema, str], Iterator[str]]] = {
    "object": _check_object,
    "array": _check_array,
    "string": _check_string,
    "number": _check_number,
    "integer": _check_number,
    "boolean": _check_nothing,
}

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "number": (int, float),
}


def _has_type(value: Value, expected: str) -> bool:
    if expected == "integer":
        return type(value) is int or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool):
        return expected == "boolean"
    return isinstance(value, _PYTHON_TYPES[expected])


def _type_name(value: Value) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return next(name for name, types in _PYTHON_TYPES.items() if isinstance(value, types))
