"""Requests somebody might send: a valid one, with a few values replaced, dropped or added. Repeatable by seed."""

import json
from random import Random
from typing import Any

MODELS = ("auto", "@cf/meta/llama-3.1-8b-instruct-fp8", "llama-3.1-8b-instruct-fast", "gpt-9", "")
TEXTS = ("", "Hello", "Return JSON", "é世界🌍\u2028", "a" * 3000, "<|eot_id|>", "\x00\x1b", "[[", "{", "null")
NUMBERS = (0, 1, -1, 2, 0.5, -0.5, 5, 64, 1e308, -(2**63), 2**63, 2**64, 10**30, 9_999_999_999, 4096)
ODD: tuple[Any, ...] = (None, True, False, [], {}, [[]], {"a": None}, *NUMBERS, *TEXTS)
SCHEMAS: tuple[Any, ...] = ({}, {"type": "object"}, {"type": 3}, {"enum": [1]}, {"$ref": "#"}, True, {"pattern": "("})
ROLES = ("user", "system", "assistant", "tool", "function", "developer", "robot")
FIELDS: dict[str, tuple[Any, ...]] = {
    "temperature": (0, 1, 2, 2.01, -0.1, 0.7),
    "top_p": (0, 1, 0.5, 1.5),
    "n": (1, 2, 0, 9, 129),
    "seed": (0, 1, -5, 2**63 - 1),
    "max_tokens": (1, 16, 0, 200_000),
    "max_completion_tokens": (1, 16, -1),
    "frequency_penalty": (-2, 2, 2.5),
    "presence_penalty": (-2, 2, -2.5),
    "repetition_penalty": (1, 0, 3),
    "top_k": (1, 50, 51, 0),
    "stop": ("a", ["a", "b"], [], ["a"] * 5, [""], [1]),
    "stream": (True, False),
    "stream_options": ({"include_usage": True}, {"include_usage": False}, {}),
    "user": ("me", "x" * 600),
    "metadata": ({"a": "b"}, {"a": 1}, {str(number): "x" for number in range(20)}),
    "logprobs": (True, False),
    "top_logprobs": (0, 5),
    "logit_bias": ({}, {"1": 5}),
    "parallel_tool_calls": (True, False),
    "reasoning_effort": ("low", "x"),
    "store": (True,),
    "service_tier": ("auto", "x"),
    "modalities": (["text"], ["audio"]),
    "raw": (True, False),
    "lora": ("name",),
    "tool_choice": ("auto", "none", "required", "any", {"type": "function", "function": {"name": "f"}}),
    "function_call": ("auto", {"name": "f"}),
    "response_format": ({"type": "text"}, {"type": "json_object"}, {"type": "x"}),
    "unknown_field": (1,),
}


def make_body(random: Random) -> bytes:
    """One request body; rarely not even JSON."""
    body: dict[str, Any] = {"model": random.choice(MODELS[:3]), "messages": _messages(random)}
    for name in random.sample(sorted(FIELDS), random.randrange(5)):
        body[name] = random.choice(FIELDS[name])
    if random.random() < 0.3:
        body["tools"] = [_tool(random) for _ in range(random.randrange(3))]
    if random.random() < 0.15:
        schema = random.choice(SCHEMAS)
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
    for _ in range(random.choice((0, 0, 1, 1, 2))):
        _spoil(body, random)
    text = json.dumps(body, ensure_ascii=random.random() < 0.5)
    if random.random() < 0.05:
        cut = random.randrange(len(text))
        text = text[:cut] + random.choice(("", "}", "\x00", '"')) + text[cut + 1 :]
    return text.encode("utf-8", "surrogatepass")


def _messages(random: Random) -> list[Any]:
    found: list[Any] = []
    for _ in range(random.randrange(1, 5)):
        role = random.choice(ROLES[:3] if random.random() < 0.8 else ROLES)
        content: Any = random.choice(TEXTS)
        if random.random() < 0.2:
            content = [{"type": "text", "text": content}, {"type": random.choice(("text", "image_url")), "text": "x"}]
        message: dict[str, Any] = {"role": role, "content": content}
        if role == "tool":
            message["tool_call_id"] = "call_1"
        if role == "assistant" and random.random() < 0.3:
            message |= {"content": None, "tool_calls": [_call(random)]}
        found.append(message)
    return found


def _call(random: Random) -> dict[str, Any]:
    arguments = random.choice(("{}", '{"a": 1}', "not json", "", {"a": 1}))
    return {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": arguments}}


def _tool(random: Random) -> dict[str, Any]:
    function: dict[str, Any] = {"name": random.choice(("f", "g", "bad name", ""))}
    if random.random() < 0.7:
        function["parameters"] = random.choice(SCHEMAS)
    return random.choice(({"type": "function", "function": function}, function, {"type": "x", "x": {}}))


def _spoil(value: Any, random: Random) -> None:
    """Replace, drop or add something somewhere inside."""
    while isinstance(value, dict | list) and value:
        places = list(value) if isinstance(value, dict) else list(range(len(value)))
        place = random.choice(places)
        inner = value[place]
        if isinstance(inner, dict | list) and inner and random.random() < 0.6:
            value = inner
            continue
        if random.random() < 0.3:
            del value[place]
        else:
            value[place] = random.choice(ODD)
        return
