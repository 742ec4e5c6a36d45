"""What the demo model says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.talk import prose, reply, reply_to_tool, topic_of


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("hi", "Hello! How can I assist you today?"),
        ("Hello there!", "Hello! How can I assist you today?"),
        ("Reply with the single word: pong", "pong"),
        ("Please answer only: yes.", "yes"),
        ("say hello world", "hello world"),
        ("count to 5", "1, 2, 3, 4, 5"),
        ("Count from 3 to 1, please", "3, 2, 1"),
        ("What is 6 * 7?", "42"),
        ("7 / 2", "3.5"),
        ("1 / 0", "That is not defined."),
        ("What is the capital of France?", "The capital of France is Paris."),
        ("capital of Atlantis", "I am not sure what the capital of Atlantis is."),
        ("Summarise: One thing. Another thing.", "In short: One thing."),
        ("List 2 reasons to rest", "1. A first thought on reasons to rest\n2. A second thought on reasons to rest"),
        ("thanks a lot", "You're welcome! Is there anything else I can help you with?"),
        ("goodbye", "Goodbye! Have a nice day."),
        ("ping", "pong"),
        ("", "I did not get a message. What can I do for you?"),
    ],
)
def test_reply_to_a_known_kind_of_prompt(prompt: str, answer: str) -> None:
    assert reply(prompt) == answer


def test_reply_to_a_question_speaks_about_its_topic() -> None:
    assert "pizza" in reply("Why is pizza so good?")


def test_reply_to_a_wish_for_an_essay_is_long() -> None:
    assert len(reply("Write a long essay about rivers")) > 2000


def test_reply_with_sentences_has_so_many() -> None:
    assert reply("Write 5 sentences about cats").count(".") == 5


@given(st.text(max_size=200))
def test_reply_is_deterministic_text(prompt: str) -> None:
    assert reply(prompt) == reply(prompt)
    assert len(reply(prompt)) < 50_000


def test_topic_of_nothing_is_this() -> None:
    assert topic_of("what is it") == "this"
    assert "this" in prose("this", 1)


def test_reply_to_tool_repeats_the_result() -> None:
    assert reply_to_tool("get_weather", "12 degrees") == "According to get_weather, the answer is: 12 degrees"
    assert reply_to_tool("", " ") == "According to the tool, the answer is: nothing"
