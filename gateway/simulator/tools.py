"""Decides whether the simulated model calls a tool, with which arguments, and in which of the seen shapes. Pure.

A call is made when tools are offered, the last turn is not a tool's result, and the prompt names the tool, one of its
properties, or a telling word of its name or description.
"""

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.simulator.instance import Fill, Unsatisfiable, minimal_instance

Body = dict[str, Any]  # a JSON object of a request or an answer
Arguments = dict[str, Any]  # a tool's arguments: whatever its schema asks for

_COMMON = frozenset(
    {"get", "set", "the", "and", "for", "with", "tool", "function", "current", "given", "about", "call"}
)
_PLACES = ("location", "city", "place", "country", "town", "address", "destination")


@dataclass(slots=True, frozen=True)
class Offer:
    """One offered tool, from either published shape."""

    name: str
    description: str
    parameters: Body


@dataclass(slots=True, frozen=True)
class Chosen:
    """One call the model decided on; `id` is used only by shapes that carry one."""

    id: str
    name: str
    arguments: Arguments


def offers(body: Body) -> list[Offer]:
    """The tools a valid request body offers."""
    found = [tool.get("function") or tool for tool in body.get("tools") or ()]
    return [Offer(tool["name"], tool["description"], tool["parameters"]) for tool in found]


def written_calls(turn: Body) -> list[Body]:
    """The functions an assistant turn called, in either shape; whatever is not a call is left out."""
    calls = turn.get("tool_calls")
    found = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    functions = [call.get("function", call) for call in found]
    return [
        {"id": call.get("id"), **function}
        for call, function in zip(found, functions, strict=True)
        if isinstance(function, dict)
    ]


def is_result_turn(messages: list[Body]) -> bool:
    """Whether the last message brings a tool's result, as a tool turn or as text after a written call."""
    if not messages:
        return False
    if messages[-1]["role"] in ("tool", "function"):
        return True
    previous = messages[-2] if len(messages) > 1 else {}
    if previous.get("role") != "assistant":
        return False
    return bool(previous.get("tool_calls")) or bool(
        re.match(r'\s*(?:<\|python_tag\|>)?\[?\{"name"', previous["content"])
    )


def pick(prompt: str, tools: list[Offer]) -> Offer | None:
    """The tool a prompt suggests most, None where it suggests none."""
    scored = [(_score(prompt.lower(), tool), -index, tool) for index, tool in enumerate(tools)]
    best = max(scored, key=lambda entry: entry[:2], default=None)
    return best[2] if best and best[0] > 0 else None


def _score(prompt: str, tool: Offer) -> int:
    words = set(re.findall(r"[a-z]{3,}", prompt))
    name_words = set(re.findall(r"[a-z]{3,}", tool.name.lower().replace("_", " "))) - _COMMON
    described = set(re.findall(r"[a-z]{4,}", tool.description.lower())) - _COMMON
    properties = {name.lower() for name in tool.parameters.get("properties", {})}
    named = tool.name.lower() in prompt or tool.name.lower().replace("_", " ") in prompt
    return 100 * named + 10 * len(words & name_words) + 5 * len(words & properties) + len(words & described)


def arguments_for(prompt: str, tool: Offer) -> Arguments:
    """Arguments that satisfy the tool's schema, taken from the prompt where it offers something fitting."""
    try:
        built = minimal_instance({"type": "object", **tool.parameters}, prompt_filler(prompt))
    except Unsatisfiable:
        return {}
    return built if isinstance(built, dict) else {}


def prompt_filler(prompt: str) -> Fill:
    """Values for the properties of a schema, taken from the words and numbers of a prompt."""
    numbers = iter(re.findall(r"-?\d{1,15}(?:\.\d{1,6})?", prompt))

    def fill(name: str, schema: Body) -> Any:  # any JSON value fits somewhere
        if "enum" in schema:
            return next((option for option in schema["enum"] if str(option).lower() in prompt.lower()), None)
        kind = schema.get("type")
        if kind in ("number", "integer"):
            return _fitting_number(next(numbers, None), schema)
        if kind == "string" and not schema.keys() & {"format", "pattern", "minLength", "maxLength"}:
            return _word_for(name, prompt)
        return None

    return fill


def _fitting_number(digits: str | None, schema: Body) -> float | None:
    if digits is None or schema.keys() & {"multipleOf", "exclusiveMinimum", "exclusiveMaximum"}:
        return None
    value = float(digits)
    if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return None
    return int(value) if schema["type"] == "integer" else value


def _word_for(name: str, prompt: str) -> str | None:
    labelled = re.search(rf"\b{re.escape(name)}\b\W{{0,4}}(?:is |of |to |= ?)?[\"'“]?([\w@.-]+)", prompt, re.IGNORECASE)
    quoted = re.search(r"[\"“]([^\"”]+)[\"”]", prompt)
    place = re.search(r"\b(?:in|for|at|near|to|from)\s+([A-Z][\w'-]*(?:\s+[A-Z][\w'-]*)*)", prompt)
    if any(word in name.lower() for word in _PLACES) and place:
        return place[1]
    found = labelled or quoted or place
    return found[1].rstrip(".?!") if found else None


def with_numbers_as_text(arguments: Arguments) -> Arguments:
    """The arguments as models often write them: numbers inside quotes."""
    return {
        name: str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
        for name, value in arguments.items()
    }


def dumped(value: object) -> str:
    """JSON text with Python's default spacing, which is also the models' habit."""
    return msgspec.json.format(msgspec.json.encode(value), indent=0).decode()


def nested(call: Chosen, index: int) -> Body:
    """OpenAI's shape: an id and the arguments as text."""
    function = {"name": call.name, "arguments": dumped(call.arguments)}
    return {"id": call.id, "type": "function", "index": index, "function": function}


def shaped(calls: tuple[Chosen, ...], shape: str) -> list[Body]:
    """The calls as members of `tool_calls` in one of the four structured shapes."""
    if shape == "nested":
        return [{key: value for key, value in nested(call, 0).items() if key != "index"} for call in calls]
    key = "parameters" if shape == "parameters" else "arguments"
    return [{"name": call.name, key: dumped(call.arguments) if shape == "string" else call.arguments} for call in calls]


def leaked(calls: tuple[Chosen, ...], shape: str) -> str:
    """The calls as the text a model writes where nobody parses its calls."""
    written = [{"name": call.name, "parameters": call.arguments} for call in calls]
    if shape == "leak_list":
        return dumped(written)
    if shape == "leak_siblings":
        return "; ".join(dumped({"name": call.name, **call.arguments}) for call in calls)
    text = "; ".join(dumped(entry) for entry in written)
    return f"<|python_tag|>{text}" if shape == "leak_tag" else text
