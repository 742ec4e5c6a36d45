"""Streams: any legal sequence of events is one that clients survive, and says what the events said."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk
from support.openai_stream import SeenStream, check_stream, events_of

from gateway.core.answer import Delta, FinishReason, ToolDelta, Usage
from gateway.core.call import Call, Message
from gateway.core.errors import UpstreamFailed
from gateway.surfaces.chat.stream import ChatStream

CASES = Path(__file__).parents[2] / "cases" / "chat"
REASONS: tuple[FinishReason, ...] = ("stop", "length", "tool_calls", "content_filter")
Piece = Delta | ToolDelta


def call_with(*, n: int = 1, usage: bool = False, legacy: bool = False) -> Call:
    """A streamed call."""
    messages = (Message("user", "hi"),)
    return Call("chat", "m", messages, stream=True, include_usage=usage, n=n, legacy_functions=legacy)


def stream_of(call: Call) -> ChatStream:
    return ChatStream(call, "chatcmpl-1", 1764000000, "@cf/meta/llama")


@dataclass
class Told:
    """What happened in one choice, in order."""

    pieces: list[Piece]
    reason: FinishReason


TEXT = st.text(max_size=6) | st.sampled_from(["\u2028", "a\u2029b", "\u0085", "“q”", "\r\n", "data: x\n\n", "🌍"])
PIECES = st.lists(st.builds(Delta, TEXT), max_size=4)


@st.composite
def tool_pieces(draw: st.DrawFn) -> list[Piece]:
    """Some calls, one after the other, each with its arguments in pieces."""
    pieces: list[Piece] = []
    for index in range(draw(st.integers(0, 3))):
        pieces.append(ToolDelta(index, f"call_{index}", draw(st.sampled_from(["f", "größe"])), draw(TEXT)))
        pieces += [ToolDelta(index, None, None, text) for text in draw(st.lists(TEXT, max_size=3))]
    return pieces


TOLD = st.builds(
    lambda texts, calls, reason: Told([*texts, *calls], reason), PIECES, tool_pieces(), st.sampled_from(REASONS)
)


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Told], list[int]]:
    """What each choice says, and an order to interleave them: one index per event, the finish included."""
    told = draw(st.lists(TOLD, min_size=1, max_size=3))
    turns = [index for index, choice in enumerate(told) for _ in range(len(choice.pieces) + 1)]
    return told, draw(st.permutations(turns))


def encode(stream: ChatStream, told: list[Told], turns: list[int]) -> Iterator[bytes]:
    """The events of the choices in that order, without start and end."""
    left = [iter(choice.pieces) for choice in told]
    for index in turns:
        piece = next(left[index], None)
        yield stream.finish(index, told[index].reason) if piece is None else stream.delta(index, piece)


def check_said(seen: SeenStream, told: list[Told], *, legacy: bool) -> None:
    """The client has the text and the calls that were told."""
    for index, choice in enumerate(told):
        known = seen.choices[index]
        assert known.text == "".join(piece.text for piece in choice.pieces if isinstance(piece, Delta))
        calls: dict[int, list[str]] = {}
        for piece in choice.pieces:
            if isinstance(piece, ToolDelta):
                entry = calls.setdefault(piece.index, [piece.id or "", piece.name or "", ""])
                entry[2] += piece.arguments
        if legacy:
            assert ([known.function.name, known.function.arguments] if known.function else []) == calls.get(0, [])[1:]
        else:
            assert [[call.id, call.name, call.arguments] for call in known.calls] == list(calls.values())


@given(stories(), st.booleans(), st.booleans())
def test_stream_any_legal_story_is_valid_and_complete(
    story: tuple[list[Told], list[int]], usage: bool, legacy: bool
) -> None:
    told, turns = story
    stream = stream_of(call_with(n=len(told), usage=usage, legacy=legacy))
    parts = [stream.start(), *encode(stream, told, turns), stream.end(Usage(3, 4, 1))]
    seen = check_stream(b"".join(parts), choices=len(told), include_usage=usage)
    check_said(seen, told, legacy=legacy)
    for part in parts:  # each write is whole events: a client may be woken after any of them
        assert part == b"" or events_of(part)
    if usage:
        assert seen.usage["prompt_tokens_details"] == {"cached_tokens": 1, "audio_tokens": 0}


@given(stories(), st.booleans())
def test_stream_any_legal_story_passes_the_sdk(story: tuple[list[Told], list[int]], usage: bool) -> None:
    told, turns = story
    stream = stream_of(call_with(n=len(told), usage=usage))
    whole = b"".join([stream.start(), *encode(stream, told, turns), stream.end(Usage(3, 4))])
    state = ChatCompletionStreamState()
    for event in events_of(whole)[:-1]:
        chunk = ChatCompletionChunk.model_validate_json(event, strict=True)
        assert not chunk.model_extra
        list(state.handle_chunk(chunk))
    for choice, said in zip(state.current_completion_snapshot.choices, told, strict=True):
        assert choice.message.role == "assistant"
        assert choice.message.content == "".join(p.text for p in said.pieces if isinstance(p, Delta))
        assert choice.finish_reason is not None


@given(stories(), st.data())
def test_stream_cut_anywhere_ends_with_the_error(story: tuple[list[Told], list[int]], data: st.DataObject) -> None:
    told, turns = story
    stream = stream_of(call_with(n=len(told)))
    parts = [stream.start(), *encode(stream, told, turns)]
    cut = data.draw(st.integers(0, len(parts)))
    envelope = UpstreamFailed("Cut\u2028off.", details={"code": 3043}).envelope()
    whole = b"".join([*parts[:cut], stream.error(envelope)])
    seen = check_stream(whole, choices=len(told), include_usage=False)
    assert seen.error == {"message": "Cut\u2028off.", "type": "server_error", "param": None, "code": "server_error"}


@pytest.mark.parametrize(
    ("reason", "calls", "legacy", "shown"),
    [
        ("stop", False, False, "stop"),
        ("stop", True, False, "tool_calls"),
        ("stop", True, True, "function_call"),
        ("tool_calls", False, False, "stop"),
        ("tool_calls", True, False, "tool_calls"),
        ("tool_calls", True, True, "function_call"),
        ("length", True, False, "length"),
        ("length", False, False, "length"),
        ("content_filter", False, False, "content_filter"),
    ],
)
def test_stream_finish_reason_agrees_with_the_calls(
    reason: FinishReason, calls: bool, legacy: bool, shown: str
) -> None:
    stream = stream_of(call_with(legacy=legacy))
    if calls:
        stream.delta(0, ToolDelta(0, "call_1", "f", "{}"))
    assert json.loads(events_of(stream.finish(0, reason))[0])["choices"][0]["finish_reason"] == shown


def test_stream_finish_repeated_says_nothing() -> None:
    stream = stream_of(call_with())
    assert stream.finish(0, "stop")
    assert stream.finish(0, "stop") == b""


def test_stream_empty_text_says_nothing() -> None:
    assert stream_of(call_with()).delta(0, Delta("")) == b""


@pytest.mark.parametrize("name", ["text", "usage", "tools", "function", "two_choices"])
def test_stream_golden_case_is_written_to_the_byte(name: str) -> None:
    case = json.loads((CASES / "streams" / f"{name}.json").read_text())
    options = case["call"]
    stream = stream_of(call_with(n=options["n"], usage=options["usage"], legacy=options["legacy"]))
    written = stream.start()
    for kind, index, *fields in case["events"]:
        if kind == "finish":
            written += stream.finish(index, fields[0])
        else:
            written += stream.delta(index, Delta(*fields) if kind == "text" else ToolDelta(*fields))
    written += stream.end(Usage(*case["usage"]))
    assert written == (CASES / "streams" / f"{name}.sse").read_bytes()
