"""Reads `response_format`: plain text, any JSON object, or JSON that fits a schema.

The schema is checked here, once, so that nobody behind has to ask whether it is one. OpenAI's additional rules for
`strict` schemas are not enforced: the gateway validates answers against whatever valid schema it is given.
"""

from collections.abc import Iterable
from typing import Any

from gateway.core.call import Message, ResponseFormat
from gateway.core.errors import InvalidRequest
from gateway.core.schema_faults import find_schema_fault
from gateway.surfaces.chat import refusals
from gateway.surfaces.chat.readers import check_encodable, read_choice, read_name, read_object, read_text, required

_KINDS = ("text", "json_object", "json_schema")


def read_response_format(value: Any, path: str) -> ResponseFormat | None:  # any JSON value a client sent
    """None for plain text. Raises `InvalidRequest`, also for what is not a JSON Schema."""
    if type(value) is not dict:
        raise refusals.wrong_type(path, "an object", value)
    kind = read_choice(required(value, "type", path), f"{path}.type", _KINDS)
    if kind == "text":
        return None
    if kind == "json_object":
        return ResponseFormat("json_object")
    return _read_schema(required(value, "json_schema", path), f"{path}.json_schema", path)


def _read_schema(value: Any, path: str, param: str) -> ResponseFormat:  # any JSON value a client sent
    wrapper = read_object(value, path)
    name = read_name(required(wrapper, "name", path), f"{path}.name")
    schema = wrapper.get("schema")
    if schema is None:
        schema = {}
    if type(schema) is not dict and type(schema) is not bool:
        raise refusals.wrong_type(f"{path}.schema", "an object", schema)
    check_encodable(schema, f"{path}.schema")
    fault = find_schema_fault(schema)
    if fault is not None:
        raise InvalidRequest(f"Invalid schema for response_format '{name}': {fault}", param=param)
    description = wrapper.get("description")
    if description is not None and type(schema) is dict:  # what the format is for belongs where a model can read it
        schema = {"description": read_text(description, f"{path}.description"), **schema}
    return ResponseFormat("json_schema", name, schema)


def check_json_is_mentioned(messages: Iterable[Message]) -> None:
    """Without the word a model asked for any JSON object may write blanks for ever, so OpenAI refuses; so do we."""
    if not any("json" in message.content.lower() for message in messages):
        text = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        raise InvalidRequest(text, param="messages")
