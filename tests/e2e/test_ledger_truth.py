"""The ledger against the other side's own record: rows = what the simulator reported = roll-ups = counters."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from support.gateway import GatewayProcess, gateway, simulator

from gateway.simulator import Simulator

FP8 = "@cf/meta/llama-3.1-8b-instruct-fp8"
PRICES = {FP8: (152, 287), "@cf/meta/llama-3.1-8b-instruct-fast": (45, 384)}  # nano-dollars per token
PROMPTS = ["Hello", "Count to 12", "Reply with the single word: pong", "Grüße, 世界 🌍", "What is Redis?"]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Simulator]:
    with simulator() as started:
        yield started


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, upstream: Simulator) -> Iterator[GatewayProcess]:
    with gateway(tmp_path_factory.mktemp("truth"), upstream) as started:
        for number, prompt in enumerate(PROMPTS * 2):
            body: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": prompt}]}
            if number % 3 == 1:
                body["model"] = "llama-3.1-8b-instruct-fast"
            if number % 2:
                body |= {"stream": True, "max_tokens": 40}
            assert started.chat(body).status_code == 200
        yield started


@pytest.fixture(scope="module")
def rows(product: GatewayProcess) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 60
    while len(found := product.rows()) < 2 * len(PROMPTS):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_rows_equal_the_upstreams_record_token_for_token(upstream: Simulator, rows: list[dict[str, Any]]) -> None:
    theirs = Counter((call.model, call.prompt_tokens, call.completion_tokens) for call in upstream.record.calls)
    ours = Counter((row["model"], row["prompt_tokens"], row["completion_tokens"]) for row in rows)
    assert ours == theirs
    assert {row["usage_source"] for row in rows} == {"reported"}


def test_rows_cost_their_tokens_at_the_book_price(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        price_in, price_out = PRICES[row["model"]]
        assert row["cost_nano"] == row["prompt_tokens"] * price_in + row["completion_tokens"] * price_out


def test_rows_carry_the_neurons_the_upstream_reported(upstream: Simulator, rows: list[dict[str, Any]]) -> None:
    theirs = sum(call.neurons for call in upstream.record.calls)
    assert sum(row["neurons"] for row in rows) == pytest.approx(theirs, abs=1e-6)


def test_rows_have_every_promised_field(rows: list[dict[str, Any]]) -> None:
    promised = {
        "id", "created", "project_id", "api_key_id", "surface", "requested_model", "model", "prompt_tokens",
        "completion_tokens", "cost_nano", "neurons", "usage_source", "price_source", "end_reason", "status",
        "latency_ms", "ttft_ms", "upstream", "attempts",
    }  # fmt: skip
    for row in rows:
        assert promised <= set(row)


def test_usage_and_costs_equal_the_rows(product: GatewayProcess, rows: list[dict[str, Any]]) -> None:
    start = int(time.time()) - 86_400
    usage = product.admin("GET", "/usage/completions", params={"start_time": start, "bucket_width": "1h", "limit": 48})
    results = [entry for bucket in usage["data"] for entry in bucket["results"]]
    assert sum(entry["num_model_requests"] for entry in results) == len(rows)
    assert sum(entry["input_tokens"] for entry in results) == sum(row["prompt_tokens"] for row in rows)
    assert sum(entry["output_tokens"] for entry in results) == sum(row["completion_tokens"] for row in rows)
    costs = product.admin("GET", "/costs", params={"start_time": start, "limit": 3})
    dollars = sum(entry["amount"]["value"] for bucket in costs["data"] for entry in bucket["results"])
    assert round(dollars * 1e9) == sum(row["cost_nano"] for row in rows)


def test_counters_equal_the_rows_and_nothing_is_held(product: GatewayProcess, rows: list[dict[str, Any]]) -> None:
    project = rows[0]["project_id"]
    product.admin(
        "POST",
        f"/projects/{project}/spend_limit",
        json={"threshold_amount": 1, "currency": "USD", "interval": "month"},
    )
    spent = sum(row["cost_nano"] for row in rows)
    body = {"model": FP8, "messages": [{"role": "user", "content": "x " * 25_000}], "max_tokens": 300, "n": 3}
    refused = product.chat(body)
    assert refused.status_code == 429, refused.text
    details = refused.json()["gateway"]
    assert (details["used"], details["held"], details["limit"]) == (spent, 0, 10_000_000)
    product.admin("DELETE", f"/projects/{project}/spend_limit")


def test_streamed_usage_equals_the_row(product: GatewayProcess) -> None:
    body = {
        "model": "auto",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": "Count to 5"}],
    }
    answer = product.chat(body)
    data = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    assert data[-1] == "[DONE]"
    usage = json.loads(data[-2])["usage"]
    row = product.row(answer.headers["x-request-id"])
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (row["prompt_tokens"], row["completion_tokens"])


@pytest.mark.parametrize(
    ("marker", "end", "source"),
    [
        ("variant=A", "stop", "counted"),
        ("variant=B", "stop", "reported"),
        ("variant=C", "stop", "reported"),
        ("variant=D", "stop", "reported"),
        ("variant=E", "stop", "reported"),
        ("variant=G", "stop", "reported"),
        ("variant=E zero_usage_after", "stop", "reported"),
        ("usage=zero", "stop", "counted"),
        ("cut_after=3", "cut", "counted"),
        ("error_after=3", "cut", "counted"),
    ],
)
def test_stream_of_each_kind_leaves_one_row_that_says_how_it_knows(
    product: GatewayProcess, upstream: Simulator, marker: str, end: str, source: str
) -> None:
    body = {
        "model": FP8,
        "stream": True,
        "messages": [{"role": "user", "content": f"What is Redis? [[sim: {marker}]]"}],
    }
    answer = product.chat(body)
    assert answer.status_code == 200
    assert answer.text.rstrip().endswith("data: [DONE]")
    assert ('"error"' in answer.text) == (end == "cut")
    row = product.row(answer.headers["x-request-id"])
    assert (row["end_reason"], row["usage_source"]) == (end, source)
    call = upstream.record.calls[-1]
    if source == "reported":
        assert (row["prompt_tokens"], row["completion_tokens"]) == (call.prompt_tokens, call.completion_tokens)
    else:
        assert row["prompt_tokens"] > 0
        assert row["completion_tokens"] > 0


def test_choices_of_one_request_are_attempts_of_one_row(product: GatewayProcess, upstream: Simulator) -> None:
    before = len(upstream.record.calls)
    answer = product.chat({"model": FP8, "messages": [{"role": "user", "content": "Hello"}], "n": 3})
    assert [choice["index"] for choice in answer.json()["choices"]] == [0, 1, 2]
    row = product.row(answer.headers["x-request-id"])
    calls = list(upstream.record.calls)[before:]
    assert len(row["attempts"]) == len(calls) == 3
    assert row["completion_tokens"] == sum(call.completion_tokens for call in calls)
    assert answer.json()["usage"]["completion_tokens"] == row["completion_tokens"]


def test_streamed_choices_are_interleaved_and_one_row(product: GatewayProcess) -> None:
    body = {"model": FP8, "messages": [{"role": "user", "content": "Count to 9"}], "n": 3, "stream": True}
    answer = product.chat(body)
    chunks = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    finishes = [entry["index"] for chunk in chunks for entry in chunk["choices"] if entry["finish_reason"]]
    assert sorted(finishes) == [0, 1, 2]
    assert len(product.row(answer.headers["x-request-id"])["attempts"]) == 3


def test_fallback_serves_from_the_next_model_and_keeps_both_attempts(tmp_path: Path) -> None:
    with simulator() as upstream, gateway(tmp_path, upstream) as product:
        upstream.set_scenario(f"rules: [{{match: {{model: '{FP8}'}}, set: {{error: 3040}}}}]")
        answer = product.chat({"model": "auto", "messages": [{"role": "user", "content": "Hello"}]})
        assert answer.status_code == 200, answer.text
        assert answer.json()["model"] == "@cf/meta/llama-3.1-8b-instruct-fast"
        assert answer.headers["x-gateway-attempts"] == "2"
        row = product.row(answer.headers["x-request-id"])
        assert [(attempt["model"], attempt["end"]) for attempt in row["attempts"]] == [
            (FP8, "capacity"),
            ("@cf/meta/llama-3.1-8b-instruct-fast", "stop"),
        ]
        assert row["cost_nano"] == row["prompt_tokens"] * 45 + row["completion_tokens"] * 384


def test_upstream_unreachable_is_a_503_and_the_hold_is_given_back(tmp_path: Path) -> None:
    with simulator() as upstream:
        product = GatewayProcess(tmp_path, upstream)
        product.start()
    try:
        project, key = product.make_key("short", limit_cents=1)
        for _ in range(3):
            answer = product.chat({"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}, key)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "server_is_overloaded")
            assert answer.headers["retry-after"]
        row = product.row(answer.headers["x-request-id"])
        assert (row["end_reason"], row["cost_nano"]) == ("failed", 0)
        assert httpx2.get(f"{product.origin}/healthz", trust_env=False).status_code == 200
    finally:
        product.stop()
    assert project


def test_stream_that_was_billed_and_came_empty_is_asked_again_without_streaming(product: GatewayProcess) -> None:
    body = {
        "model": FP8,
        "stream": True,
        "messages": [{"role": "user", "content": "Hello [[sim: variant=F]]"}],
        "tools": [{"type": "function", "function": {"name": "unrelated"}}],
    }
    answer = product.chat(body)
    chunks = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    text = "".join(entry["delta"].get("content") or "" for chunk in chunks for entry in chunk["choices"])
    assert text
    assert len(product.row(answer.headers["x-request-id"])["attempts"]) == 2
