"""Explaining a request says what serving it does, and does nothing."""

import json
import random
import time
from typing import Any

import pytest
from support.upstreams import on_loop
from support.worker import FAST, FP8, RunningWorker, asking, running_worker

from gateway.core.records import Rules
from gateway.fleet.notes import Health, Note, Rest, Window

ROUTES = {
    "auto": {"policy": "cheapest", "fallback_for_pinned": True},
    "windows": {"policy": "smallest_sufficient_window", "models": [FP8, FAST, "llama-3-8b-instruct"]},
    "listed": {"policy": "ordered", "models": [FAST, FP8]},
    "frugal": {"policy": "largest_window", "models": [FAST, FP8], "max_cost_usd": 0.0003},
}
HF = "@hf/meta-llama/meta-llama-3-8b-instruct"
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]


async def explain(worker: RunningWorker, body: dict[str, Any]) -> Any:  # decoded JSON
    return await worker.request("POST", "/v1/explain", json=body)


@on_loop
async def test_explain_shows_order_costs_and_the_hold(store_url: str) -> None:
    async with running_worker(store_url, routes=ROUTES) as worker:
        answer = await explain(worker, asking("word " * 9_000, "windows", max_tokens=1000, n=2))
        assert answer.status_code == 200
        said = answer.json()
        prompt = said["prompt_tokens"]
        assert (said["route"], said["policy"], said["choices"]) == ("windows", "smallest_sufficient_window", 2)
        assert [each["model"] for each in said["candidates"]] == [FP8, FAST]
        assert [each["score"] for each in said["candidates"]] == [32_000, 128_000]
        assert said["candidates"][0]["reason"] == "window of 32000 tokens is enough"
        (excluded,) = said["excluded"]
        assert (excluded["obstacle"], excluded["reason"]) == ("window", "its window of 8192 tokens is too small")
        assert said["expected_cost_usd"] == pytest.approx(2 * (prompt * 0.152 + 256 * 0.287) / 1e6, abs=2e-9)
        assert said["maximum_cost_usd"] == pytest.approx(2 * (prompt * 0.152 + 1000 * 0.287) / 1e6, abs=4e-9)
        assert said["hold"] == {"requests": 1, "tokens": 2 * (prompt + 1000), "cost_usd": said["maximum_cost_usd"]}
        assert worker.upstream.record.total == 0
        assert await worker.rows(0) == []


def random_request(dice: random.Random) -> dict[str, Any]:
    model = dice.choice(["auto", "windows", "listed", "frugal", FP8, "llama-3-8b-instruct", "gpt-9"])
    body = asking("word " * dice.choice([1, 60, 900, 9_000, 26_000]), model)
    if dice.random() < 0.6:
        body["max_tokens"] = dice.choice([1, 40, 1_000, 30_000, 200_000])
    if dice.random() < 0.2:
        body["n"] = dice.choice([2, 3, 99])
    if dice.random() < 0.2:
        body["tools"] = TOOLS
    if dice.random() < 0.3:
        body["stream"] = True
    if dice.random() < 0.1:
        body["temperature"] = "hot"
    return body


def random_rules(dice: random.Random) -> Rules:
    """Half of the time none."""
    models = dice.choice([None, None, (FP8,), (FAST, HF), (FP8, FAST)])
    routes = dice.choice([None, None, ("auto", "listed"), ("windows",)])
    return Rules(allowed_models=models, allowed_routes=routes)


def random_health(dice: random.Random, at: float) -> list[Note]:
    """What other workers may have found out: mostly that all is well."""
    now = time.time()
    found = [Note(model, at, Rest(now + 60, 1) if dice.random() < 0.3 else Rest(0.0, 0)) for model in (FP8, FAST, HF)]
    retired = 2 if dice.random() < 0.3 else 0
    return [*found, Note(HF, now, Health(retired, now, is_proven=not retired)), Note(FP8, now, Window(24_000))]


@on_loop
async def test_explain_of_any_request_is_what_serving_it_does(store_url: str) -> None:
    dice = random.Random(4)
    kinds = set()
    async with running_worker(store_url, routes=ROUTES) as worker:
        for number in range(120):
            body = random_request(dice)
            if number % 6 == 0:
                await worker.set_rules(random_rules(dice))
                worker.app._fleet.knowledge.learn(random_health(dice, 1e9 + number))
            explained = await explain(worker, body)
            served = await worker.request("POST", "/v1/chat/completions", json=body)
            kinds.add(explained.status_code)
            assert served.status_code == explained.status_code, (body, served.text, explained.text)
            if explained.status_code != 200:
                assert served.json() == explained.json()
                continue
            said = explained.json()
            told = said["candidates"][0]
            assert served.headers["x-gateway-attempts"] == str(said["choices"])
            assert served.headers["x-gateway-model"] == told["model"]
            assert served.headers["x-gateway-reason"] == told["reason"]
            assert served.headers["x-gateway-route"] == said["route"]
            assert worker.upstream.record.calls[-1].max_tokens == told["max_tokens"]
    assert kinds == {200, 400, 403, 404, 503}


@pytest.mark.parametrize(
    ("method", "key", "body", "status"),
    [("GET", None, b"", 405), ("POST", "sk-nobody", b"{}", 401), ("POST", None, b"{", 400), ("POST", None, b"{}", 400)],
)
@on_loop
async def test_explain_refuses_what_is_no_request(
    store_url: str, method: str, key: str | None, body: bytes, status: int
) -> None:
    async with running_worker(store_url) as worker:
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        answer = await worker.request(method, "/v1/explain", content=body, headers=headers)
        assert answer.status_code == status
        assert set(json.loads(answer.content)["error"]) == {"message", "type", "param", "code"}
        assert answer.headers["x-request-id"].startswith("req_")
