"""Answers on the wire: pace, slices, endings, and every way to break off."""

import asyncio
import json

import httpx2
import pytest
from support.simulated import FAST, FP8, WEATHER, Caller, asking, events_of, until

pytestmark = pytest.mark.anyio


async def raw(caller: Caller, text: str, model: str = FP8) -> bytes:
    return (await caller.ask(text, model, stream=True)).content


async def partly(caller: Caller, text: str) -> tuple[bytes, Exception | None]:
    """What arrives of a stream, and the error that ended it."""
    received = b""
    try:
        url, body = caller.simulator.run_url(FP8), asking(text, stream=True)
        async with caller.client.stream("POST", url, json=body) as response:
            async for part in response.aiter_raw():
                received += part
    except httpx2.TransportError as trouble:
        return received, trouble
    return received, None


async def test_stream_of_a_native_model_ends_with_its_usage(caller: Caller) -> None:
    *_, tail = await caller.stream("count to 5")
    assert tail["usage"]["prompt_tokens"] == caller.last.prompt_tokens
    assert tail["usage"]["completion_tokens"] == caller.last.completion_tokens
    assert tail["usage"]["neurons"] == pytest.approx(caller.last.neurons)
    assert (caller.last.variant, caller.last.stream, caller.last.usage_reported) == ("B", True, True)


async def test_stream_of_a_fast_model_is_chunks_with_a_native_tail(caller: Caller) -> None:
    first, *_, tail = await caller.stream("count to 5", FAST)
    assert first["object"] == "chat.completion.chunk"
    assert tail["usage"]["completion_tokens"] == caller.last.completion_tokens
    assert caller.last.variant == "E"


@pytest.mark.parametrize("variant", list("ABCDEFG"))
async def test_stream_in_each_variant_has_a_matching_record(caller: Caller, variant: str) -> None:
    events = await caller.stream(f"count to 5 [[sim:variant={variant}]]")
    call = caller.last
    assert (call.variant, call.events_sent, call.end) == (variant, len(events), "answered")
    if variant == "A":
        assert (call.usage_reported, call.prompt_tokens) == (False, call.counted_prompt_tokens)
        assert call.completion_tokens == call.counted_completion_tokens
    else:
        assert call.usage_reported
        totals = max(event.get("usage", {}).get("total_tokens", 0) for event in events)
        assert totals == call.prompt_tokens + call.completion_tokens


@pytest.mark.parametrize(
    ("marker", "tail"),
    [
        ("ending=bare", b"\n\n[DONE]\n"),
        ("ending=no_blank", b"\n\ndata: [DONE]\n"),
        ("ending=no_newline", b"\n\ndata: [DONE]"),
        ("ending=done newline=crlf", b"\r\n\r\ndata: [DONE]\r\n\r\n"),
        ("newline=cr", b"\r\rdata: [DONE]\r\r"),
        ("space=false", b"\n\ndata:[DONE]\n\n"),
        ("variant=G", b"\n\n[DONE]\n"),
    ],
)
async def test_stream_ends_as_asked(caller: Caller, marker: str, tail: bytes) -> None:
    assert (await raw(caller, f"hi [[sim:{marker}]]")).endswith(tail)


async def test_stream_without_end_mark_ends_with_the_usage(caller: Caller) -> None:
    body = await raw(caller, "hi [[sim:ending=missing]]")
    assert b"[DONE]" not in body
    assert "usage" in events_of(body)[-1]
    assert caller.last.end == "answered"


async def test_stream_has_comments_between(caller: Caller) -> None:
    assert (await raw(caller, "count to 4 [[sim:comment_every=2]]")).count(b": simulated comment\n\n") >= 3


@pytest.mark.parametrize("marker", ["slice_every=1", "slice_every=7", "slice_at=1,2,30,31"])
async def test_stream_in_slices_is_the_same_stream(caller: Caller, marker: str) -> None:
    text = "say größer 世界 🌍"
    whole = events_of(await raw(caller, f"{text} [[sim:padding=none]]"))
    sliced = events_of(await raw(caller, f"{text} [[sim:padding=none {marker}]]"))
    for events in (whole, sliced):
        events[-1].pop("usage")
    assert sliced == whole


async def test_stream_answered_as_a_document(caller: Caller) -> None:
    response = await caller.ask("hi [[sim:json_stream]]", stream=True)
    assert response.headers["content-type"] == "application/json"
    assert response.json()["result"]["response"].startswith("Hello")


async def test_stream_with_tools_in_variant_f_is_empty_but_billed(caller: Caller) -> None:
    events = await caller.stream("hi [[sim:variant=F]]", tools=[WEATHER])
    assert not any(event.get("response") for event in events)
    assert caller.last.completion_tokens > 1


async def test_stream_of_a_tool_call(caller: Caller) -> None:
    native = await caller.stream("Weather in London?", tools=[WEATHER])
    assert native[0]["tool_calls"][0]["function"]["name"] == "get_weather"
    assert native[1] == {"finish_reason": "tool_calls"}
    chunks = await caller.stream("Weather in London?", FAST, tools=[WEATHER])
    pieces = [
        call["function"].get("arguments", "")
        for chunk in chunks
        if chunk.get("choices")
        for call in chunk["choices"][0]["delta"].get("tool_calls", [])
    ]
    assert json.loads("".join(pieces)) == {"location": "London"}


@pytest.mark.parametrize("after", [0, 1, 3])
async def test_stream_cut_after_events_ends_without_its_end(caller: Caller, after: int) -> None:
    body, trouble = await partly(caller, f"count to 9 [[sim:cut_after={after}]]")
    assert isinstance(trouble, httpx2.RemoteProtocolError)
    assert len(events_of(body)) == after
    call = caller.last
    assert (call.end, call.events_sent, call.usage_reported) == ("cut", after, False)
    assert call.completion_tokens == after
    assert call.prompt_tokens == call.counted_prompt_tokens


async def test_stream_cut_before_the_end_mark_has_reported_its_usage(caller: Caller) -> None:
    events = len(await caller.stream("hi"))
    body, trouble = await partly(caller, f"hi [[sim:cut_after={events}]]")
    assert trouble is not None
    assert b"[DONE]" not in body
    assert (caller.last.usage_reported, caller.last.end) == (True, "cut")
    assert caller.last.prompt_tokens > caller.last.counted_prompt_tokens


async def test_stream_cut_at_a_byte_ends_inside_an_event(caller: Caller) -> None:
    body, trouble = await partly(caller, "count to 9 [[sim:cut_bytes=10]]")
    assert body == b'data: {"re'
    assert trouble is not None


async def test_stream_stopped_after_events_ends_like_a_whole_one(caller: Caller) -> None:
    body, trouble = await partly(caller, "count to 9 [[sim:stop_after=2]]")
    assert trouble is None
    assert (len(events_of(body)), b"[DONE]" in body) == (2, False)
    assert caller.last.end == "stopped"


async def test_stream_with_an_error_event_ends_with_it(caller: Caller) -> None:
    body, trouble = await partly(caller, "count to 9 [[sim:error_after=1]]")
    assert trouble is None
    assert events_of(body)[-1] == {"success": False, "errors": [{"message": "overloaded"}]}


@pytest.mark.parametrize("marker", ["reset=request", "reset=headers", "reset_after=0", "reset_after=2"])
@pytest.mark.parametrize("stream", [True, False])
async def test_connection_is_reset(caller: Caller, marker: str, stream: bool) -> None:
    if not stream and "after" in marker:
        marker = "reset=headers"
    with pytest.raises(httpx2.TransportError):
        await caller.ask(f"count to 9 [[sim:{marker}]]", stream=stream)
    assert caller.last.end == "reset"


async def test_document_cut_at_a_byte_is_incomplete(caller: Caller) -> None:
    with pytest.raises(httpx2.RemoteProtocolError):
        await caller.ask("hi [[sim:cut_bytes=9]]")
    assert (caller.last.end, caller.last.bytes_sent, caller.last.usage_reported) == ("cut", 9, False)


async def test_document_with_success_false_is_a_200(caller: Caller) -> None:
    response = await caller.ask("hi [[sim:success_false]]")
    assert (response.status_code, response.json()["success"]) == (200, False)


@pytest.mark.parametrize("marker", ["stall_after=2", "gate=never gate_after=2"])
async def test_stream_that_waits_notices_a_client_that_left(caller: Caller, marker: str) -> None:
    url, body = caller.simulator.run_url(FP8), asking(f"count to 9 [[sim:{marker}]]", stream=True)
    async with caller.client.stream("POST", url, json=body) as response:
        async for part in response.aiter_raw():
            if part:
                break
        (running,) = caller.simulator.record.running.values()
        await until(lambda: running.events_sent == 2)
    await until(lambda: not caller.simulator.record.running)
    call = caller.last
    assert (call.end, call.client_gone, call.events_sent, call.completion_tokens) == ("client_gone", True, 2, 2)
    assert not call.usage_reported


async def test_stream_at_a_gate_goes_on_when_it_opens(caller: Caller) -> None:
    waiting = asyncio.create_task(caller.stream("count to 3 [[sim:gate=g gate_after=1]]"))
    await until(lambda: caller.simulator.state.gates.waiting)
    caller.simulator.open_gate("g")
    assert "usage" in (await waiting)[-1]


async def test_stream_with_pace_and_first_delay_is_complete(caller: Caller) -> None:
    events = await caller.stream("count to 3 [[sim:pace=0.001 first_delay=0.001]]")
    assert caller.last.events_sent == len(events)


async def test_record_is_complete_before_the_last_byte(caller: Caller) -> None:
    for stream in (True, False):
        await caller.ask("hi", stream=stream)
        assert (caller.last.end, caller.simulator.record.running) == ("answered", {})
