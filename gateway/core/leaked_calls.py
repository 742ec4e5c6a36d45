"""Tool calls that arrive as text. Llama 3.1 is trained to write them so, and not every server parses them.

Decides whether a text is nothing but calls of offered tools, and, while a text is still arriving, whether it may yet
become that. Never guesses inside prose: a text that begins as prose stays text. `offers` maps the name of each tool
the caller allowed to the names of its parameters.

Read: `{"name": …, "parameters" or "arguments": {…} or "{…}"}`, the same under `function`, with the parameters beside
the name, in a list, under `tool_calls`, several in a row; after `<|python_tag|>`, in a Markdown fence; and
`<function=name>{…}</function>`.
"""

import json
import re
from collections.abc import Mapping

import msgspec
from msgspec import Raw

Offers = Mapping[str, frozenset[str]]

_PREFIXES = ("<|python_tag|>", "```json", "```")
_KEYS = ("name", "type", "function", "id", "tool_calls", "parameters", "arguments")
_END = re.compile(r"(?:\s|```|<\|eom_id\|>|<\|eot_id\|>|</function>|[;,])*\Z")
_BETWEEN = re.compile(r"(?:\s|[;,]|<\|python_tag\|>)*")
_TAG = re.compile(r"\s*<function=([^>\s]+)>\s*")

_fields = msgspec.json.Decoder(dict[str, Raw])
_items = msgspec.json.Decoder(list[Raw])
_string = msgspec.json.Decoder(str)
_scan = json.JSONDecoder().raw_decode  # finds where a value ends, which msgspec does not tell


def may_be_call(text: str, offers: Offers) -> bool:
    """Whether `text`, or `text` with more to come, may be a leaked call. Once True for a named tool, it stays so."""
    text = text.lstrip()
    for prefix in _PREFIXES:
        if prefix.startswith(text):
            return True
        if text.startswith(prefix):
            text = text[len(prefix) :].lstrip()
            break
    if "<function=".startswith(text):
        return True
    if text.startswith("<function="):
        return _begins_name(text[len("<function=") :], ">", offers)
    text = text.removeprefix("[").lstrip()
    if not text.startswith("{"):
        return not text
    return _begins_object(text[1:].lstrip(), offers)


def recover(text: str, offers: Offers) -> list[tuple[str, str]]:
    """The calls `text` consists of, as (name, arguments as JSON text); empty where it is anything else."""
    try:
        return _read_all(_without_prefix(text), offers)
    except (ValueError, RecursionError):  # not JSON, or not of these shapes, or nested to the heavens
        return []


def _begins_object(text: str, offers: Offers) -> bool:
    for key in _KEYS:
        quoted = f'"{key}"'
        if quoted.startswith(text):
            return True
        if text.startswith(quoted):
            value = text[len(quoted) :].lstrip().removeprefix(":").lstrip()
            if key != "name" or not value:
                return True
            return value.startswith('"') and _begins_name(value[1:], '"', offers)
    return False


def _begins_name(text: str, end: str, offers: Offers) -> bool:
    name, closed, _ = text.partition(end)
    return name in offers if closed else any(offered.startswith(name) for offered in offers)


def _without_prefix(text: str) -> str:
    text = text.strip()
    for prefix in _PREFIXES:
        if text.startswith(prefix):
            return text[len(prefix) :].lstrip()
    return text


def _read_all(text: str, offers: Offers) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    while not _END.match(text, at):
        tag = _TAG.match(text, at)
        start = tag.end() if tag else at
        _, end = _scan(text, start)
        value = text[start:end]
        if tag:
            found.append((_known(tag[1], offers), _arguments(Raw(value.encode()))))
            end = text.index("</function>", end) + len("</function>")
        else:
            found.extend(_read_value(value, offers))
        between = _BETWEEN.match(text, end)
        at = between.end() if between else end
    return found


def _read_value(value: str, offers: Offers) -> list[tuple[str, str]]:
    if value.startswith("["):
        return [_read_call(_fields.decode(item), offers) for item in _items.decode(value)]
    fields = _fields.decode(value)
    if "tool_calls" in fields:
        return [_read_call(_fields.decode(item), offers) for item in _items.decode(fields["tool_calls"])]
    return [_read_call(fields, offers)]


def _read_call(fields: dict[str, Raw], offers: Offers) -> tuple[str, str]:
    function = fields.get("function")
    if function is not None and bytes(function).startswith(b"{"):
        fields = _fields.decode(function)
    named = fields.get("name", function)
    if named is None:
        raise ValueError("no name")
    name = _known(_string.decode(named), offers)
    for key in ("parameters", "arguments"):
        if key in fields:
            return name, _arguments(fields[key])
    beside = {key: value for key, value in fields.items() if key not in ("name", "type", "id", "function")}
    if not beside or not offers[name].issuperset(beside):
        raise ValueError("not the parameters of this tool")
    return name, _object(beside)


def _known(name: str, offers: Offers) -> str:
    if name not in offers:
        raise ValueError("not an offered tool")
    return name


def _arguments(raw: Raw) -> str:
    """A JSON object as its own text, so that numbers keep their spelling; also from within a string."""
    text = bytes(raw).decode()
    if text.startswith('"'):
        text = _string.decode(text).strip()
    if text in ("null", ""):
        return "{}"
    _fields.decode(text)
    return text


def _object(fields: dict[str, Raw]) -> str:
    return msgspec.json.encode(fields).decode()
