"""Reads the conversation: roles, contents, tool calls and their results, as canonical messages.

It reduces OpenAI's six roles to four, flattens content parts into text and checks that every tool result answers a
call. It never rewrites what somebody said, and reports the fields it had no use for.
"""

from dataclasses import replace
from typing import Any

import msgspec

from gateway.core.answer import ToolCall
from gateway.core.call import Message, Role
from gateway.core.errors import InvalidRequest
from gateway.surfaces.chat import refusals
from gateway.surfaces.chat.readers import check_encodable, read_array, read_object, read_text, read_word, required

MAX_MESSAGES = 2048  # OpenAI's own limit
MAX_TOOL_CALLS = 128  # as many as there may be tools

Conversation = tuple[tuple[Message, ...], tuple[str, ...]]
"""The messages, and the names of the message fields that have no effect."""

_ROLES: dict[str, Role] = {
    "system": "system",
    "assistant": "assistant",
    "user": "user",
    "function": "tool",
    "tool": "tool",
    "developer": "system",
}
_SHOWN_ROLES = ("system", "assistant", "user", "function", "tool", "developer")
_SHOWN_PARTS = ("text", "image_url", "input_audio", "refusal", "file")
_USED_FIELDS = {
    "system": frozenset({"role", "content", "name"}),
    "user": frozenset({"role", "content", "name"}),
    "assistant": frozenset({"role", "content", "name", "refusal", "tool_calls", "function_call"}),
    "tool": frozenset({"role", "content", "name", "tool_call_id"}),
}
_NO_CONTENT = "Invalid value for 'content': expected a string, got null."
_ORPHAN = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
_UNANSWERED = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
    "The following tool_call_ids did not have response messages: "
)
_encode = msgspec.json.Encoder().encode


def read_messages(value: Any, path: str) -> Conversation:  # any JSON value a client sent
    """Every message in order. Raises `InvalidRequest` at the first that is wrong."""
    items = read_array(value, path, MAX_MESSAGES, "an array of objects")
    if not items:
        raise refusals.empty_array(path)
    ignored: dict[str, None] = {}
    messages: list[Message] = []
    pairing = False
    for position, item in enumerate(items):
        # The usual turn, three fields at most and plain text, takes no detour: it is nearly all of the traffic.
        if type(item) is dict and len(item) == 2:
            role, content = item.get("role"), item.get("content")
            if type(content) is str and (role == "user" or role == "system" or role == "assistant"):
                messages.append(Message(role, content))
                continue
        message = _read_message(item, f"{path}[{position}]", ignored)
        pairing = pairing or message.role == "tool" or bool(message.tool_calls)
        messages.append(message)
    if pairing:
        _check_pairs(messages, items, path)
        messages = _link_functions(messages)
    return tuple(messages), tuple(ignored)


def _read_message(value: Any, path: str, ignored: dict[str, None]) -> Message:  # any JSON value a client sent
    fields = read_object(value, path)
    said = read_text(required(fields, "role", path), f"{path}.role")
    role = _ROLES.get(said)
    if role is None:
        raise refusals.wrong_value(f"{path}.role", said, _SHOWN_ROLES)
    name = fields.get("name")
    if name is not None:
        name = read_text(name, f"{path}.name") or None
    content = _read_content(fields, role, path, ignored)
    used = _USED_FIELDS[role]
    # A message read from an SDK's reply carries its empty fields along: nothing was asked with those.
    unused = (key for key, value in fields.items() if key not in used and value not in (None, [], {}))
    ignored.update((f"messages[].{key}", None) for key in unused)
    if role == "assistant":
        return Message(role, content, _read_calls(fields, path), name=name)
    if said == "tool":
        identity = read_word(required(fields, "tool_call_id", path), f"{path}.tool_call_id")
        return Message(role, content, tool_call_id=identity, name=name)
    if said == "function" and name is None:
        raise refusals.missing(f"{path}.name")
    return Message(role, content, name=name)


def _read_content(fields: dict[str, Any], role: Role, path: str, ignored: dict[str, None]) -> str:  # unread members
    content = fields.get("content")
    may_be_empty = role in ("assistant", "tool")
    if type(content) is str:
        text = content
    elif content is None:
        if not may_be_empty:
            raise _content_missing(fields, path)
        text = ""
    elif type(content) is list:
        if not content and not may_be_empty:
            raise refusals.empty_array(f"{path}.content")
        text = "\n".join(
            [_read_part(part, f"{path}.content[{position}]", ignored) for position, part in enumerate(content)]
        )
    else:
        raise refusals.wrong_type(f"{path}.content", "one of a string or array of objects", content)
    refusal = fields.get("refusal") if role == "assistant" else None
    if refusal is None:
        return text
    # What the model declined to do was its turn, so it stays in the conversation.
    return "\n".join(filter(None, (text, read_text(refusal, f"{path}.refusal"))))


def _content_missing(fields: dict[str, Any], path: str) -> InvalidRequest:  # unread members
    if "content" not in fields:
        return refusals.missing(f"{path}.content")
    return InvalidRequest(_NO_CONTENT, param=path.replace("[", ".[") + ".content")


def _read_part(value: Any, path: str, ignored: dict[str, None]) -> str:  # any JSON value a client sent
    part = read_object(value, path)
    kind = read_text(required(part, "type", path), f"{path}.type")
    if kind not in ("text", "refusal"):
        if kind not in _SHOWN_PARTS:
            raise refusals.wrong_value(f"{path}.type", kind, _SHOWN_PARTS)
        raise InvalidRequest(f"Invalid content type. {kind} is only supported by certain models.", param="model")
    ignored.update((f"messages[].content[].{key}", None) for key in part if key not in ("type", kind) and part[key])
    return read_text(required(part, kind, path), f"{path}.{kind}")


def _read_calls(fields: dict[str, Any], path: str) -> tuple[ToolCall, ...]:  # unread members
    listed = fields.get("tool_calls")
    if listed is not None:
        calls = read_array(listed, f"{path}.tool_calls", MAX_TOOL_CALLS, "an array of objects")
        if calls:
            return tuple(_read_call(call, f"{path}.tool_calls[{position}]") for position, call in enumerate(calls))
    legacy = fields.get("function_call")
    if legacy is None:
        return ()
    return (_read_function(legacy, f"{path}.function_call", ""),)


def _read_call(value: Any, path: str) -> ToolCall:  # any JSON value a client sent
    call = read_object(value, path)
    identity = read_word(required(call, "id", path), f"{path}.id")
    kind = call.get("type")
    if kind is not None and kind != "function":
        if read_text(kind, f"{path}.type") == "custom":
            raise refusals.unsupported_value(f"{path}.type", kind, ("function",))
        raise refusals.wrong_value(f"{path}.type", kind, ("function", "custom"))
    return _read_function(required(call, "function", path), f"{path}.function", identity)


def _read_function(value: Any, path: str, identity: str) -> ToolCall:  # any JSON value a client sent
    function = read_object(value, path)
    name = read_word(required(function, "name", path), f"{path}.name")
    arguments = function.get("arguments")
    if type(arguments) is dict:  # several clients keep the parsed form in their history
        check_encodable(arguments, f"{path}.arguments")
        return ToolCall(identity, name, _encode(arguments).decode())
    if arguments is None:
        return ToolCall(identity, name, "{}")
    return ToolCall(identity, name, read_text(arguments, f"{path}.arguments") or "{}")


def _check_pairs(messages: list[Message], items: list[dict[str, Any]], path: str) -> None:  # read members
    """Each `tool_call_id` answers a call of the turn just before, and each call is answered before the talk goes on."""
    asked: set[str] = set()
    owed: dict[str, None] = {}
    for position, message in enumerate(messages):
        where = f"{path}.[{position}]"
        if message.role == "tool" and items[position]["role"] == "tool":
            _check_result(message.tool_call_id, asked, where)
            owed.pop(message.tool_call_id or "", None)
            continue
        if owed:
            raise InvalidRequest(_UNANSWERED + ", ".join(owed), param=f"{where}.role")
        owed = dict.fromkeys(call.id for call in message.tool_calls if call.id)
        asked = set(owed)
    if owed:
        raise InvalidRequest(_UNANSWERED + ", ".join(owed), param=f"{path}.[{len(messages) - 1}].role")


def _check_result(tool_call_id: str | None, asked: set[str], where: str) -> None:
    if not asked:
        raise InvalidRequest(_ORPHAN, param=f"{where}.role")
    if tool_call_id not in asked:
        text = f"Invalid parameter: 'tool_call_id' of '{tool_call_id}' not found in 'tool_calls' of previous message."
        raise InvalidRequest(text, param=f"{where}.tool_call_id")


def _link_functions(messages: list[Message]) -> list[Message]:
    """Give calls and results of the legacy form the ids it never had; a result answers the last call."""
    linked: list[Message] = []
    last: str | None = None
    for position, message in enumerate(messages):
        if message.tool_calls and not message.tool_calls[0].id:
            last = f"call_function_{position}"
            call = message.tool_calls[0]
            message = replace(message, tool_calls=(ToolCall(last, call.name, call.arguments),))
        elif message.role == "tool" and message.tool_call_id is None:
            message = replace(message, tool_call_id=last)
        linked.append(message)
    return linked
