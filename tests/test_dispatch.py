"""The story of a request, told by a whole worker: every way it can go, and what the ledger says of it afterwards."""

import asyncio
import json
import resource
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import pytest
from support.raw_server import Exchange, raw_server
from support.upstreams import on_loop
from support.worker import FAST, FP8, asking, chunks_of, running_worker, text_of, until

from gateway.core.call import Call
from gateway.core.contracts import Answer
from gateway.core.receipt import Receipt
from gateway.fleet.retry_budget import MOST
from gateway.keys import hash_secret
from gateway.surfaces import SURFACES

CHAT = SURFACES["/v1/chat/completions"]
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}]


def ends(row: Receipt) -> tuple[str, str, int]:
    return row.end_reason, row.usage_source, row.status


def attempts(row: Receipt) -> list[str]:
    return [attempt.end for attempt in row.attempts]


def error(body: bytes) -> tuple[str, str | None]:
    """Type and code of an envelope."""
    found = json.loads(body)["error"]
    return found["type"], found["code"]


@on_loop
async def test_serve_whole_answer_is_billed_as_the_upstream_reported(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        answer = await worker.ask("Reply with the single word: pong")
        body = answer.json()
        assert (answer.status_code, body["choices"][0]["message"]["content"]) == (200, "pong")
        (row,) = await worker.rows(1)
        told = worker.upstream.record.calls[0]
        assert ends(row) == ("stop", "reported", 200)
        assert (row.prompt_tokens, row.completion_tokens) == (told.prompt_tokens, told.completion_tokens)
        assert body["usage"]["total_tokens"] == row.prompt_tokens + row.completion_tokens
        assert row.id == answer.headers["x-request-id"]
        assert answer.headers["x-gateway-cost-usd"] == f"{row.cost_nano / 1e9:.9f}"
        assert answer.headers["x-gateway-attempts"] == "1"
        assert body["id"] == "chatcmpl-" + row.id.removeprefix("req_")


@on_loop
async def test_serve_stream_is_billed_as_the_upstream_reported(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        answer = await worker.ask("Count to 9", stream=True, stream_options={"include_usage": True})
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.content.endswith(b"data: [DONE]\n\n")
        (row,) = await worker.rows(1)
        assert ends(row) == ("stop", "reported", 200)
        assert row.ttft_ms is not None
        assert row.stream
        usage = chunks_of(answer.content)[-1]["usage"]
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (row.prompt_tokens, row.completion_tokens)
        whole = await worker.ask("Count to 9")
        assert text_of(answer.content) == whole.json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"", None), (b"{", None), (b"[" * 200_000, None), (b'{"model": "x", "messages": 3}', "invalid_type")],
)
@on_loop
async def test_serve_body_that_is_no_request_is_400_and_costs_nothing(
    store_url: str, body: bytes, code: str | None
) -> None:
    async with running_worker(store_url) as worker:
        answer = await worker.request("POST", "/v1/chat/completions", content=body)
        assert (answer.status_code, error(answer.content)) == (400, ("invalid_request_error", code))
        assert answer.headers["x-gateway-attempts"] == "0"
        assert await worker.rows(0) == []


@on_loop
async def test_serve_key_unknown_is_401_without_naming_it(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        secret = "sk-" + "a" * 49
        headers = {"authorization": f"Bearer {secret}"}
        answer = await worker.request("POST", "/v1/chat/completions", json=asking("hi"), headers=headers)
        assert (answer.status_code, error(answer.content)[1]) == (401, "invalid_api_key")
        assert secret not in answer.text
        assert worker.upstream.record.total == 0


@on_loop
async def test_serve_prompt_counted_in_a_thread_is_the_same_count(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        answer = await worker.ask("word " * 14_000, FAST)
        assert answer.status_code == 200
        (row,) = await worker.rows(1)
        prompt_tokens = int(row.reason.partition(" for ")[2].split()[0])
        assert 14_000 < prompt_tokens < 14_060


@on_loop
async def test_hold_limit_changed_between_requests_is_seen_at_once(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        assert (await worker.ask("hello")).status_code == 200
        await worker.limit(0)
        refused = await worker.ask("hello")
        assert (refused.status_code, error(refused.content)[1]) == (429, "project_spend_limit_exceeded")
        assert refused.headers["x-should-retry"] == "false"
        assert refused.json()["gateway"]["scope"] == "project"
        await worker.limit(10_000)
        assert (await worker.ask("hello")).status_code == 200
        assert len(await worker.rows(2)) == 2


@on_loop
async def test_hold_limit_of_one_model_leaves_the_request_to_the_next(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        first = (await worker.ask("hello", "auto")).headers["x-gateway-model"]
        limit = {"kind": "requests", "window": "minute", "limit": 1, "model": first}
        await worker.admin("POST", f"/projects/{worker.project}/limits", json={"limits": [limit]})
        models = [(await worker.ask("hello", "auto")).headers["x-gateway-model"] for _ in range(3)]
        assert models[0] == first
        assert first not in models[1:]
        pinned = await worker.ask("hello", first)
        assert (pinned.status_code, error(pinned.content)[1]) == (429, "rate_limit_exceeded")
        assert pinned.json()["gateway"] == {
            "scope": "project", "kind": "requests", "window": "minute", "limit": 1, "used": 1, "held": 0,
            "resets_at": pinned.json()["gateway"]["resets_at"], "model": first,
        }  # fmt: skip
        assert 0 < int(pinned.headers["retry-after-ms"]) <= 61_000
        shown = await worker.admin("GET", f"/projects/{worker.project}/limits")
        assert [(each["model"], each["used"], each["remaining"]) for each in shown["data"]] == [(first, 1, 0)]
        rows = await worker.rows(4)
        assert [len(row.attempts) for row in rows] == [1] * 4  # whom a limit left out was never asked


@on_loop
async def test_hold_limits_of_all_models_refuse_a_route(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        models = worker.app._settings.catalog.models
        limits = [{"kind": "requests", "window": "minute", "limit": 0, "model": model} for model in models]
        await worker.admin("POST", f"/projects/{worker.project}/limits", json={"limits": limits})
        assert (await worker.ask("hello", "auto")).status_code == 429
        assert await worker.rows(0) == []


@on_loop
async def test_hold_key_revoked_is_401_on_the_next_request(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        assert (await worker.ask("hello")).status_code == 200
        keys = await worker.admin("GET", f"/projects/{worker.project}/api_keys")
        await worker.admin("DELETE", f"/projects/{worker.project}/api_keys/{keys['data'][0]['id']}")
        answer = await worker.ask("hello")
        assert (answer.status_code, error(answer.content)[1]) == (401, "invalid_api_key")
        assert len(await worker.rows(1)) == 1


@on_loop
async def test_hold_budget_too_small_for_all_grants_what_is_left(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        await worker.limit(1)  # a cent is about 34,000 output tokens; the claim of all choices is more
        answer = await worker.ask("Count to 5", max_tokens=20_000, n=3)
        assert answer.status_code == 200
        assert all((call.max_tokens or 0) < 20_000 for call in worker.upstream.record.calls)
        assert len(await worker.rows(1)) == 1


@pytest.mark.parametrize("stream", [False, True])
@on_loop
async def test_attempt_one_failure_is_repeated_and_noted(store_url: str, stream: bool) -> None:
    async with running_worker(store_url) as worker:
        worker.upstream.set_scenario("rules: [{match: {nth: 1}, set: {error: 3040}}]")
        answer = await worker.ask("hello", stream=stream)
        assert answer.status_code == 200
        (row,) = await worker.rows(1)
        assert attempts(row) == ["capacity", "stop"]
        assert row.attempts[0].upstream_code == 3040
        assert row.attempts[0].cost_nano == 0


@pytest.mark.parametrize("stream", [False, True])
@on_loop
async def test_attempt_falls_back_to_another_model_of_the_route(store_url: str, stream: bool) -> None:
    async with running_worker(store_url) as worker:
        first = (await worker.ask("hello", "auto")).headers["x-gateway-model"]
        worker.upstream.set_scenario(json.dumps({"rules": [{"match": {"model": first}, "set": {"error": 5028}}]}))
        answer = await worker.ask("hello", "auto", stream=stream)
        second = answer.headers["x-gateway-model"]
        assert (answer.status_code, second != first) == (200, True)
        row = (await worker.rows(2))[-1]
        assert [attempt.model for attempt in row.attempts] == [first, second]
        assert (row.model, attempts(row)) == (second, ["retired", "stop"])
        await worker.ask("hello", "auto")
        third = await worker.ask("hello", "auto")  # confirmed by now: not asked again
        assert third.headers["x-gateway-attempts"] == "1"
        assert len(await worker.rows(4)) == 4


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("switches", "status", "code", "made"),
    [
        ("error=3040", 503, "server_is_overloaded", 3),
        ("reset=request", 502, "server_error", 3),
        ("http=502", 502, "server_error", 3),
        ("error=10000", 502, "upstream_not_authorized", 1),
        ("error=5006", 400, None, 1),
        ("error=5021", 400, "context_length_exceeded", 1),
        ("error=5028", 404, "model_not_found", 2),
        ("error=4006", 429, "insufficient_quota", 1),
        ("error=971 retry_after=0.1", 503, "server_is_overloaded", 1),
    ],
)
@on_loop
async def test_attempt_failure_that_lasts_is_told_and_costs_nothing(
    store_url: str, switches: str, status: int, code: str | None, made: int, stream: bool
) -> None:
    async with running_worker(store_url) as worker:
        answer = await worker.ask(f"hello [[sim: {switches}]]", stream=stream)
        assert (answer.status_code, error(answer.content)[1]) == (status, code), answer.text
        assert answer.headers["x-gateway-attempts"] == str(made)
        (row,) = await worker.rows(1)
        assert (row.end_reason, row.status, row.cost_nano, len(row.attempts)) == ("failed", status, 0, made)


@on_loop
async def test_attempt_success_that_says_it_is_none_is_a_failure(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        answer = await worker.ask("hello [[sim: success_false]]")
        assert (answer.status_code, error(answer.content)[1]) == (502, "server_error")
        assert answer.headers["x-gateway-attempts"] == "3"
        assert len(await worker.rows(1)) == 1


@on_loop
async def test_attempt_first_byte_too_late_is_another_attempt(store_url: str) -> None:
    async with running_worker(store_url, upstream={"first_byte_seconds": 0.3}) as worker:
        worker.upstream.set_scenario("rules: [{match: {nth: 1}, set: {stall_after: 0}}]")
        answer = await worker.ask("hello", stream=True)
        assert answer.status_code == 200
        (row,) = await worker.rows(1)
        assert attempts(row) == ["first_byte_timeout", "stop"]


@pytest.mark.parametrize("switch", ["cut_after=3", "reset_after=3", "stop_after=3", "error_after=3"])
@on_loop
async def test_relay_upstream_breaking_in_the_middle_is_an_error_event_and_billed(store_url: str, switch: str) -> None:
    async with running_worker(store_url) as worker:
        answer = await worker.ask(f"Count to 40 [[sim: pace=0.001 {switch}]]", stream=True)
        assert answer.status_code == 200
        last = chunks_of(answer.content)[-1]
        assert last["error"]["code"] in ("server_error", "server_is_overloaded")
        (row,) = await worker.rows(1)
        assert ends(row) == ("cut", "counted", 200)
        assert 0 < row.completion_tokens < 40
        assert len(row.attempts) == 1


@pytest.mark.parametrize("switch", ["cut_after=0", "reset_after=0", "stop_after=0", "error_after=0"])
@on_loop
async def test_attempt_stream_broken_before_its_first_event_is_repeated(store_url: str, switch: str) -> None:
    name, value = switch.split("=")
    async with running_worker(store_url) as worker:
        worker.upstream.set_scenario(f"rules: [{{match: {{nth: 1}}, set: {{{name}: {value}}}}}]")
        answer = await worker.ask("hello", stream=True)
        assert answer.content.endswith(b"data: [DONE]\n\n")
        (row,) = await worker.rows(1)
        assert (len(row.attempts), row.attempts[-1].end, row.end_reason) == (2, "stop", "stop")


@on_loop
async def test_open_json_instead_of_a_stream_is_streamed_all_the_same(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        answer = await worker.ask("Count to 7 [[sim: json_stream]]", stream=True)
        whole = await worker.ask("Count to 7")
        assert text_of(answer.content) == whole.json()["choices"][0]["message"]["content"]
        row = (await worker.rows(2))[0]
        assert ends(row) == ("stop", "reported", 200)


@on_loop
async def test_open_json_instead_of_a_stream_broken_on_its_way_is_repeated(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        worker.upstream.set_scenario("rules: [{match: {nth: 1}, set: {json_stream: true, cut_bytes: 20}}]")
        answer = await worker.ask("Count to 7", stream=True)
        assert answer.content.endswith(b"data: [DONE]\n\n")
        (row,) = await worker.rows(1)
        assert attempts(row) == ["cut", "stop"]


@on_loop
async def test_open_hollow_stream_is_asked_again_without_streaming(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        answer = await worker.ask(
            "Count to 7 [[sim: variant=F tool_call=none]]",
            stream=True,
            tools=TOOLS,
            stream_options={"include_usage": True},
        )
        assert "1" in text_of(answer.content)
        (row,) = await worker.rows(1)
        assert attempts(row) == ["stop", "stop"]  # both were billed upstream
        assert [call.stream for call in worker.upstream.record.calls] == [True, False]
        told = [call.completion_tokens for call in worker.upstream.record.calls]
        assert row.completion_tokens == sum(told)


@pytest.mark.parametrize("chat", [{}, {"commit_after_seconds": 0.001}])
@on_loop
async def test_open_hollow_stream_asked_again_is_held_beside_what_it_has_cost(
    store_url: str, chat: dict[str, float]
) -> None:
    async with running_worker(store_url, chat=chat, routes={"auto": {"models": [FP8], "max_attempts": 1}}) as worker:
        worker.upstream.set_scenario("rules: [{match: {nth: 2}, set: {gate: door}}]")
        text = "Count to 7 [[sim: variant=F tool_call=none delay=0.02]]"
        asked = asyncio.create_task(worker.ask(text, "auto", stream=True, tools=TOOLS))
        await worker.at_gate("door")
        (live,) = worker.ledger.live.values()
        assert live.request.spent_nano > 0
        worker.upstream.open_gate("door")
        assert "1" in text_of((await asked).content)
        (row,) = await worker.rows(1)
        assert attempts(row) == ["stop", "stop"]


@pytest.mark.parametrize("stream", [False, True])
@on_loop
async def test_choices_are_as_many_upstream_calls_and_one_row(store_url: str, stream: bool) -> None:
    async with running_worker(store_url) as worker:
        answer = await worker.ask("Count to 6", n=3, stream=stream)
        (row,) = await worker.rows(1)
        calls = worker.upstream.record.calls
        assert (len(calls), len(row.attempts)) == (3, 3)
        assert row.completion_tokens == sum(call.completion_tokens for call in calls)
        if stream:
            texts = {text_of(answer.content, index) for index in range(3)}
            finishes = [
                choice["index"]
                for chunk in chunks_of(answer.content)
                for choice in chunk["choices"]
                if choice["finish_reason"]
            ]
            assert sorted(finishes) == [0, 1, 2]
        else:
            choices = answer.json()["choices"]
            assert [choice["index"] for choice in choices] == [0, 1, 2]
            texts = {choice["message"]["content"] for choice in choices}
        assert len(texts) == 1
        assert "6" in texts.pop()


@pytest.mark.parametrize("stream", [False, True])
@on_loop
async def test_choices_one_failing_before_the_first_byte_is_another_attempt_for_all(
    store_url: str, stream: bool
) -> None:
    async with running_worker(store_url) as worker:
        worker.upstream.set_scenario("rules: [{match: {nth: 2}, set: {error: 3040}}]")
        answer = await worker.ask("Count to 6", n=3, stream=stream)
        assert answer.status_code == 200
        (row,) = await worker.rows(1)
        assert row.end_reason == "stop"
        assert attempts(row).count("capacity") == 1
        assert len(row.attempts) == 6  # what the other two were billed for is in the row


@on_loop
async def test_choices_one_breaking_in_the_middle_ends_the_stream_with_an_error(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        worker.upstream.set_scenario("rules: [{match: {nth: 2}, set: {cut_after: 4, pace: 0.002}}]")
        answer = await worker.ask("Count to 30 [[sim: pace=0.002]]", n=2, stream=True)
        assert "error" in chunks_of(answer.content)[-1]
        (row,) = await worker.rows(1)
        assert ends(row)[0] == "cut"
        assert len(row.attempts) == 2
        await until(lambda: not worker.upstream.record.running)


@pytest.mark.parametrize("stream", [False, True])
@on_loop
async def test_stop_string_ends_the_answer_before_it(store_url: str, stream: bool) -> None:
    async with running_worker(store_url) as worker:
        answer = await worker.ask('x [[sim: text="one two three four" pace=0.001]]', stop=["three"], stream=stream)
        (row,) = await worker.rows(1)
        assert row.end_reason == "stop"
        if stream:
            assert text_of(answer.content) == "one two "
            assert row.usage_source == "counted"
        else:
            assert answer.json()["choices"][0]["message"]["content"] == "one two "
            assert answer.json()["choices"][0]["finish_reason"] == "stop"
            assert row.usage_source == "reported"


@pytest.mark.parametrize("usage", ["none", "zero"])
@pytest.mark.parametrize("stream", [False, True])
@on_loop
async def test_usage_not_reported_is_counted_and_labelled(store_url: str, stream: bool, usage: str) -> None:
    async with running_worker(store_url) as worker:
        await worker.ask(f"Count to 9 [[sim: usage={usage}]]", stream=stream)
        (row,) = await worker.rows(1)
        assert ends(row) == ("stop", "counted", 200)
        assert row.prompt_tokens > 36
        assert row.completion_tokens > 9


@on_loop
async def test_length_is_the_end_of_an_answer_cut_by_max_tokens(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        whole = await worker.ask("Count to 90", max_tokens=60)
        assert whole.json()["choices"][0]["finish_reason"] == "length"
        await worker.ask("Count to 90", max_tokens=60, stream=True)
        rows = await worker.rows(2)
        assert [row.end_reason for row in rows] == ["length", "length"]


@on_loop
async def test_parameter_changed_on_the_way_is_named_in_a_header(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        answer = await worker.ask("hello", temperature=0.5, parallel_tool_calls=True, reasoning_effort="low")
        assert answer.headers["x-gateway-ignored"] == "reasoning_effort"


def broken_render(_answer: Answer, _call: Call) -> bytes:
    raise ZeroDivisionError("a defect of a surface")


class BrokenEncoder:
    """Breaks at the first piece of text."""

    def __init__(self, call: Call, answer_id: str, created: int, model: str) -> None:
        self._sound = CHAT.stream(call, answer_id, created, model)
        self.start = self._sound.start
        self.finish = self._sound.finish
        self.end = self._sound.end
        self.error = self._sound.error

    def delta(self, index: int, delta: object) -> bytes:
        raise ZeroDivisionError(f"a defect of a surface at {index}: {delta}")


@on_loop
async def test_serve_defect_while_rendering_is_500_with_its_row(
    store_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_worker(store_url) as worker:
        worker.surfaces["/broken"] = replace(CHAT, render=broken_render)
        answer = await worker.ask("hello", path="/broken")
        assert (answer.status_code, error(answer.content)) == (500, ("server_error", None))
        assert "ZeroDivision" not in answer.text
        (row,) = await worker.rows(1)
        assert (row.end_reason, row.status) == ("failed", 500)
        assert row.cost_nano > 0  # the upstream has answered and will bill
        assert row.id == answer.headers["x-request-id"]
        assert row.id in caplog.text


@on_loop
async def test_serve_defect_while_streaming_is_an_error_event_with_its_row(
    store_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_worker(store_url) as worker:
        worker.surfaces["/broken"] = replace(CHAT, stream=BrokenEncoder)
        answer = await worker.ask("Count to 9", path="/broken", stream=True)
        assert answer.status_code == 200
        assert chunks_of(answer.content)[-1]["error"]["type"] == "server_error"
        (row,) = await worker.rows(1)
        assert (row.end_reason, row.status) == ("cut", 200)
        assert row.prompt_tokens > 0
        assert row.id in caplog.text


def broken_parse(_body: object) -> Call:
    raise ZeroDivisionError("a defect of a surface")


@on_loop
async def test_serve_defect_before_the_hold_is_500_without_a_row(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        worker.surfaces["/broken"] = replace(CHAT, parse=broken_parse)
        answer = await worker.ask("hello", path="/broken")
        assert answer.status_code == 500
        assert await worker.rows(0) == []


@pytest.mark.parametrize("stream", [False, True])
@on_loop
async def test_client_gone_while_the_upstream_thinks_is_booked_as_an_estimate(store_url: str, stream: bool) -> None:
    async with running_worker(store_url) as worker:
        async with worker.connection(asking("hi [[sim: gate=door]]", stream=stream)) as client:
            await worker.at_gate("door")
            client.leave()
        (row,) = await worker.rows(1)
        assert ends(row) == ("client_gone", "estimated", 499)
        assert row.prompt_tokens > 36
        assert (row.completion_tokens > 0) is not stream  # a whole answer may have been generated by then


@on_loop
async def test_client_gone_in_the_middle_of_a_stream_is_booked_as_counted(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        async with worker.connection(asking("Count to 30 [[sim: gate_after=9 gate=door]]", stream=True)) as client:
            await client.until(b'"content"')
            await worker.at_gate("door")
            client.leave()
        (row,) = await worker.rows(1)
        assert ends(row) == ("client_gone", "counted", 200)
        assert row.completion_tokens > 0
        await until(lambda: not worker.upstream.record.running)


@on_loop
async def test_client_gone_with_several_choices_open_closes_all_of_them(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        body = asking("Count to 30 [[sim: gate_after=9 gate=door]]", stream=True, n=3)
        async with worker.connection(body) as client:
            await client.until(b'"content"')
            await until(lambda: worker.upstream.state.gates.waiting.get("door") == 3)
            client.leave()
        (row,) = await worker.rows(1)
        assert ends(row) == ("client_gone", "counted", 200)
        assert len(row.attempts) == 3
        await until(lambda: not worker.upstream.record.running)


@on_loop
async def test_client_gone_between_two_attempts_leaves_a_row_that_cost_nothing(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        async with worker.connection(asking("hi [[sim: error=3040 retry_after=8]]")) as client:
            retries = worker.app._dispatch._knowledge._retries
            await until(lambda: retries._saved < MOST)
            client.leave()
            await until(lambda: not worker.ledger.live)
        (row,) = await worker.rows(1)
        assert (row.end_reason, row.cost_nano, attempts(row)) == ("client_gone", 0, ["capacity"])


@on_loop
async def test_client_gone_before_the_body_is_complete_costs_nothing(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        reader, writer = await asyncio.open_connection("127.0.0.1", worker.port)
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {worker.key}\r\n"
        writer.write(head.encode() + b'content-length: 100\r\n\r\n{"model"')
        await writer.drain()
        writer.close()
        assert await reader.read() == b""
        assert await worker.rows(0) == []


@on_loop
async def test_server_going_down_settles_what_is_in_flight(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        async with worker.connection(asking("Count to 30 [[sim: gate_after=9 gate=door]]", stream=True)) as client:
            await client.until(b'"content"')
            await worker.at_gate("door")
            worker.cancel_requests()
            (row,) = await worker.rows(1)
        assert row.usage_source == "counted"


@on_loop
async def test_storm_of_every_ending_leaves_nothing_held_and_all_sums_equal(store_url: str) -> None:
    texts: Mapping[str, int] = {
        "hello": 200,
        "Count to 20 [[sim: cut_after=5]]": 200,
        "hi [[sim: error=10000]]": 502,
        "hi [[sim: usage=none]]": 200,
        "hi [[sim: error=5006]]": 400,
    }
    async with running_worker(store_url) as worker:
        answers = await asyncio.gather(
            *(worker.ask(text, stream=number % 2 == 0 or "cut" in text) for number in range(4) for text in texts)
        )
        assert [answer.status_code for answer in answers] == [*texts.values()] * 4
        rows = await worker.rows(20)
        assert {row.id for row in rows} == {answer.headers["x-request-id"] for answer in answers}


@on_loop
async def test_hold_records_that_never_settle_down_are_503_and_not_a_loop(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        record = worker.layout.project(worker.project)
        await worker.store.command("HSET", record, "v", 99)  # what an interrupted change by hand looks like
        answer = await worker.ask("hello")
        assert (answer.status_code, error(answer.content)[1]) == (503, "store_unavailable")
        assert "retry-after" in answer.headers
        assert await worker.rows(0) == []


@on_loop
async def test_open_upstream_slower_than_the_patience_begins_the_stream_before_it_answers(store_url: str) -> None:
    async with running_worker(store_url, chat={"commit_after_seconds": 0.05}) as worker:
        async with worker.connection(asking("Count to 5 [[sim: gate=door]]", stream=True)) as client:
            await client.until(b'"role":"assistant"')
            await worker.at_gate("door")
            worker.upstream.open_gate("door")
            await client.until(b"[DONE]")
        (row,) = await worker.rows(1)
        assert ends(row) == ("stop", "reported", 200)


@on_loop
async def test_open_upstream_faster_than_the_patience_is_an_ordinary_stream(store_url: str) -> None:
    async with running_worker(store_url, chat={"commit_after_seconds": 10}) as worker:
        refused = await worker.ask("hi [[sim: error=10000]]", stream=True)
        assert refused.status_code == 502
        assert (await worker.ask("hello", stream=True)).content.endswith(b"data: [DONE]\n\n")
        assert len(await worker.rows(2)) == 2


@on_loop
async def test_open_failure_after_an_early_beginning_is_an_error_event_and_no_second_attempt(store_url: str) -> None:
    async with running_worker(store_url, chat={"commit_after_seconds": 0.05}) as worker:
        async with worker.connection(asking("hi [[sim: gate=door error=3040]]", stream=True)) as client:
            await client.until(b'"role":"assistant"')
            worker.upstream.open_gate("door")
            assert b"server_is_overloaded" in await client.until(b"[DONE]")
        (row,) = await worker.rows(1)
        assert (row.end_reason, row.cost_nano, attempts(row)) == ("cut", 0, ["capacity"])


@on_loop
async def test_client_gone_after_an_early_beginning_is_booked_as_an_estimate(store_url: str) -> None:
    async with running_worker(store_url, chat={"commit_after_seconds": 0.05}) as worker:
        async with worker.connection(asking("hi [[sim: gate=door]]", stream=True)) as client:
            await client.until(b'"role":"assistant"')
            client.leave()
        (row,) = await worker.rows(1)
        assert ends(row) == ("client_gone", "estimated", 200)


@on_loop
async def test_choices_more_than_the_configuration_allows_are_refused_by_name(store_url: str) -> None:
    async with running_worker(store_url, chat={"max_choices": 2}) as worker:
        assert (await worker.ask("hello", n=2)).status_code == 200
        refused = await worker.ask("hello", n=3)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "n")
        assert len(await worker.rows(1)) == 1


@on_loop
async def test_stream_piece_is_told_when_it_has_come(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        marker = '[[sim: text="one two three" pace=0.001 gate_after=2 gate=door per_event=1]]'
        async with worker.connection(asking(f"x {marker}", stream=True)) as client:
            await worker.at_gate("door")
            async with asyncio.timeout(10):
                seen = await client.until(b'"content":"one')
                while b"two" not in seen:
                    seen += await client.reader.read(65536)


@on_loop
async def test_stream_headers_count_the_attempt_that_is_open(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        answer = await worker.ask("hello", stream=True)
        assert answer.headers["x-gateway-attempts"] == "1"


@on_loop
async def test_total_seconds_end_a_stream_that_would_go_on(store_url: str) -> None:
    async with running_worker(store_url, upstream={"total_seconds": 0.5}) as worker:
        answer = await worker.ask("Count to 900 [[sim: pace=0.05]]", stream=True)
        assert "error" in chunks_of(answer.content)[-1]
        (row,) = await worker.rows(1)
        assert row.end_reason == "cut"
        assert row.completion_tokens < 900


@on_loop
async def test_client_gone_while_a_stream_request_gets_json_is_billed(store_url: str) -> None:
    async def answer_slowly(exchange: Exchange) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n"
        await exchange.send(head + b'{"result"')
        await exchange.peer_closed()

    async with raw_server(answer_slowly) as server:
        base_url = f"{server.url}/client/v4"
        async with running_worker(store_url, upstream={"base_url": base_url}) as worker:
            async with worker.connection(asking("Count to 9", stream=True)) as client:
                await server.request()
                await until(lambda: worker.ledger.live)
                client.leave()
                await until(lambda: not worker.ledger.live)
            (row,) = await worker.rows(1)
            assert row.end_reason == "client_gone"


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("text", ["hello [[sim: gate=door]]", "hello [[sim: gate=door error=10000]]"])
@pytest.mark.parametrize("stream", [False, True])
@on_loop
async def test_spool_that_breaks_in_flight_gets_the_client_an_envelope(
    store_url: str, *, stream: bool, text: str
) -> None:
    async with running_worker(store_url) as worker:
        asked = asyncio.create_task(worker.ask(text, stream=stream))
        await worker.at_gate("door")
        with largest_file(1):
            worker.upstream.open_gate("door")
            answer = await asked
        is_stream = stream and answer.status_code == 200
        assert "error" in (chunks_of(answer.content)[-1] if is_stream else answer.json())


@on_loop
async def test_refusals_before_the_hold_say_how_limits_stand(store_url: str) -> None:
    limits = [{"kind": "requests", "window": "hour", "limit": 9}, {"kind": "tokens", "window": "day", "limit": 50_000}]
    async with running_worker(store_url) as worker:
        free = await worker.request("POST", "/v1/chat/completions", content=b"{")
        assert not [name for name in free.headers if name.startswith("x-ratelimit")]
        await worker.admin("POST", f"/projects/{worker.project}/limits", json={"limits": limits})
        worker.app._dispatch._keyring.forget(hash_secret(worker.key))  # else it is known by the hold's answer
        served = await worker.ask("hello")
        (row,) = await worker.rows(1)
        refused = [
            await worker.request("POST", "/v1/chat/completions", content=b"{"),
            await worker.ask("hello", temperature="warm"),
            await worker.ask("hello", model="nobody/knows-it"),
            await worker.ask("word " * 200_000),
        ]
        assert [answer.status_code for answer in refused] == [400, 400, 404, 400]
        for answer in refused:
            told = {name: value for name, value in answer.headers.items() if name.startswith("x-ratelimit")}
            assert told.keys() == {name for name in served.headers if name.startswith("x-ratelimit")}
            assert told["x-ratelimit-limit-requests"] == "9"
            assert told["x-ratelimit-remaining-requests"] == "8"  # a refusal uses none
            assert int(told["x-ratelimit-remaining-tokens"]) == 50_000 - row.prompt_tokens - row.completion_tokens
            assert told["x-ratelimit-reset-requests"].startswith(("1h0m", "1h1m"))  # a slot is a minute
