"""Traces of a real gateway, as a collector receives them by OTLP: a span per request and per upstream call."""

import secrets
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from support.gateway import GatewayProcess, gateway, simulator
from support.needs import need

from gateway.simulator import Simulator

FP8 = "@cf/meta/llama-3.1-8b-instruct-fp8"
CLIENT, SERVER, ERROR = 3, 2, 2  # OTLP's numbers


@pytest.fixture(scope="module")
def collected() -> Iterator[Any]:
    need(find_spec("opentelemetry"), "OpenTelemetry (the extra otel)")
    # Imported here because the extra may be absent.
    otlp = pytest.importorskip("support.otlp")
    with otlp.collector() as running:
        running.attributes_of = otlp.attributes_of
        yield running


@pytest.fixture(scope="module")
def upstream() -> Iterator[Simulator]:
    with simulator() as started:
        yield started


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, upstream: Simulator, collected: Any) -> Iterator[GatewayProcess]:
    section = f"tracing: {{endpoint: '{collected.url}', authorization: Bearer of the collector}}"
    with gateway(tmp_path_factory.mktemp("traces"), upstream, extra=section) as started:
        yield started


def asking(text: str, model: str = FP8, **fields: Any) -> dict[str, Any]:  # any field of a request
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def context() -> tuple[str, str, dict[str, str]]:
    """A caller's trace and span, and the headers that say so."""
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    return trace_id, span_id, {"traceparent": f"00-{trace_id}-{span_id}-01", "tracestate": "vendor=opaque"}


@pytest.mark.parametrize("stream", [False, True])
def test_request_and_its_call_are_two_spans_of_the_callers_trace(
    product: GatewayProcess, upstream: Simulator, collected: Any, stream: bool
) -> None:
    trace_id, span_id, headers = context()
    answer = product.chat(asking("Say pong", stream=stream, temperature=0.5, max_tokens=50), headers=headers)
    row = product.row(answer.headers["x-request-id"])
    request, call = collected.trace(trace_id, 2)
    assert (request.kind, request.name, request.parent_span_id.hex()) == (SERVER, "POST /v1/chat/completions", span_id)
    assert (call.kind, call.name, call.parent_span_id) == (CLIENT, f"chat {FP8}", request.span_id)
    assert request.trace_state == call.trace_state == "vendor=opaque"
    assert request.start_time_unix_nano <= call.start_time_unix_nano
    assert call.end_time_unix_nano <= request.end_time_unix_nano + 1_000_000  # rows have whole milliseconds
    told = collected.attributes_of(request)
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.provider.name"] == "cloudflare.workers_ai"
    assert (told["gen_ai.request.model"], told["gen_ai.response.model"]) == (FP8, row["model"])
    assert (told["gen_ai.request.temperature"], told["gen_ai.request.max_tokens"]) == (0.5, 50)
    assert told["gen_ai.response.finish_reasons"] == ["stop"]
    assert told["gen_ai.usage.input_tokens"] == row["prompt_tokens"]
    assert told["gen_ai.usage.output_tokens"] == row["completion_tokens"]
    assert told["http.response.status_code"] == 200
    assert (told["gateway.request.id"], told["gateway.key.id"]) == (row["id"], row["api_key_id"])
    assert told["gateway.cost.nano_usd"] == row["cost_nano"]
    assert ("gateway.time_to_first_token" in told) == stream
    assert collected.attributes_of(call)["gen_ai.usage.output_tokens"] == row["completion_tokens"]
    # The upstream was told to go on from the call's span, and the row says which it was.
    sent = upstream.record.calls[-1]
    assert sent.traceparent == f"00-{trace_id}-{call.span_id.hex()}-01" == row["attempts"][0]["traceparent"]
    assert sent.tracestate == "vendor=opaque"


def test_every_attempt_is_a_span_of_its_own(product: GatewayProcess, upstream: Simulator, collected: Any) -> None:
    trace_id, _, headers = context()
    upstream.set_scenario("rules: [{match: {nth: 1}, set: {error: 3040}}]")
    product.chat(asking("hi", n=2), headers=headers)
    request, *calls = collected.trace(trace_id, 5)  # two choices, twice
    assert len({call.span_id for call in calls}) == 4
    assert {call.parent_span_id for call in calls} == {request.span_id}
    failed = [call for call in calls if call.status.code == ERROR]
    assert [collected.attributes_of(call)["error.type"] for call in failed] == ["capacity"]
    sent = {call.traceparent.split("-")[2] for call in list(upstream.record.calls)[-4:]}
    assert sent == {call.span_id.hex() for call in calls}


def test_refused_request_is_one_span_with_its_error(product: GatewayProcess, collected: Any) -> None:
    trace_id, _, headers = context()
    product.chat(asking("hi"), "sk-nobody", headers=headers)
    [request] = collected.trace(trace_id, 1)
    told = collected.attributes_of(request)
    assert (told["http.response.status_code"], told["error.type"]) == (401, "invalid_api_key")
    assert request.status.code != ERROR  # the caller's fault is no error of the server
    trace_id, _, headers = context()
    product.chat(asking("hi [[sim: error=500]]"), headers=headers)
    request = collected.trace(trace_id, 1 + len(product.rows()[0]["attempts"]))[0]
    assert request.status.code == ERROR


def test_trace_without_a_caller_begins_here(product: GatewayProcess, collected: Any) -> None:
    product.chat(asking("hi"))
    [row] = product.rows()[:1]
    trace_id = row["attempts"][0]["traceparent"].split("-")[1]
    request, _ = collected.trace(trace_id, 2)
    assert request.parent_span_id == b""


def test_caller_that_does_not_sample_is_obeyed(product: GatewayProcess, upstream: Simulator, collected: Any) -> None:
    trace_id, span_id, _ = context()
    product.chat(asking("hi"), headers={"traceparent": f"00-{trace_id}-{span_id}-00"})
    sent = upstream.record.calls[-1].traceparent
    assert (sent[:36], sent[-3:]) == (f"00-{trace_id}-", "-00")
    other, _, headers = context()
    product.chat(asking("hi"), headers=headers)
    collected.trace(other, 2)
    assert [span for span in collected.spans if span.trace_id.hex() == trace_id] == []


def test_collector_is_told_who_sends_and_no_secret(product: GatewayProcess, collected: Any) -> None:
    trace_id, _, headers = context()
    product.chat(asking("The secret words are xyzzy"), headers=headers)
    spans = collected.trace(trace_id, 2)
    assert collected.resources[0]["service.name"] == "workers-ai-gateway"
    assert collected.authorizations == {"Bearer of the collector"}
    text = str(spans)
    assert "xyzzy" not in text
    assert product.key not in text


def test_spans_that_wait_are_sent_before_the_worker_leaves(tmp_path: Path, upstream: Simulator, collected: Any) -> None:
    trace_id, _, headers = context()
    with gateway(tmp_path, upstream, extra=f"tracing: {{endpoint: '{collected.url}'}}") as product:
        product.chat(asking("hi"), headers=headers)
    collected.trace(trace_id, 2)


def test_nothing_is_traced_and_nothing_sent_where_there_is_no_endpoint(tmp_path: Path, upstream: Simulator) -> None:
    _, _, headers = context()
    with gateway(tmp_path, upstream) as product:
        answer = product.chat(asking("hi"), headers=headers)
        row = product.row(answer.headers["x-request-id"])
    assert upstream.record.calls[-1].traceparent == ""
    assert row["attempts"][0]["traceparent"] is None
