"""The upstream's bad days, one worker: who is asked, who no longer, and what the client hears."""

import json
from typing import Any

import pytest
from support.upstreams import on_loop
from support.worker import FAST, FP8, RunningWorker, running_worker

from gateway.fleet.breakers import FAILURES
from gateway.fleet.retry_budget import MOST

MESSAGES = [{"role": "user", "content": "hello"}]
ONE_TRY = {"auto": {"max_attempts": 1, "models": [FP8, FAST], "policy": "ordered"}}


def scene(worker: RunningWorker, *rules: dict[str, Any]) -> None:
    """Rules of the simulator from now on; each is the switches, and `model` says for whom."""
    made = [{"match": {"model": rule.pop("model")} if "model" in rule else {}, "set": rule} for rule in rules]
    worker.upstream.set_scenario(json.dumps({"rules": made}))


def asked(worker: RunningWorker) -> list[str]:
    """The models asked so far, in order."""
    return [call.model for call in worker.upstream.record.calls]


@on_loop
async def test_capacity_gone_on_one_model_takes_it_out_and_nobody_notices(store_url: str) -> None:
    routes = {"auto": {"models": [FP8, FAST], "policy": "ordered"}}
    async with running_worker(store_url, routes=routes) as worker:
        scene(worker, {"model": FP8, "error": 3040})
        for _ in range(FAILURES + 3):
            answer = await worker.ask("hello", "auto")
            assert (answer.status_code, answer.headers["x-gateway-model"]) == (200, FAST)
        assert asked(worker).count(FP8) == FAILURES
        said = (await worker.request("POST", "/v1/explain", json={"model": "auto", "messages": MESSAGES})).json()
        assert [each["obstacle"] for each in said["excluded"]] == ["resting"]


@on_loop
async def test_slow_model_is_left_for_the_faster_one_once_that_was_seen(store_url: str) -> None:
    routes = {"auto": {"models": [FP8, FAST], "policy": "fastest"}}
    async with running_worker(store_url, routes=routes) as worker:
        scene(worker, {"model": FP8, "first_delay": 0.3})
        answers = [await worker.ask("Count to 30", "auto", stream=True) for _ in range(8)]
        served = [answer.headers["x-gateway-model"] for answer in answers]
        assert set(served[:2]) == {FP8, FAST}  # each is measured first
        assert served[2:] == [FAST] * 6


@on_loop
async def test_model_that_says_nothing_in_time_is_left_for_the_next(store_url: str) -> None:
    routes = {"auto": {"models": [FP8, FAST], "policy": "ordered"}}
    async with running_worker(store_url, routes=routes, upstream={"first_byte_seconds": 0.2}) as worker:
        scene(worker, {"model": FP8, "first_delay": 3})
        for number in range(FAILURES + 1):
            answer = await worker.ask("hello", "auto", stream=True)
            assert answer.headers["x-gateway-model"] == FAST
            assert answer.headers["x-gateway-attempts"] == ("2" if number < FAILURES else "1")


@on_loop
async def test_all_models_down_is_503_with_advice_and_soon_without_asking(store_url: str) -> None:
    async with running_worker(store_url, routes=ONE_TRY) as worker:
        scene(worker, {"http": 502})
        for _ in range(2 * FAILURES):
            assert (await worker.ask("hello", "auto")).status_code == 502
        before = worker.upstream.record.total
        refused = await worker.ask("hello", "auto")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "server_is_overloaded")
        assert 0 < int(refused.headers["retry-after-ms"]) <= 2000
        assert worker.upstream.record.total == before


@pytest.mark.parametrize("code", [4006, 3036])
@on_loop
async def test_quota_used_up_stops_the_account(store_url: str, code: int) -> None:
    async with running_worker(store_url) as worker:
        scene(worker, {"error": code})
        for _ in range(3):
            refused = await worker.ask("hello", "auto")
            error = refused.json()["error"]
            assert (refused.status_code, error["code"]) == (429, "insufficient_quota")
            assert refused.headers["x-should-retry"] == "false"
            assert refused.json()["gateway"]["resets_at"] % 86_400 == 0
        assert worker.upstream.record.total == 1


@on_loop
async def test_api_wide_block_stops_the_account_for_five_minutes(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        scene(worker, {"error": 971})
        for _ in range(3):
            refused = await worker.ask("hello", "auto", stream=True)
            assert refused.status_code == 503
            assert 290 <= int(refused.headers["retry-after"]) <= 300
        assert worker.upstream.record.total == 1


@on_loop
async def test_window_smaller_than_published_is_learned_from_one_refusal(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        scene(worker, {"model": FAST, "window": 24_000})
        text = "word " * 9_000  # fast is the cheaper reader
        first = await worker.ask(text, "auto", max_tokens=14_000)
        assert (first.headers["x-gateway-model"], first.headers["x-gateway-attempts"]) == (FP8, "2")
        second = await worker.ask(text, "auto", max_tokens=14_000)
        assert (second.headers["x-gateway-model"], second.headers["x-gateway-attempts"]) == (FP8, "1")
        short = await worker.ask(text, "auto", max_tokens=500)
        assert short.headers["x-gateway-model"] == FAST
        refused = await worker.ask(text, FAST, max_tokens=14_000)
        assert refused.json()["error"]["message"].startswith("This model's maximum context length is 24000 tokens.")


@on_loop
async def test_retries_in_a_storm_end_with_the_budget(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        scene(worker, {"error": 5021})  # goes elsewhere without a pause, and rests nobody
        storm = 80
        for _ in range(storm):
            assert (await worker.ask("hello", "auto")).status_code == 400
        assert storm + MOST <= worker.upstream.record.total < storm + MOST + 40  # a second earns one, too


@pytest.mark.parametrize("name", ["x-stainless-read-timeout", "x-stainless-timeout"])
@pytest.mark.parametrize("stream", [False, True])
@on_loop
async def test_client_in_a_hurry_is_answered_before_it_hangs_up(store_url: str, name: str, stream: bool) -> None:
    async with running_worker(store_url) as worker:
        body = {"model": FP8, "messages": [{"role": "user", "content": "hi [[sim: gate=never]]"}], "stream": stream}
        answer = await worker.request("POST", "/v1/chat/completions", json=body, headers={name: "0.6"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "server_is_overloaded")
        assert worker.app._dispatch._knowledge.learned().resting == {}
        worker.upstream.open_gate("never")
        (row,) = await worker.rows(1)
        assert row.end_reason == "failed"


@on_loop
async def test_answer_lengths_of_a_key_move_the_cheapest_choice(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        text = "Count to 3. " + "word " * 90
        assert (await worker.ask(text, "auto")).headers["x-gateway-model"] == FP8  # 256 tokens expected: a writer
        for _ in range(20):
            await worker.ask(text, "auto")
        told = await worker.ask(text, "auto")
        assert told.headers["x-gateway-model"] == FAST  # short answers: the cheaper reader
        assert " output tokens" in told.headers["x-gateway-reason"]


@on_loop
async def test_one_odd_word_of_retirement_is_noticed_by_nobody(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        worker.upstream.set_scenario(json.dumps({"rules": [{"match": {"nth": 1}, "set": {"error": 5028}}]}))
        answer = await worker.ask("hello", FP8)
        assert (answer.status_code, answer.headers["x-gateway-attempts"]) == (200, "2")
        assert worker.app._dispatch._knowledge.learned().retired == {}


@on_loop
async def test_retirement_in_the_middle_of_the_day_is_announced(store_url: str) -> None:
    async with running_worker(store_url, routes={"auto": {"models": [FP8, FAST], "policy": "ordered"}}) as worker:
        assert (await worker.ask("hello", "auto")).headers["x-gateway-model"] == FP8
        worker.upstream.set_scenario(json.dumps({"retired": [FP8]}))
        answers = [await worker.ask("hello", "auto") for _ in range(3)]
        assert [answer.headers["x-gateway-model"] for answer in answers] == [FAST] * 3
        assert [answer.headers["x-gateway-attempts"] for answer in answers] == ["2", "2", "1"]
        listed = (await worker.request("GET", "/v1/models")).json()["data"]
        assert {entry["id"]: entry.get("status") for entry in listed}[FP8] == "retired"
        gone = await worker.ask("hello", FP8)
        assert (gone.status_code, gone.json()["error"]["code"]) == (404, "model_not_found")
