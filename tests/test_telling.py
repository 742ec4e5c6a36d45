"""What the spans of a request say: of a part of it, of a failed one, of one that broke off."""

import asyncio
from typing import Any

import pytest
from support.jobs import MODEL, make_call, make_job
from support.running import ROOT
from support.upstreams import on_loop

from gateway.config.load import load
from gateway.core.errors import InvalidKey, UpstreamFailed
from gateway.core.receipt import Attempt
from gateway.job import Request
from gateway.relay import Exchange
from gateway.surfaces import SURFACES
from gateway.telling import tell
from gateway.tracing.context import Trace

TRACE, SPAN, PARENT, CALL = "4bf92f3577b34da6a3ce929d0e0e4736", "1" * 16, "2" * 16, "3" * 16
BEGAN = 1_800_000_000_000_000_000


async def nothing(*_: Any) -> Any:  # ASGI's receive and send
    raise AssertionError("nobody reads and nobody writes here")


def make_request() -> Request:
    """A request that arrived a second ago, in a trace of its caller's."""
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": []}
    surface, settings = SURFACES["/v1/chat/completions"], load("", {}, ROOT, demo=False)
    arrived = asyncio.get_running_loop().time() - 1
    request = Request("req_1", Exchange(scope, nothing, nothing), surface, settings, "simulator", arrived)
    request.trace = Trace(TRACE, SPAN, PARENT, is_sampled=True, began_ns=BEGAN)
    return request


@on_loop
async def test_request_without_a_key_is_one_span_without_an_error() -> None:
    request = make_request()
    request.refusal = InvalidKey("no", code="invalid_api_key")
    [span] = tell(request, request.arrived + 0.25)
    assert (span.trace_id, span.span_id, span.parent_id, span.is_server) == (TRACE, SPAN, PARENT, True)
    assert (span.start_ns, span.end_ns) == (BEGAN, BEGAN + 250_000_000)
    assert span.error == ""
    assert span.attributes["error.type"] == "invalid_api_key"
    assert span.attributes["http.response.status_code"] == 401


@on_loop
async def test_calls_are_spans_with_their_own_times_and_ends() -> None:
    request = make_request()
    job = request.job = make_job(make_call(), status=200, end="stop")
    parent = f"00-{TRACE}-{CALL}-01"
    job.tally.attempts = [
        Attempt(MODEL.id, "capacity", upstream_code=3040, started_ms=5, latency_ms=10, traceparent=parent),
        Attempt(
            MODEL.id, "stop", prompt_tokens=7, completion_tokens=9, started_ms=20, latency_ms=100, traceparent=parent
        ),
    ]
    server, failed, answered = tell(request, request.arrived + 1)
    assert (failed.error, failed.attributes["gateway.upstream.code"]) == ("capacity", 3040)
    assert (failed.parent_id, failed.span_id, failed.is_server) == (SPAN, CALL, False)
    assert (answered.start_ns, answered.end_ns) == (BEGAN + 20_000_000, BEGAN + 120_000_000)
    assert answered.attributes["gen_ai.usage.output_tokens"] == 9
    assert answered.error == ""
    assert "gen_ai.request.temperature" not in server.attributes  # what was not said is not told
    assert server.attributes["gen_ai.response.finish_reasons"] == ["stop"]


@pytest.mark.parametrize(("end", "status"), [("cut", 200), ("failed", 502)])
@on_loop
async def test_answer_that_broke_off_or_never_came_is_an_error(end: str, status: int) -> None:
    request = make_request()
    request.refusal = UpstreamFailed("no")
    request.job = make_job(make_call(), status=status, end=end)
    assert tell(request, request.arrived + 1)[0].error != ""


@on_loop
async def test_only_requests_with_a_trace_are_told() -> None:
    request = make_request()
    request.trace = None
    with pytest.raises(AssertionError):
        tell(request, 1.0)
