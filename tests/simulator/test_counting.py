"""Token arithmetic against the literal figures of the chat templates."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.call import Call, Message
from gateway.core.templates import count_prompts, texts_to_count
from gateway.simulator.counting import cut_to_tokens, estimate_tokens, gate_estimate, pieces, prompt_tokens
from gateway.simulator.models import MODELS, SimulatedModel

KNOWN = {
    "hi": 1,
    "You are a friendly assistant": 5,
    "Why is pizza so good": 5,
    "What is the origin of the phrase Hello, World": 10,
    "Tell me all about PEP-8": 8,
    "Reply with the single word: pong": 7,
    "five": 5,
    "eight": 8,
}
"""Real token counts of the vocabulary, so that the arithmetic is tested apart from any tokenizer."""


def model(template: str) -> SimulatedModel:
    return next(entry for entry in MODELS if entry.template == template)


def turns(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"role": role, "content": text} for role, text in pairs]


FRIEND = ("system", "You are a friendly assistant")


@pytest.mark.parametrize(
    ("messages", "llama3", "llama31"),
    [
        (turns(("user", "hi")), 11, 36),
        (turns(FRIEND, ("user", "Why is pizza so good")), 25, 45),
        (turns(FRIEND, ("user", "What is the origin of the phrase Hello, World")), 30, 50),
        (turns(FRIEND, ("user", "Tell me all about PEP-8")), 28, 48),
        (turns(("user", "Reply with the single word: pong")), 17, 42),
        (turns(("user", "five"), ("assistant", "eight"), ("user", "five")), 38, 63),
    ],
)
def test_prompt_tokens_of_messages_follow_the_template(messages: list[Any], llama3: int, llama31: int) -> None:
    body = {"messages": messages}
    assert prompt_tokens(body, model("llama3"), KNOWN.__getitem__) == llama3
    assert prompt_tokens(body, model("llama3.1"), KNOWN.__getitem__) == llama31


def test_prompt_tokens_of_a_prompt_count_one_user_turn() -> None:
    assert prompt_tokens({"prompt": "hi"}, model("llama3.1"), KNOWN.__getitem__) == 36


@pytest.mark.parametrize("flag", [{"raw": True}, {"lora": "mine"}])
def test_prompt_tokens_of_an_untemplated_prompt_count_text_only(flag: dict[str, Any]) -> None:
    assert prompt_tokens({"prompt": "hi", **flag}, model("llama3.1"), KNOWN.__getitem__) == 2


def test_prompt_tokens_of_raw_messages_count_text_only() -> None:
    body = {"messages": turns(("user", "hi"), ("user", "five")), "raw": True}
    assert prompt_tokens(body, model("llama3"), KNOWN.__getitem__) == 7


def test_prompt_tokens_with_tools_add_their_text() -> None:
    body = {"messages": turns(("user", "x")), "tools": [{"name": "f"}]}
    bare = prompt_tokens({"messages": body["messages"]}, model("llama3.1"), lambda _text: 1)
    assert prompt_tokens(body, model("llama3.1"), lambda _text: 1) == bare + 5 + 51 + 1


def test_prompt_tokens_of_a_tool_turn_have_the_longer_header() -> None:
    call = {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": {"a": 1}}]}
    messages = [*turns(("user", "x")), call, {"role": "tool", "content": "r"}]
    seen: list[str] = []

    def count(text: str) -> int:
        seen.append(text)
        return 0

    assert prompt_tokens({"messages": messages}, model("llama3.1"), count) == 30 + 5 + 5 + 6
    assert seen == ["x", '{"name": "f", "parameters": {"a": 1}}', "r"]


MESSAGES = st.lists(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["system", "user", "assistant", "tool"]),
        st.text(alphabet="ab \n", max_size=12),
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize("template", ["llama3", "llama3.1"])
@given(messages=MESSAGES)
def test_prompt_tokens_agree_with_the_gateways_own_count(template: Any, messages: list[Any]) -> None:
    call = Call("chat", "any", tuple(Message(message["role"], message["content"]) for message in messages))
    expected = count_prompts(call, texts_to_count(call), estimate_tokens)[template]
    assert prompt_tokens({"messages": messages}, model(template), estimate_tokens) == expected


@given(st.text())
def test_pieces_joined_are_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


@given(st.text(), st.integers(0, 20))
def test_cut_to_tokens_keeps_a_beginning_within_the_limit(text: str, limit: int) -> None:
    kept = cut_to_tokens(text, limit, estimate_tokens)
    assert text.startswith(kept)
    assert estimate_tokens(kept) <= limit


def test_estimate_tokens_of_english_is_close() -> None:
    assert estimate_tokens("Hello! How can I assist you today?") == 9


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"prompt": "abcde"}, 2),
        ({"messages": turns(("user", "abcd"), ("user", "e"))}, 2),
        ({"messages": turns(("user", "")), "tools": [{}]}, 1),
    ],
)
def test_gate_estimate_is_a_quarter_of_the_characters(body: dict[str, Any], expected: int) -> None:
    assert gate_estimate(body) == expected
