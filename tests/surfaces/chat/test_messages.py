"""Conversations: any sequence of turns with each call answered is accepted as it was said."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import InvalidRequest
from gateway.surfaces.chat.messages import read_messages

Turn = dict[str, Any]  # a message as clients send it


def asked(ids: list[str]) -> Turn:
    calls = [{"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}} for id in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


@st.composite
def tool_rounds(draw: st.DrawFn) -> list[Turn]:
    """A turn that calls, and the results in any order."""
    ids = draw(st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=3, unique=True))
    results = [{"role": "tool", "tool_call_id": id, "content": id} for id in draw(st.permutations(ids))]
    return [asked(ids), *results]


SAID = st.sampled_from(["user", "system", "developer", "assistant"]).map(lambda role: [{"role": role, "content": "x"}])
TALKS = st.lists(SAID | tool_rounds(), min_size=1, max_size=5).map(
    lambda parts: [turn for part in parts for turn in part]
)


@given(TALKS)
def test_read_messages_answered_calls_are_kept_in_order(talk: list[Turn]) -> None:
    messages, ignored = read_messages(talk, "messages")
    assert [message.content for message in messages] == [turn["content"] or "" for turn in talk]
    assert [message.tool_call_id for message in messages] == [turn.get("tool_call_id") for turn in talk]
    assert ignored == ()


@given(TALKS, st.data())
def test_read_messages_one_result_taken_out_is_missed(talk: list[Turn], data: st.DataObject) -> None:
    results = [position for position, turn in enumerate(talk) if turn["role"] == "tool"]
    if not results:
        return
    gone = data.draw(st.sampled_from(results))
    with pytest.raises(InvalidRequest, match="did not have response messages"):
        read_messages(talk[:gone] + talk[gone + 1 :], "messages")


def test_read_messages_function_result_after_open_call_is_not_its_answer() -> None:
    talk = [asked(["a"]), {"role": "function", "name": "f", "content": "1"}]
    with pytest.raises(InvalidRequest, match="did not have response messages: a"):
        read_messages(talk, "messages")


def test_read_messages_function_result_without_call_has_no_id() -> None:
    messages, _ = read_messages([{"role": "function", "name": "f", "content": "1"}], "messages")
    assert (messages[0].role, messages[0].tool_call_id, messages[0].name) == ("tool", None, "f")
