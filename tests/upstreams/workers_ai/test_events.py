"""Streams: every golden case at every cut, and properties over any sequence of legal events."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.upstream_cases import Case, call_of, granted, hear, load, names, reader_for, same_id, stream_bytes

from gateway.core.answer import Delta, Failure, Finish, Usage
from gateway.core.call import Call, Message, Tool
from gateway.upstreams.workers_ai.events import stream

PLAIN = Call("chat", "auto", (Message("user", "hi"),), stream=True)


def check(case: Case, chunks: list[bytes]) -> None:
    heard = hear(reader_for(call_of(case), granted(case)), chunks)
    assert heard.text == case["text"]
    assert heard.finish == case["finish"]
    assert (heard.failure.kind if heard.failure else None) == case["failure"]
    assert heard.usage == (Usage(**case["usage"]) if case["usage"] else None)
    assert len(heard.calls) == len(case["calls"])
    for made, (expected_id, name, arguments) in zip(heard.calls, case["calls"], strict=True):
        assert same_id(expected_id, made.id)
        assert (made.name, made.arguments) == (name, arguments)
    assert heard.counted.startswith(case["text"][:1])


@pytest.mark.parametrize("name", names("streams"))
def test_stream_case_whole_gives_what_its_file_says(name: str) -> None:
    check(load("streams", name), [stream_bytes(name)])


@pytest.mark.parametrize("name", names("streams"))
def test_stream_case_byte_by_byte_gives_the_same(name: str) -> None:
    data = stream_bytes(name)
    check(load("streams", name), [data[at : at + 1] for at in range(len(data))])


@pytest.mark.parametrize("name", names("streams"))
def test_stream_case_at_every_cut_gives_the_same(name: str) -> None:
    data, case = stream_bytes(name), load("streams", name)
    for at in range(1, len(data)):
        check(case, [data[:at], data[at:]])


def test_stream_billed_but_empty_is_hollow() -> None:
    case = load("streams", "f-hybrid-empty")
    assert hear(reader_for(call_of(case), 100), [stream_bytes("f-hybrid-empty")]).is_hollow
    text = load("streams", "b-padding-and-tail")
    assert not hear(reader_for(call_of(text), 100), [stream_bytes("b-padding-and-tail")]).is_hollow


def test_stream_minted_ids_differ_between_requests_choices_and_calls() -> None:
    data = b'data: {"tool_calls":[{"name":"f","arguments":{}},{"name":"f","arguments":{}}]}\n\ndata: [DONE]\n\n'
    ids = []
    for request_id in ("req_1:0", "req_1:1", "req_2:0"):
        call = Call("chat", "auto", (Message("user", "hi"),), tools=(Tool("f", "", {}),), request_id=request_id)
        ids += [made.id for made in hear(reader_for(call, 100), [data]).calls]
    assert len(set(ids)) == 6


def test_decoder_after_its_end_says_nothing() -> None:
    decoder = stream(PLAIN, 10)
    assert decoder.event(b"[DONE]") == (Finish("stop"),)
    assert decoder.ended
    assert decoder.event(b'{"response":"x"}') == ()
    assert decoder.close() == ()


def test_decoder_close_without_end_mark_is_cut() -> None:
    decoder = stream(PLAIN, 10)
    assert decoder.event(b'{"response":"x"}') == (Delta("x"),)
    (last,) = decoder.close()
    assert isinstance(last, Failure)
    assert last.kind == "cut"


def test_decoder_nested_to_the_heavens_is_malformed() -> None:
    (failure,) = stream(PLAIN, 10).event(b'{"zz":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    assert isinstance(failure, Failure)
    assert failure.kind == "malformed"


# --- any sequence of legal events ---------------------------------------------------------------------------------

words = st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFFF), min_size=1, max_size=8)


def native(text: str) -> dict[str, Any]:
    return {"response": text, "p": "abc"}


def openai(text: str) -> dict[str, Any]:
    usage = {"prompt_tokens": 0, "completion_tokens": 1, "total_tokens": 1}
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}], "usage": usage}


def hybrid(text: str) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": text}}], "response": text, "tool_calls": []}


texts = st.lists(st.tuples(st.sampled_from([native, openai, hybrid]), words), max_size=12)
silent = st.sampled_from([{"response": ""}, {"tool_calls": [], "p": "x"}, {"p": "y"}, {"choices": []}])
tails = st.sampled_from([None, (7, 3), (755, 10)])
separators = st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\r"])


@given(texts, silent, tails, separators, st.booleans(), st.lists(st.integers(0, 4000), max_size=6), st.data())
def test_stream_of_any_legal_events_gives_their_text_at_any_slicing(
    made: list[tuple[Any, str]],
    nothing: dict[str, Any],
    tail: tuple[int, int] | None,
    separator: bytes,
    escaped: bool,
    cuts: list[int],
    data: st.DataObject,
) -> None:
    events = [shape(text) for shape, text in made]
    events.insert(data.draw(st.integers(0, len(events))), nothing)
    if tail is not None:
        events.append({"response": "", "usage": {"prompt_tokens": tail[0], "completion_tokens": tail[1]}})
    encoded = [json.dumps(event, ensure_ascii=escaped).encode() for event in events] + [b"[DONE]"]
    body = b"".join(b"data: " + event + separator for event in encoded)
    edges = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    chunks = [body[start:end] for start, end in itertools.pairwise(edges)]
    heard = hear(reader_for(PLAIN, 4096), chunks)
    assert heard.text == heard.counted == "".join(text for _, text in made)
    assert heard.finish == "stop"
    if tail is not None:
        assert heard.usage == Usage(*tail)
    else:
        assert heard.usage is None


@given(st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFFF), max_size=12), st.data())
def test_stream_with_tools_tells_any_text_that_is_no_call(tail: str, data: st.DataObject) -> None:
    text = (
        data.draw(st.sampled_from(["", "{", "[", '{"name": "ge', "```json", "<|python_tag|>", "<function=", " "]))
        + tail
    )
    cut = data.draw(st.integers(0, len(text)))
    events = [{"response": text[:cut]}, {"response": text[cut:]}]
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"
    call = Call("chat", "auto", (Message("user", "hi"),), tools=(Tool("get_weather", "", {}),))
    heard = hear(reader_for(call, 100), [body])
    assert heard.text == text
    assert heard.finish == "stop"


@given(st.lists(st.dictionaries(words, st.one_of(st.integers(), words)), min_size=1, max_size=4), st.integers(1, 9))
def test_stream_of_fragmented_calls_gives_their_arguments(made: list[dict[str, Any]], size: int) -> None:
    events: list[dict[str, Any]] = []
    for index, arguments in enumerate(made):
        text = json.dumps(arguments)
        events.append({"tool_calls": [{"index": index, "id": f"call_{index}", "function": {"name": "f"}}]})
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        events += [{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in pieces]
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"
    call = Call("chat", "auto", (Message("user", "hi"),), tools=(Tool("f", "", {}),))
    heard = hear(reader_for(call, 100), [body])
    assert [json.loads(found.arguments) for found in heard.calls] == made
    assert heard.finish == "tool_calls"


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_stream_of_any_bytes_ends_in_one_last_event(chunks: list[bytes]) -> None:
    hear(reader_for(PLAIN, 10), chunks)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(
    ["response", "choices", "tool_calls", "usage", "finish_reason", "delta", "content", "function", "name", "arguments"]
)
odd_events = st.dictionaries(
    fields,
    json_values | st.lists(st.dictionaries(fields, json_values | st.dictionaries(fields, json_values))),
    max_size=4,
)


@given(st.lists(odd_events, max_size=4))
def test_stream_of_odd_json_never_raises(events: list[dict[str, Any]]) -> None:
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    hear(reader_for(PLAIN, 10), [body])
