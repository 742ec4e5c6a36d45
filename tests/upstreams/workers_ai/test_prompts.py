"""The turns a model gets to read: one call each, results behind their call, demands in words."""

from gateway.core.answer import ToolCall
from gateway.core.call import Call, Message, ResponseFormat
from gateway.upstreams.workers_ai.prompts import spoken, turns

ONE, TWO = ToolCall("a", "f", '{"x": 1}'), ToolCall("b", "g", "{}")
HI = Message("user", "hi")


def messages(*given: Message) -> list[Message]:
    return spoken(Call("chat", "m", given), describe_format=False)


def test_spoken_plain_messages_are_left_alone() -> None:
    assert messages(Message("system", "s"), HI) == [Message("system", "s"), HI]


def test_spoken_several_calls_become_turns_with_their_results_behind() -> None:
    results = (Message("tool", "2", tool_call_id="b"), Message("tool", "1", tool_call_id="a"), Message("tool", "?"))
    assert messages(HI, Message("assistant", "Let me see.", (ONE, TWO)), *results, HI) == [
        HI,
        Message("assistant", "Let me see.", (ONE,)),
        results[1],
        Message("assistant", "", (TWO,)),
        results[0],
        results[2],
        HI,
    ]


def test_spoken_arguments_that_are_no_json_are_shown_as_a_string() -> None:
    calls = [ToolCall("a", "f", text) for text in ("not json", "", " ", "[" * 100_000)]
    found = [messages(HI, Message("assistant", "", (call,)))[1].tool_calls[0].arguments for call in calls]
    assert found == ['"not json"', "{}", "{}", '"' + "[" * 100_000 + '"']


def test_spoken_demands_join_the_system_message_or_become_one() -> None:
    wanted = ResponseFormat("json_schema", "s", {"type": "object"})
    alone = spoken(Call("chat", "m", (HI,), response_format=wanted), describe_format=True)
    assert [message.role for message in alone] == ["system", "user"]
    joined = spoken(
        Call("chat", "m", (Message("system", "Be kind."), HI), response_format=wanted), describe_format=True
    )
    assert joined[0].content == f"Be kind.\n\n{alone[0].content}"
    silent = spoken(Call("chat", "m", (HI,), response_format=wanted), describe_format=False)
    assert silent == [HI]


def test_turns_carry_calls_and_the_names_of_results() -> None:
    made = turns(
        [Message("assistant", "", (ONE,)), Message("tool", "1", tool_call_id="a"), Message("tool", "2", name="g")]
    )
    assert made[0]["tool_calls"] == [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    ]
    assert (made[1]["tool_call_id"], made[1]["name"]) == ("a", "f")
    assert ("tool_call_id" in made[2], made[2]["name"]) == (False, "g")
