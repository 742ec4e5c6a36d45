"""Stream variants, event by event."""

import json
from typing import Any

import pytest
from support.scenes import CALL, scene
from support.simulated import FAST

from gateway.simulator.scene import Scene
from gateway.simulator.streams import events


def decoded(of: Scene) -> list[Any]:
    return [json.loads(event.data) for event in events(of)]


@pytest.mark.parametrize("variant", list("ABCDEFG"))
def test_events_of_every_variant_carry_the_whole_text(variant: str) -> None:
    given = scene("Hello there, 世界! 42 and 007 🌍", variant=variant)
    assert "".join(event.text for event in events(given)) == given.answer.text


@pytest.mark.parametrize("variant", list("ABCDEFG"))
def test_events_of_every_variant_spell_the_text_they_say(variant: str) -> None:
    given = scene("Hello there, 世界! It is 7", variant=variant)
    spelled = ""
    for value in decoded(given):
        if isinstance(value.get("response"), str | int):
            spelled += str(value["response"])
        elif value.get("choices"):
            spelled += value["choices"][0]["delta"].get("content") or ""
    assert spelled == given.answer.text


@pytest.mark.parametrize(
    ("variant", "expected"), [("A", 0), ("B", 1), ("C", 1), ("D", 1), ("E", 1), ("F", 1), ("G", 1)]
)
def test_events_report_the_usage_once_at_the_end(variant: str, expected: int) -> None:
    reporting = [event for event in events(scene(variant=variant)) if event.reports_usage]
    assert len(reporting) == expected
    assert all(json.loads(event.data)["usage"]["total_tokens"] == 30 for event in reporting)


def test_events_of_variant_a_are_bare() -> None:
    assert decoded(scene("New York", variant="A")) == [{"response": "New"}, {"response": " York"}]


def test_events_of_variant_b_end_with_the_end_of_turn_and_the_usage() -> None:
    *texts, end, tail = decoded(scene("Hello!", variant="B"))
    assert [event["response"] for event in texts] == ["Hello", "!"]
    assert all(event["p"] for event in texts)
    assert end == {"response": ""}
    assert tail["response"] == ""
    assert tail["usage"]["completion_tokens"] == 20


def test_events_of_variant_c_have_tool_calls_everywhere_and_one_event_without_response() -> None:
    given = decoded(scene("Hello there", variant="C"))
    assert all(event["tool_calls"] == [] for event in given[:3])
    assert "response" not in given[1]


def test_events_of_variant_e_add_up_to_the_tail() -> None:
    *chunks, tail = decoded(scene("Hello there friend", model=FAST))
    assert sum(chunk["usage"]["completion_tokens"] for chunk in chunks) == tail["usage"]["completion_tokens"] == 20
    assert [chunk["usage"]["prompt_tokens"] for chunk in chunks] == [10] + [0] * (len(chunks) - 1)
    assert sum(chunk["usage"]["neurons"] for chunk in chunks) == pytest.approx(tail["usage"]["neurons"])
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["choices"] == []
    assert "choices" not in tail


def test_events_of_variant_f_lose_the_text_when_tools_are_offered() -> None:
    given = scene("I would say", calls=(), variant="F")
    assert "".join(event.text for event in events(given)) == "I would say"
    with_tools = scene(calls=(CALL,), variant="F")
    values = decoded(with_tools)
    assert values[0] == {"choices": [{"delta": {"content": "", "role": "assistant"}}], "response": "", "tool_calls": []}
    assert len(values) == 3


def test_events_of_variant_g_carry_running_totals() -> None:
    totals = [event["usage"]["completion_tokens"] for event in decoded(scene("a b c", variant="G"))]
    assert totals == [0, 1, 2, 3, 3, 20]


@pytest.mark.parametrize("variant", ["B", "C", "D", "E", "G"])
@pytest.mark.parametrize("style", ["whole", "incremental", "arguments_first"])
def test_events_of_a_tool_call_spell_its_arguments(variant: str, style: str) -> None:
    given = scene(calls=(CALL,), variant=variant, tool_stream=style, null_final=True)
    names, arguments = [], ""
    for value in decoded(given):
        holder = value["choices"][0]["delta"] if value.get("choices") else value
        for call in holder.get("tool_calls", []):
            arguments += call["function"].get("arguments") or ""
            names += [call["function"]["name"]] if call["function"].get("name") else []
    assert names == ["get_weather"]
    assert json.loads(arguments) == CALL.arguments


def test_events_with_arguments_first_name_the_tool_last() -> None:
    values = [event["tool_calls"][0] for event in decoded(scene(calls=(CALL,), tool_stream="arguments_first"))[:-2]]
    assert "name" not in values[0]["function"]
    assert values[-1]["function"] == {"name": "get_weather"}


def test_events_with_null_final_end_the_call_with_nulls() -> None:
    values = decoded(scene(calls=(CALL,), tool_stream="incremental", null_final=True))
    assert {"id": None, "type": None, "index": 0, "function": {"name": None, "arguments": ""}} in [
        call for value in values for call in value.get("tool_calls", [])
    ]


def test_events_of_a_flat_call_carry_an_object() -> None:
    first = decoded(scene(calls=(CALL,), tool_stream="flat"))[0]
    assert first == {"response": "", "tool_calls": [{"name": "get_weather", "arguments": CALL.arguments}]}


def test_events_can_hold_several_tokens() -> None:
    assert decoded(scene("a b c", variant="A", per_event=2)) == [{"response": "a b"}, {"response": " c"}]


def test_events_can_be_followed_by_zero_usage_and_empty_choices() -> None:
    *_, zero, empty = decoded(scene(zero_usage_after=True, empty_choices=True))
    assert zero["usage"]["total_tokens"] == 0
    assert empty["choices"] == []


@pytest.mark.parametrize(
    ("padding", "alphabet"),
    [
        ("gapped", "abdefghijklmnoprstuvxyz1234567890"),
        ("full", "abcdefghijklmnopqrstuvwxyz0123456789"),
        ("base36", "0123456789abcdefghijklmnopqrstuvwxyz"),
    ],
)
def test_events_are_padded_in_the_asked_alphabet(padding: str, alphabet: str) -> None:
    fillers = [event["p"] for event in decoded(scene("a b c d", padding=padding)) if "p" in event]
    assert len(fillers) == 4
    assert all(set(filler) <= set(alphabet) for filler in fillers)


def test_events_without_padding_have_none() -> None:
    assert not any("p" in event for event in decoded(scene(padding="none")))


def test_events_without_usage_have_none() -> None:
    for variant in "BCDEFG":
        assert not any("usage" in event for event in decoded(scene(variant=variant, usage="none")))
