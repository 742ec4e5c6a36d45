"""What the model gets to read: the turns of a call, in words an 8B model's template knows.

Its schema knows role and content, content always a string. So calls and results of tools are also written into the
content, one call per turn (Llama's template refuses more), and demands that have no parameter upstream (a schema
without JSON mode, a call that must be made) become sentences of the system message.
"""

from dataclasses import replace
from typing import Any

import msgspec

from gateway.core.answer import ToolCall
from gateway.core.call import Call, Message
from gateway.core.demands import describe_demands
from gateway.core.templates import show_message

Turn = dict[str, Any]  # a JSON object of the upstream's schema, encoded at once


def spoken(call: Call, *, describe_format: bool) -> list[Message]:
    """The messages to send; `describe_format` where the answer's format has to be asked for in words."""
    found = _one_call_per_turn(call.messages)
    demands = describe_demands(call, describe_format=describe_format)
    if demands and found and found[0].role == "system":
        found[0] = replace(found[0], content="\n\n".join(filter(None, (found[0].content, demands))))
    elif demands:
        found.insert(0, Message("system", demands))
    return found


def turns(messages: list[Message]) -> list[Turn]:
    """`messages` of the request's body."""
    names = {made.id: made.name for message in messages for made in message.tool_calls}
    return [_turn(message, names) for message in messages]


def _one_call_per_turn(messages: tuple[Message, ...]) -> list[Message]:
    """Turns with several calls as several turns, each followed by the results of its call."""
    if not any(message.tool_calls for message in messages):
        return list(messages)
    found: list[Message] = []
    at = 0
    while at < len(messages):
        message = messages[at]
        at += 1
        calls = tuple(_with_json_arguments(made) for made in message.tool_calls)
        if len(calls) < 2:
            found.append(replace(message, tool_calls=calls))
            continue
        results: list[Message] = []
        while at < len(messages) and messages[at].role == "tool":
            results.append(messages[at])
            at += 1
        content = message.content
        for made in calls:
            found.append(Message("assistant", content, (made,)))
            found.extend(result for result in results if result.tool_call_id == made.id)
            content = ""
        ids = {made.id for made in calls}
        found.extend(result for result in results if result.tool_call_id not in ids)
    return found


def _turn(message: Message, names: dict[str, str]) -> Turn:
    turn: Turn = {"role": message.role, "content": show_message(message)}
    for made in message.tool_calls:
        function = {"name": made.name, "arguments": made.arguments}
        turn["tool_calls"] = [{"id": made.id, "type": "function", "function": function}]
    if message.role == "tool":
        name = message.name or names.get(message.tool_call_id or "")
        if message.tool_call_id:
            turn["tool_call_id"] = message.tool_call_id
        if name:
            turn["name"] = name
    return turn


def _with_json_arguments(made: ToolCall) -> ToolCall:
    """Clients send back what they made of a call: arguments that are not JSON are shown as a string, none as {}."""
    try:
        msgspec.json.decode(made.arguments)
    except (ValueError, RecursionError):
        text = msgspec.json.encode(made.arguments).decode() if made.arguments.strip() else "{}"
        return ToolCall(made.id, made.name, text)
    return made
