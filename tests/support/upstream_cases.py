"""Golden cases of the upstream's dialect, read from tests/cases/upstream, and the call each of them answers."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.core.answer import Delta, Event, Failure, Finish, ToolCall, ToolDelta, Usage
from gateway.core.call import Call, Message, ResponseFormat, Tool
from gateway.core.stream import ChoiceReader
from gateway.upstreams import UPSTREAMS

ROOT = Path(__file__).parent.parent / "cases" / "upstream"
MINTED = re.compile(r"call_[0-9A-Za-z]{24}\Z")
Case = dict[str, Any]  # JSON of a case file; the tests check what it says


def names(kind: str) -> list[str]:
    """The cases of `streams`, `answers` or `refusals`."""
    return sorted(path.stem for path in (ROOT / kind).glob("*.json"))


def load(kind: str, name: str) -> Case:
    found: Case = json.loads((ROOT / kind / f"{name}.json").read_text())
    return found


def stream_bytes(name: str) -> bytes:
    return (ROOT / "streams" / f"{name}.sse").read_bytes()


def call_of(case: Case) -> Call:
    """The call a case answers, from its `call` field."""
    asked = case["call"]
    return Call(
        surface="chat",
        requested_model="auto",
        messages=(Message("user", "hi"),),
        stream=True,
        stop=tuple(asked.get("stop", ())),
        tools=tuple(Tool(name, "", {}) for name in asked.get("tools", ())),
        parallel_tool_calls=asked.get("parallel_tool_calls", True),
        response_format=ResponseFormat("json_object") if asked.get("json") else None,
        request_id="req_1:0",
    )


def granted(case: Case) -> int:
    found: int = case["call"].get("max_tokens", 4096)
    return found


def same_id(expected: str, found: str) -> bool:
    return bool(MINTED.match(found)) if expected == "minted" else expected == found


@dataclass
class Heard:
    """What a reader told of one stream, deltas joined."""

    text: str
    calls: list[ToolCall]
    finish: str | None
    failure: Failure | None
    usage: Usage | None
    counted: str
    is_hollow: bool


def reader_for(call: Call, max_tokens: int) -> ChoiceReader:
    return ChoiceReader(UPSTREAMS["workers_ai"].stream(call, max_tokens), call.stop)


def hear(reader: ChoiceReader, chunks: list[bytes]) -> Heard:
    """Feed the chunks and join what comes, checking the order of events on the way."""
    events: list[Event] = [event for chunk in chunks for event in reader.feed(chunk)]
    events += reader.close()
    assert reader.feed(b'data: {"response":"late"}\n\n') == []
    assert reader.close() == []
    assert isinstance(events[-1], Finish | Failure)
    assert not any(isinstance(event, Finish | Failure) for event in events[:-1])
    last = events[-1]
    return Heard(
        text="".join(event.text for event in events if isinstance(event, Delta)),
        calls=joined_calls(events),
        finish=last.reason if isinstance(last, Finish) else None,
        failure=last if isinstance(last, Failure) else None,
        usage=reader.usage,
        counted=reader.text,
        is_hollow=reader.is_hollow,
    )


def joined_calls(events: list[Event]) -> list[ToolCall]:
    """The calls of a stream; asserts OpenAI's order: indexes from 0, one after the other, id and name at the start."""
    calls: list[ToolCall] = []
    for event in events:
        if not isinstance(event, ToolDelta):
            continue
        if event.id is not None:
            assert event.name is not None
            assert event.index == len(calls)
            calls.append(ToolCall(event.id, event.name, event.arguments))
        else:
            assert event.name is None
            assert event.index == len(calls) - 1
            calls[-1] = ToolCall(calls[-1].id, calls[-1].name, calls[-1].arguments + event.arguments)
    return calls
