"""Reads what a model may call and must call: tools, the legacy functions, and the choice among them.

Both published shapes of a tool become one `Tool`. It does not judge a tool's JSON Schema beyond its root: a model
reads it as text, and checking hundreds of properties on every turn of an agent would cost more than the rest.
"""

from collections.abc import Iterable
from typing import Any

from gateway.core.call import Tool, ToolChoice
from gateway.core.errors import InvalidRequest
from gateway.surfaces.chat import refusals
from gateway.surfaces.chat.readers import (
    check_encodable,
    read_array,
    read_choice,
    read_name,
    read_object,
    read_text,
    required,
)

MAX_TOOLS = 128  # OpenAI's own limit

Toolbox = tuple[tuple[Tool, ...], tuple[str, ...]]
"""The tools, and the names of the tool fields that have no effect."""

_USED_FIELDS = frozenset({"type", "function", "name", "description", "parameters"})
_MODES = ("none", "auto", "required")
_KINDS = ("function", "allowed_tools", "custom")


def read_tools(value: Any, path: str) -> Toolbox:  # any JSON value a client sent
    """Every tool in order; an empty array offers none. Raises `InvalidRequest` at the first that is wrong."""
    ignored: dict[str, None] = {}
    items = read_array(value, path, MAX_TOOLS, "an array of objects")
    tools = tuple(_read_tool(item, f"{path}[{position}]", ignored) for position, item in enumerate(items))
    return tools, tuple(ignored)


def read_functions(value: Any, path: str) -> Toolbox:  # any JSON value a client sent
    """The legacy form: an array of bare functions."""
    ignored: dict[str, None] = {}
    tools: list[Tool] = []
    for position, item in enumerate(read_array(value, path, MAX_TOOLS, "an array of objects")):
        where = f"{path}[{position}]"
        function = read_object(item, where)
        _refuse_code(function, where)
        tools.append(_read_function(function, where, "functions[]", ignored))
    return tuple(tools), tuple(ignored)


def _read_tool(value: Any, path: str, ignored: dict[str, None]) -> Tool:  # any JSON value a client sent
    tool = read_object(value, path)
    _refuse_code(tool, path)
    kind = tool.get("type")
    if kind is not None and kind != "function":
        if read_text(kind, f"{path}.type") == "custom":
            raise refusals.unsupported_value(f"{path}.type", kind, ("function",))
        raise refusals.wrong_value(f"{path}.type", kind, ("function", "custom"))
    nested = tool.get("function")
    if nested is None:
        if "name" not in tool:  # neither shape: say what OpenAI's would need
            raise refusals.missing(f"{path}.function" if kind else f"{path}.type")
        return _read_function(tool, path, "tools[]", ignored)
    function = read_object(nested, f"{path}.function")
    _refuse_code(function, f"{path}.function")
    ignored.update((f"tools[].{key}", None) for key in tool if key not in _USED_FIELDS and tool[key])
    return _read_function(function, f"{path}.function", "tools[].function", ignored)


def _refuse_code(tool: dict[str, Any], path: str) -> None:  # unread members
    # Workers AI has functions with JavaScript in them; running a client's code is no business of a gateway.
    if tool.get("code") is not None:
        raise refusals.unsupported_parameter(f"{path}.code")


def _read_function(function: dict[str, Any], path: str, shown: str, ignored: dict[str, None]) -> Tool:  # unread members
    name = read_name(required(function, "name", path), f"{path}.name")
    description = function.get("description")
    text = "" if description is None else read_text(description, f"{path}.description")
    ignored.update((f"{shown}.{key}", None) for key in function if key not in _USED_FIELDS and function[key])
    return Tool(name, text, _read_parameters(function.get("parameters"), f"{path}.parameters", name))


def _read_parameters(value: Any, path: str, name: str) -> dict[str, Any]:  # a client's JSON Schema
    if value is None:
        return {}
    schema = read_object(value, path)
    check_encodable(schema, path)
    kind = schema.get("type")
    if kind is not None and kind != "object":
        text = f"Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"'"
        raise InvalidRequest(
            f"{text}, got 'type: \"{refusals.show(kind)}\"'.", param=path, code="invalid_function_parameters"
        )
    # Several code generators write null where they mean absent.
    return {key: member for key, member in schema.items() if member is not None}


def read_tool_choice(value: Any, path: str) -> ToolChoice:  # any JSON value a client sent
    """none, auto, required, the older any, one named function, or a set of allowed ones."""
    if type(value) is str:
        if value == "any":
            return ToolChoice("required")
        return _choice(read_choice(value, path, _MODES), ())
    if type(value) is not dict:
        raise refusals.wrong_type(path, "one of a string or object", value)
    kind = read_choice(required(value, "type", path), f"{path}.type", _KINDS)
    if kind == "custom":
        raise refusals.unsupported_value(f"{path}.type", kind, ("function", "allowed_tools"))
    if kind == "allowed_tools":
        return _read_allowed(value, path)
    return ToolChoice("required", (_read_named(value, path),))


def _read_allowed(value: dict[str, Any], path: str) -> ToolChoice:  # unread members
    where = path
    if value.get("allowed_tools") is not None:  # chat nests it, the Responses API does not
        where = f"{path}.allowed_tools"
        value = read_object(value["allowed_tools"], where)
    mode = read_choice(required(value, "mode", where), f"{where}.mode", ("auto", "required"))
    listed = read_array(required(value, "tools", where), f"{where}.tools", MAX_TOOLS, "an array of objects")
    if not listed:
        raise refusals.empty_array(f"{where}.tools")
    spots = ((item, f"{where}.tools[{position}]") for position, item in enumerate(listed))
    return _choice(mode, tuple(dict.fromkeys(_read_named(read_object(item, spot), spot) for item, spot in spots)))


def _read_named(value: dict[str, Any], path: str) -> str:  # unread members
    nested = value.get("function")
    if nested is None and "name" in value:
        return read_name(required(value, "name", path), f"{path}.name")
    if nested is None:
        raise refusals.missing(f"{path}.function")
    function = read_object(nested, f"{path}.function")
    return read_name(required(function, "name", f"{path}.function"), f"{path}.function.name")


def read_function_call(value: Any, path: str) -> ToolChoice:  # any JSON value a client sent
    """The legacy form: none, auto or one named function."""
    if type(value) is str:
        return _choice(read_choice(value, path, ("none", "auto")), ())
    if type(value) is not dict:
        raise refusals.wrong_type(path, "one of a string or object", value)
    return ToolChoice("required", (read_name(required(value, "name", path), f"{path}.name"),))


def _choice(mode: str, names: tuple[str, ...]) -> ToolChoice:
    if mode == "none":
        return ToolChoice("none", names)
    return ToolChoice("auto" if mode == "auto" else "required", names)


def check_choice(choice: ToolChoice, tools: Iterable[Tool], path: str, offered: str) -> None:
    """Every name of the choice is one of the tools. `offered` is the parameter they came in."""
    known = {tool.name for tool in tools}
    for name in choice.names:
        if name not in known:
            text = f"Invalid value for '{path}': function '{name}' not found in '{offered}' parameter."
            raise InvalidRequest(text, param=path)
