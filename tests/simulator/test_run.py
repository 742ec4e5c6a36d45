"""One call from body to answer: refusals, limits, waiting, and what the record says about it."""

import asyncio
from typing import Any

import httpx2
import pytest
from support.simulated import FAST, FP8, HF, OLD, WEATHER, Caller, asking, calling, until

from gateway.simulator import Limits, SimulatorOptions

pytestmark = pytest.mark.anyio


def code_of(response: httpx2.Response) -> Any:
    return response.json()["errors"][0]["code"]


@pytest.mark.parametrize("model", [FP8, FAST, HF, OLD])
async def test_run_answers_with_the_offset_on_top(caller: Caller, model: str) -> None:
    result = (await caller.ask("hi", model)).json()["result"]
    record, call = caller.simulator.record, caller.last
    assert result["response"] == "Hello! How can I assist you today?"
    assert result["usage"]["prompt_tokens"] == call.counted_prompt_tokens + record.prompt_offset == call.prompt_tokens
    assert result["usage"]["completion_tokens"] == 10 + record.completion_offset == call.completion_tokens
    assert result["usage"]["neurons"] == pytest.approx(call.neurons)
    assert call.counted_prompt_tokens == (11 if model == HF else 36)
    assert (call.end, call.status, call.usage_reported, call.client_gone) == ("answered", 200, True, False)
    assert call.ended is not None


async def test_run_has_the_headers_of_a_model_answer(caller: Caller) -> None:
    response = await caller.ask("hi")
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cf-ai-req-id"] == caller.last.id
    assert response.headers["cf-ray"] == caller.last.ray
    assert float(response.headers["cf-ai-neurons"]) == round(caller.last.neurons, 2)
    bare = await caller.ask("hi [[sim:neurons_header=false request_id_header=false]]")
    assert "cf-ai-neurons" not in bare.headers
    assert "cf-ai-req-id" not in bare.headers


async def test_run_without_secret_offset_reports_true_counts() -> None:
    async with calling(SimulatorOptions(secret_offset=False)) as caller:
        usage = (await caller.ask("hi")).json()["result"]["usage"]
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (36, 10)


async def test_run_counts_with_the_given_function() -> None:
    async with calling(SimulatorOptions(secret_offset=False, count=len)) as caller:
        usage = (await caller.ask("ping")).json()["result"]["usage"]
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (30 + 5 + 4, 5)


async def test_run_by_length_reports_exactly_max_tokens(caller: Caller) -> None:
    result = (await caller.ask("count to 100", max_tokens=20)).json()["result"]
    assert result["usage"]["completion_tokens"] == 20
    assert caller.last.finish == "length"


async def test_run_that_stops_stays_below_max_tokens(caller: Caller) -> None:
    usage = (await caller.ask("hi", max_tokens=11)).json()["result"]["usage"]
    assert usage["completion_tokens"] == 10


async def test_run_takes_reported_numbers_from_switches(caller: Caller) -> None:
    marker = "[[sim:prompt_tokens=5 completion_tokens=6 cached_tokens=4 neurons=1.5]]"
    usage = (await caller.ask("hi " + marker)).json()["result"]["usage"]
    assert usage == {
        "prompt_tokens": 5,
        "completion_tokens": 6,
        "total_tokens": 11,
        "prompt_tokens_details": {"cached_tokens": 4},
        "neurons": 1.5,
    }
    assert (caller.last.prompt_tokens, caller.last.cached_tokens, caller.last.neurons) == (5, 4, 1.5)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, 5006),
        (asking("hi", top_k=51), 400, 5006),
        ({"messages": [{"role": "assistant", "content": None, "tool_calls": []}]}, 400, 5006),
        (asking("hi", max_tokens=40_000), 413, 5021),
        (asking("hi", response_format={"type": "json_object"}), 400, 5025),
    ],
)
async def test_run_refuses_what_the_model_refuses(caller: Caller, body: Any, status: int, code: int) -> None:
    response = await caller.post(body)
    assert (response.status_code, code_of(response)) == (status, code)
    assert response.headers["cf-ai-req-id"] in response.json()["errors"][0]["message"]
    assert list(response.json()) == ["errors", "success", "result", "messages"]
    assert (caller.last.end, caller.last.code, caller.last.prompt_tokens) == ("refused", code, 0)


async def test_run_of_an_unknown_model_is_refused(caller: Caller) -> None:
    response = await caller.ask("hi", "@cf/nobody/nothing")
    assert (response.status_code, code_of(response)) == (400, 5007)
    assert "No such model @cf/nobody/nothing or task" in response.text


@pytest.mark.parametrize(("content", "code"), [(b"", 3003), (b"{", 5006), (b"[]", 5006), (b"nonsense", 5006)])
async def test_run_of_a_body_that_is_no_json_object_is_refused(caller: Caller, content: bytes, code: int) -> None:
    response = await caller.client.post(caller.simulator.run_url(FP8), content=content)
    assert (response.status_code, code_of(response)) == (400, code)


async def test_run_of_a_huge_body_is_refused() -> None:
    async with calling(SimulatorOptions(max_body_bytes=100)) as caller:
        assert code_of(await caller.ask("x" * 200)) == 3003


@pytest.mark.parametrize(
    ("marker", "status", "code"),
    [
        ("error=3040", 429, 3040),
        ("error=3036", 429, 3036),
        ("error=4006", 429, 4006),
        ("error=971", 429, 971),
        ("error=3043", 500, 3043),
        ("error=3007", 408, 3007),
        ("error=3046", 408, 3046),
        ("error=5018", 403, 5018),
        ("error=5035", 403, 5035),
        ("error=5005", 405, 5005),
        ("error=5024", 400, 5024),
        ("retired", 410, 5028),
        ("error=10000", 401, 10000),
        ("error=3040 status=400", 400, 3040),
    ],
)
async def test_run_fails_as_the_marker_says(caller: Caller, marker: str, status: int, code: int) -> None:
    response = await caller.ask(f"hi [[sim:{marker}]]")
    assert (response.status_code, code_of(response)) == (status, code)
    assert "retry-after" not in response.headers


async def test_run_can_send_retry_after_and_other_envelopes(caller: Caller) -> None:
    response = await caller.ask('hi [[sim:error=3040 retry_after=7 envelope=F message="busy now"]]')
    assert response.headers["retry-after"] == "7"
    assert response.json()["errors"]["message"].startswith("busy now (")


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_run_can_answer_with_a_page(caller: Caller, status: int) -> None:
    response = await caller.ask(f"hi [[sim:http={status}]]")
    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/html")


async def test_run_with_a_misspelt_switch_says_so(caller: Caller) -> None:
    response = await caller.ask("hi [[sim:varaint=E]]")
    assert response.status_code == 400
    assert "varaint" in response.text


async def test_run_takes_switches_from_header_and_marker_in_this_order(caller: Caller) -> None:
    response = await caller.post(asking("hi"), x_simulator="error=3040; status=418")
    assert response.status_code == 418
    response = await caller.post(asking("hi [[sim:status=429]]"), x_simulator="error=3040; status=418")
    assert response.status_code == 429


async def test_run_takes_switches_from_a_scenario(caller: Caller) -> None:
    caller.simulator.set_scenario("rules: [{match: {nth: 2}, set: {error: 3040}}]")
    assert [(await caller.ask("hi")).status_code for _ in range(3)] == [200, 429, 200]


async def test_run_of_a_retired_model_is_gone() -> None:
    async with calling(SimulatorOptions(retired=frozenset({HF}))) as caller:
        assert (await caller.ask("hi", HF)).status_code == 410
        assert (await caller.ask("hi", FP8)).status_code == 200


async def test_run_per_minute_and_per_day_are_limited() -> None:
    limits = Limits(per_minute=2, daily_neurons=30)
    async with calling(SimulatorOptions(limits=limits, clock=lambda: 1_800_000_000.0)) as caller:
        marker = "hi [[sim:neurons=20]]"
        assert [(await caller.ask(marker)).status_code for _ in range(3)] == [200, 200, 429]
        assert caller.last.code == 4006
        caller.simulator.advance_clock(86_400)
        assert [code_of(r) if r.status_code != 200 else 200 for r in [await caller.ask("hi") for _ in range(3)]] == [
            200,
            200,
            3040,
        ]


async def test_run_on_busy_hardware_waits_or_is_rejected() -> None:
    async with calling(SimulatorOptions(limits=Limits(capacity=1, queue_length=1))) as caller:
        simulator = caller.simulator
        first = asyncio.create_task(caller.ask("one [[sim:gate=g gate_after=0]]", stream=True))
        await until(lambda: simulator.state.gates.waiting)
        rejected = await caller.ask("two", options={"rejectIfBusy": True})
        assert (rejected.status_code, code_of(rejected)) == (429, 3040)
        second = asyncio.create_task(caller.ask("three"))
        await until(lambda: len(simulator.record.running) == 2)
        assert (await caller.ask("four")).status_code == 429
        assert not second.done()
        simulator.open_gate("g")
        assert [(await call).status_code for call in (first, second)] == [200, 200]
        assert simulator.record.peak_running == 3


async def test_run_with_a_queue_switch_waits_unless_it_must_not(caller: Caller) -> None:
    assert (await caller.ask("hi [[sim:queue=0.001]]")).status_code == 200
    rejected = await caller.ask("hi [[sim:queue=0.001]]", options={"rejectIfBusy": True})
    assert (rejected.status_code, code_of(rejected)) == (429, 3040)
    url = caller.simulator.run_url(FP8) + "?rejectIfBusy=true"
    assert (await caller.client.post(url, json=asking("hi [[sim:queue=1]]"))).status_code == 429


async def test_run_waits_at_a_gate_until_it_is_opened(caller: Caller) -> None:
    waiting = asyncio.create_task(caller.ask("hi [[sim:gate=door tag=blue]]"))
    await until(lambda: caller.simulator.state.gates.waiting.get("door"))
    assert not waiting.done()
    caller.simulator.open_gate("door")
    assert (await waiting).status_code == 200
    assert caller.simulator.record.peaks["tag:blue"] == 1
    assert caller.last.tag == "blue"


@pytest.mark.parametrize("marker", ["gate=never", "delay=60", "queue=60"])
async def test_run_records_a_client_that_left_while_waiting(caller: Caller, marker: str) -> None:
    waiting = asyncio.create_task(caller.ask(f"hi [[sim:{marker}]]"))
    await until(lambda: caller.simulator.record.running)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await until(lambda: not caller.simulator.record.running)
    assert (caller.last.end, caller.last.client_gone, caller.last.prompt_tokens) == ("client_gone", True, 0)


async def test_run_does_the_tool_loop(caller: Caller) -> None:
    for model in (FP8, FAST):
        first = (await caller.ask("What is the weather in London?", model, tools=[WEATHER])).json()["result"]
        assert first["tool_calls"] == [{"name": "get_weather", "arguments": {"location": "London"}}]
        messages = [
            {"role": "user", "content": "What is the weather in London?"},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "function": {"name": "get_weather"}}]},
            {"role": "tool", "content": "rain", "tool_call_id": "a"},
        ]
        second = (await caller.post({"messages": messages, "tools": [WEATHER]}, model)).json()["result"]
        assert second["response"] == "According to get_weather, the answer is: rain"


async def test_run_in_json_mode_answers_an_object(caller: Caller) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    response = await caller.ask("I have 3", FAST, response_format={"type": "json_schema", "json_schema": schema})
    assert response.json()["result"]["response"] == {"n": 3}
    assert response.json()["result"]["choices"][0]["message"]["content"] == '{"n": 3}'
    impossible = await caller.ask("x", FAST, response_format={"type": "json_schema", "json_schema": {"enum": []}})
    assert code_of(impossible) == 5024


async def test_run_remembers_body_and_affinity(caller: Caller) -> None:
    await caller.post(asking("hi"), x_session_affinity="s1")
    assert caller.last.affinity == "s1"
    assert caller.last.body is not None
    assert '"hi"' in caller.last.body
