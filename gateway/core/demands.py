"""What a call asks of the model besides its messages, and how it is said to a model that has no parameter for it.

A schema without native JSON mode, a call that must be made: they become sentences of the system message. Whoever
counts a prompt counts them, whoever writes one adds them; both take them from here.
"""

import msgspec

from gateway.core.call import Call, ResponseFormat, Tool

_encode = msgspec.json.Encoder().encode


def allowed_tools(call: Call) -> tuple[Tool, ...]:
    """The tools the model may call: none under `tool_choice: none`, only the named ones where it names some."""
    if not call.tools or call.tool_choice.mode == "none":
        return ()
    names = call.tool_choice.names
    return tuple(tool for tool in call.tools if not names or tool.name in names)


def describe_demands(call: Call, *, describe_format: bool) -> str:
    """The sentences for the system message, empty where the call demands nothing special."""
    if not call.tools and call.response_format is None:
        return ""
    found: list[str] = []
    tools = allowed_tools(call)
    if tools and call.tool_choice.mode == "required":
        names = ", ".join(tool.name for tool in tools)
        found.append(f"You must answer by calling one of these functions, and with nothing else: {names}.")
    if tools and not call.parallel_tool_calls:
        found.append("Call at most one function.")
    if describe_format and call.response_format is not None:
        found.append(_describe_format(call.response_format))
    return "\n\n".join(found)


def _describe_format(wanted: ResponseFormat) -> str:
    only = "no explanation, no Markdown, nothing before or after it"
    if wanted.schema is None:
        return f"Answer with one JSON object and nothing else: {only}."
    schema = _encode(wanted.schema).decode()
    return f"Answer with one JSON value that is valid under this JSON Schema, {only}:\n{schema}"
