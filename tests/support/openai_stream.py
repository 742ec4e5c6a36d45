"""Judges a streamed chat completion as OpenAI's clients would: independent of the encoder, from published facts.

Shapes come from OpenAI's API description (tests/cases/chat/openai_schemas.json); the order of events from what breaks
the official SDKs and the common frameworks. `check_stream` raises AssertionError with the rule that was broken.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

_SCHEMAS = json.loads((Path(__file__).parents[1] / "cases" / "chat" / "openai_schemas.json").read_text())
_SPLITTERS = ("\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e")  # str.splitlines splits on these
_DELTA_KEYS = {"role", "content", "refusal", "tool_calls", "function_call"}
Json = Any  # a chunk is any JSON until it is judged


def validator_of(name: str) -> Draft202012Validator:
    """A validator of one of OpenAI's published response shapes."""
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": _SCHEMAS["$defs"]})


_CHUNK = validator_of("CreateChatCompletionStreamResponse")
_ERROR = validator_of("Error")


@dataclass
class SeenCall:
    """One tool call, put together as an accumulating client does."""

    id: str
    name: str
    arguments: str = ""


@dataclass
class SeenChoice:
    """One choice, put together as an accumulating client does."""

    text: str = ""
    calls: list[SeenCall] = field(default_factory=list)
    function: SeenCall | None = None
    reason: str | None = None
    has_role: bool = False


@dataclass
class SeenStream:
    """What a client knows after a stream."""

    choices: dict[int, SeenChoice] = field(default_factory=dict)
    usage: Json = None
    error: Json = None
    heads: set[tuple[str, int, str]] = field(default_factory=set)
    chunks: list[Json] = field(default_factory=list)


def events_of(stream: bytes) -> list[str]:
    """The data of each event. Every event is one `data:` line and a blank line; nothing else may be there."""
    text = stream.decode("utf-8")
    assert text.endswith("\n\n"), "the last event is not complete"
    assert not any(mark in text for mark in _SPLITTERS), "a raw character that line splitters split on"
    assert "\r" not in text, "a raw carriage return"
    events = text[:-2].split("\n\n")
    for event in events:
        assert "\n" not in event, "an event is more than one line"
        assert event.startswith("data: "), "an event is not data"
        assert event != "data: ", "an empty event"
    return [event.removeprefix("data: ") for event in events]


def check_stream(stream: bytes, *, choices: int, include_usage: bool) -> SeenStream:
    """Read a whole stream and return what a client has seen. Raises AssertionError at the first broken rule."""
    events = events_of(stream)
    assert events[-1] == "[DONE]", "the end mark is missing"
    assert events.count("[DONE]") == 1, "the end mark is repeated"
    seen = SeenStream()
    for event in events[:-1]:
        assert seen.error is None, "something follows the error"
        assert seen.usage is None, "something follows the usage"
        chunk = json.loads(event)
        if set(chunk) == {"error"}:
            _ERROR.validate(chunk["error"])
            assert set(chunk["error"]) == {"message", "type", "param", "code"}, "an error has four keys"
            seen.error = chunk["error"]
        else:
            _check_chunk(chunk, seen, include_usage)
    assert len(seen.heads) <= 1, "id, created or model change during the stream"
    if seen.error is None:
        _check_end(seen, choices, include_usage)
    return seen


def _check_chunk(chunk: Json, seen: SeenStream, include_usage: bool) -> None:
    _CHUNK.validate(chunk)
    assert type(chunk["created"]) is int
    seen.chunks.append(chunk)
    seen.heads.add((chunk["id"], chunk["created"], chunk["model"]))
    if not chunk["choices"]:
        assert include_usage, "a chunk without choices was not asked for"
        usage = chunk["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        seen.usage = usage
        return
    assert chunk.get("usage", None) is None, "usage beside content"
    assert ("usage" in chunk) == include_usage, "the usage key comes with include_usage and not without"
    assert len(chunk["choices"]) == 1, "one choice per chunk"
    choice = chunk["choices"][0]
    assert "finish_reason" in choice
    index = choice["index"]
    if index not in seen.choices:
        assert index == len(seen.choices), "choices start in order, 0 first"
        seen.choices[index] = SeenChoice()
    _check_delta(choice["delta"], seen.choices[index], choice["finish_reason"])


def _check_delta(delta: Json, choice: SeenChoice, reason: str | None) -> None:
    assert set(delta) <= _DELTA_KEYS
    assert choice.reason is None, "something follows the finish reason"
    if not choice.has_role:
        assert delta == {"role": "assistant", "content": "", "refusal": None}, "a choice starts with its role"
        assert reason is None
        choice.has_role = True
        return
    assert "role" not in delta, "the role is repeated"
    if reason is not None:
        assert delta == {}, "the finish reason comes alone"
        choice.reason = reason
        return
    assert len(delta) == 1, "one kind of thing per chunk"
    if "content" in delta:
        assert type(delta["content"]) is str
        assert delta["content"], "an empty piece of text"
        choice.text += delta["content"]
    elif "tool_calls" in delta:
        _check_tool_delta(delta["tool_calls"], choice)
    else:
        _check_function_delta(delta["function_call"], choice)


def _check_tool_delta(entries: Json, choice: SeenChoice) -> None:
    assert len(entries) == 1, "one tool call per chunk"
    entry = entries[0]
    if entry["index"] == len(choice.calls):
        assert set(entry) == {"index", "id", "type", "function"}, "a call starts with id, type and name"
        assert entry["type"] == "function"
        assert set(entry["function"]) == {"name", "arguments"}
        choice.calls.append(SeenCall(entry["id"], entry["function"]["name"], entry["function"]["arguments"]))
        return
    assert entry["index"] == len(choice.calls) - 1, "calls are sent one after the other"
    assert set(entry) == {"index", "function"}, "id, type or name are repeated"
    assert set(entry["function"]) == {"arguments"}
    choice.calls[-1].arguments += entry["function"]["arguments"]


def _check_function_delta(entry: Json, choice: SeenChoice) -> None:
    if choice.function is None:
        assert set(entry) == {"name", "arguments"}
        choice.function = SeenCall("", entry["name"], entry["arguments"])
        return
    assert set(entry) == {"arguments"}, "the name is repeated"
    choice.function.arguments += entry["arguments"]


def _check_end(seen: SeenStream, choices: int, include_usage: bool) -> None:
    assert len(seen.choices) == choices, "a choice is missing"
    assert (seen.usage is not None) == include_usage, "usage comes if it was asked for, and only then"
    for choice in seen.choices.values():
        assert choice.reason is not None, "a choice never finished"
        assert (choice.reason == "tool_calls") <= bool(choice.calls), "tool_calls without any"
        assert (choice.reason == "function_call") <= (choice.function is not None), "function_call without any"
        if choice.calls or choice.function:
            assert choice.reason != "stop", "stop although something was called"
        for call in choice.calls:
            assert call.id
            assert call.name
