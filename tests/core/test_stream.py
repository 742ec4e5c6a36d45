"""The choice reader over a decoder of its own making: stop strings, merging, ends, replay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.answer import Completion, Delta, Event, Failure, Finish, ToolCall, ToolDelta, Usage
from gateway.core.sse import EVENT_LIMIT_BYTES
from gateway.core.stream import ChoiceReader, cut_at_stop, replay


class Echo:
    """A decoder whose data is the text itself; `!` ends, `$` is usage, `#` a tool call, `?` a failure."""

    def __init__(self) -> None:
        self.ended = False

    def event(self, data: bytes) -> tuple[Event, ...]:
        special: dict[bytes, Event] = {
            b"!": Finish("length"),
            b"$": Usage(3, 4),
            b"#": ToolDelta(0, "call_1", "f", "{}"),
            b"?": Failure("server_error", "broke"),
        }
        return (special.get(data) or Delta(data.decode()),)

    def close(self) -> tuple[Event, ...]:
        return (Failure("cut", "cut"),)


def body(*texts: str) -> bytes:
    return b"".join(b"data: " + text.encode() + b"\n\n" for text in texts)


def test_reader_deltas_of_one_read_are_merged() -> None:
    reader = ChoiceReader(Echo())
    assert reader.feed(body("a", "b", "$", "c", "#", "d")) == [
        Delta("abc"),
        ToolDelta(0, "call_1", "f", "{}"),
        Delta("d"),
    ]
    assert reader.usage == Usage(3, 4)
    assert reader.text == "abcf{}d"
    assert reader.feed(b": nothing\n\n") == []


def test_reader_after_its_end_says_nothing() -> None:
    reader = ChoiceReader(Echo())
    assert reader.feed(body("a", "!", "b")) == [Delta("a"), Finish("length")]
    assert reader.ended
    assert not reader.stopped
    assert reader.feed(body("b")) == []
    assert reader.close() == []


def test_reader_without_an_end_is_cut_by_close() -> None:
    reader = ChoiceReader(Echo(), ("xyz",))
    assert reader.feed(body("a", "xy")) == [Delta("a")]
    assert reader.close() == [Delta("xy"), Failure("cut", "cut")]


def test_reader_failure_comes_after_the_text_before_it() -> None:
    reader = ChoiceReader(Echo(), ("xyz",))
    assert reader.feed(body("a", "xy", "?")) == [Delta("axy"), Failure("server_error", "broke")]


def test_reader_event_beyond_the_limit_is_malformed() -> None:
    reader = ChoiceReader(Echo())
    (failure,) = reader.feed(b"data: " + b"x" * EVENT_LIMIT_BYTES + b"\n\n")
    assert isinstance(failure, Failure)
    assert failure.kind == "malformed"
    assert reader.ended


def test_reader_stop_string_ends_the_choice_and_forgets_usage() -> None:
    reader = ChoiceReader(Echo(), ("stop",))
    assert reader.feed(body("$", "ab s")) == [Delta("ab ")]
    assert reader.feed(body("to", "pped")) == [Finish("stop")]
    assert reader.stopped
    assert reader.ended
    assert reader.usage is None
    assert reader.text == "ab "
    assert not reader.is_hollow


def test_reader_stop_string_does_not_reach_across_a_tool_call() -> None:
    reader = ChoiceReader(Echo(), ("stop",))
    call = ToolDelta(0, "call_1", "f", "{}")
    assert reader.feed(body("st", "#", "op", "!")) == [Delta("st"), call, Delta("op"), Finish("length")]


@given(
    st.lists(st.text("abé🌍", min_size=1, max_size=4), max_size=10),
    st.lists(st.text("abé🌍", min_size=1, max_size=4), min_size=1, max_size=4).map(tuple),
    st.integers(1, 9),
)
def test_reader_with_stop_strings_gives_the_cut_text_at_any_slicing(
    pieces: list[str], stop: tuple[str, ...], size: int
) -> None:
    data = body(*pieces, "!")
    reader = ChoiceReader(Echo(), stop)
    events = [event for at in range(0, len(data), size) for event in reader.feed(data[at : at + size])]
    text, is_hit = cut_at_stop("".join(pieces), stop)
    assert "".join(event.text for event in events if isinstance(event, Delta)) == reader.text == text
    assert reader.stopped == is_hit
    assert events[-1] == Finish("stop" if is_hit else "length")
    assert reader.ended


@pytest.mark.parametrize(
    ("completion", "stop", "events"),
    [
        (Completion("hi", (), "length", None), (), [Delta("hi"), Finish("length")]),
        (Completion("", (), "stop", None), (), [Finish("stop")]),
        (Completion("a. b", (), "length", None), (".",), [Delta("a"), Finish("stop")]),
        (
            Completion("", (ToolCall("call_1", "f", "{}"), ToolCall("call_2", "g", "[]")), "tool_calls", None),
            (),
            [ToolDelta(0, "call_1", "f", "{}"), ToolDelta(1, "call_2", "g", "[]"), Finish("tool_calls")],
        ),
        (
            Completion(". x", (ToolCall("call_1", "f", "{}"),), "tool_calls", None),
            (".",),
            [ToolDelta(0, "call_1", "f", "{}"), Finish("tool_calls")],
        ),
    ],
)
def test_replay_completion_gives_the_events_of_its_stream(
    completion: Completion, stop: tuple[str, ...], events: list[Event]
) -> None:
    assert replay(completion, stop) == events
