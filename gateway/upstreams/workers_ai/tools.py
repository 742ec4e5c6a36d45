"""Function definitions in the shape the catalogue's schemas accept.

Workers AI requires what OpenAI's clients freely leave out: a description, `parameters` of type object, and a type and
a description for every property. Fills these in and changes nothing else.
"""

from typing import Any, Literal

from gateway.core.call import Tool

Schema = dict[str, Any]  # a client's JSON Schema has no fixed shape


def outbound_tools(tools: tuple[Tool, ...], shape: Literal["openai", "flat"]) -> list[Schema]:
    """The definitions as the model takes them."""
    flat = [
        {"name": tool.name, "description": tool.description or tool.name, "parameters": _parameters(tool.parameters)}
        for tool in tools
    ]
    return flat if shape == "flat" else [{"type": "function", "function": function} for function in flat]


def _parameters(schema: Schema) -> Schema:
    properties = schema.get("properties")
    known = properties if isinstance(properties, dict) else {}
    filled = {**schema, "type": "object", "properties": {name: _property(name, known[name]) for name in known}}
    if "required" in schema:
        required = schema["required"]
        filled["required"] = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
        if not filled["required"]:
            del filled["required"]
    return filled


def _property(name: str, schema: object) -> Schema:
    found = schema if isinstance(schema, dict) else {}
    description = found.get("description")
    return {**found, "type": _type(found), "description": description if isinstance(description, str) else name}


def _type(schema: Schema) -> str:
    """One type word, as the published schema wants it: of a union, the first that is not null."""
    declared = schema.get("type")
    if isinstance(declared, str):
        return declared
    if isinstance(declared, list):
        return next((word for word in declared if isinstance(word, str) and word != "null"), "string")
    for key in ("anyOf", "oneOf", "allOf"):
        branches = schema.get(key)
        if isinstance(branches, list):
            words = [_type(branch) for branch in branches if isinstance(branch, dict) and branch.get("type") != "null"]
            return words[0] if words else "string"
    implied = {"properties": "object", "additionalProperties": "object", "items": "array"}
    return next((word for key, word in implied.items() if key in schema), "string")
