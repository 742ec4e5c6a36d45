"""What the model gets to read: the turns of a call, in words an 8B model's template knows.

Its schema knows role and content, content always a string. So calls and results of tools are also written into the
content, one call per turn (Llama's template refuses more), and demands that have no parameter upstream (a schema
without JSON mode, a call that must be made) become sentences of the system message.
"""

from typing import Any

import msgspec

from gateway.core.answer import ToolCall
from gateway.core.call import Call, Message, ResponseFormat
from gateway.core.catalog import Template
from gateway.upstreams.workers_ai.tool_calls import allowed_tools

Turn = dict[str, Any]  # a JSON object of the upstream's schema, encoded at once

_HEADER = "<|start_header_id|>{role}<|end_header_id|>\n\n{content}<|eot_id|>"
_CUTOFF = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"
"""The block Llama 3.1's published template puts before every system text; its date is the template's default."""


def turns(call: Call, *, describe_format: bool) -> list[Turn]:
    """`messages` for the upstream; `describe_format` where the answer's format has to be asked for in words."""
    names = {made.id: made.name for message in call.messages for made in message.tool_calls}
    found = [_turn(message, names) for message in _one_call_per_turn(call.messages)]
    demands = _demands(call, describe_format=describe_format)
    if demands and found and found[0]["role"] == "system":
        found[0]["content"] = "\n\n".join([part for part in (found[0]["content"],) if part] + demands)
    elif demands:
        found.insert(0, {"role": "system", "content": "\n\n".join(demands)})
    return found


def plain_prompt(call: Call) -> str:
    """The contents alone, one after the other: for `raw` calls, which bring their own template."""
    return "\n".join(message.content for message in call.messages)


def templated_prompt(found: list[Turn], template: Template) -> str:
    """The turns rendered with the model family's own template, ready for the assistant to go on."""
    if template == "llama3.1":
        has_system = bool(found) and found[0]["role"] == "system"
        system = found[0]["content"].strip() if has_system else ""
        found = [{"role": "system", "content": _CUTOFF + system}, *found[has_system:]]
        roles = {"tool": "ipython"}
    else:
        roles = {}
    rendered = [
        _HEADER.format(role=roles.get(turn["role"], turn["role"]), content=_stripped(turn, place))
        for place, turn in enumerate(found)
    ]
    return "<|begin_of_text|>" + "".join(rendered) + "<|start_header_id|>assistant<|end_header_id|>\n\n"


def _stripped(turn: Turn, place: int) -> str:
    content: str = turn["content"]
    is_cutoff_block = place == 0 and content.startswith(_CUTOFF)  # it ends with blank lines that count
    return content if is_cutoff_block else content.strip()


def _one_call_per_turn(messages: tuple[Message, ...]) -> list[Message]:
    """Turns with several calls as several turns, each followed by the results of its call."""
    found: list[Message] = []
    at = 0
    while at < len(messages):
        message = messages[at]
        at += 1
        if len(message.tool_calls) < 2:
            found.append(message)
            continue
        results: list[Message] = []
        while at < len(messages) and messages[at].role == "tool":
            results.append(messages[at])
            at += 1
        content = message.content
        for made in message.tool_calls:
            found.append(Message("assistant", content, (made,)))
            found.extend(result for result in results if result.tool_call_id == made.id)
            content = ""
        ids = {made.id for made in message.tool_calls}
        found.extend(result for result in results if result.tool_call_id not in ids)
    return found


def _turn(message: Message, names: dict[str, str]) -> Turn:
    turn: Turn = {"role": message.role, "content": message.content}
    if message.tool_calls:
        made = message.tool_calls[0]
        turn["content"] = f"{message.content}\n{_as_text(made)}" if message.content else _as_text(made)
        function = {"name": made.name, "arguments": made.arguments}
        turn["tool_calls"] = [{"id": made.id, "type": "function", "function": function}]
    if message.role == "tool":
        name = message.name or names.get(message.tool_call_id or "")
        if message.tool_call_id:
            turn["tool_call_id"] = message.tool_call_id
        if name:
            turn["name"] = name
    return turn


def _as_text(made: ToolCall) -> str:
    """A call as Llama 3.1 writes it; arguments that are not JSON stay what they are, as a string."""
    name = msgspec.json.encode(made.name).decode()
    try:
        msgspec.json.decode(made.arguments)
        arguments = made.arguments
    except (ValueError, RecursionError):
        arguments = msgspec.json.encode(made.arguments).decode() if made.arguments.strip() else "{}"
    return f'{{"name": {name}, "parameters": {arguments}}}'


def _demands(call: Call, *, describe_format: bool) -> list[str]:
    found: list[str] = []
    tools = allowed_tools(call)
    if tools and call.tool_choice.mode == "required":
        names = ", ".join(tool.name for tool in tools)
        found.append(f"You must answer by calling one of these functions, and with nothing else: {names}.")
    if tools and not call.parallel_tool_calls:
        found.append("Call at most one function.")
    if describe_format and call.response_format is not None:
        found.append(_format_in_words(call.response_format))
    return found


def _format_in_words(wanted: ResponseFormat) -> str:
    only = "no explanation, no Markdown, nothing before or after it"
    if wanted.schema is None:
        return f"Answer with one JSON object and nothing else: {only}."
    schema = msgspec.json.encode(wanted.schema).decode()
    return f"Answer with one JSON value that is valid under this JSON Schema, {only}:\n{schema}"
