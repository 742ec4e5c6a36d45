"""A request's story as spans: one for the request, one for each upstream call. Made when it is over, from what is known
then; while it runs a trace costs its ids.
"""

from collections.abc import Mapping

from gateway.core.receipt import Attempt
from gateway.job import Job, Request
from gateway.tracing.spans import OPERATION, PROVIDER, Attribute, Span

_MS = 1_000_000  # nanoseconds
_ANSWERS = ("stop", "length", "tool_calls")


def tell(request: Request, now: float) -> list[Span]:
    """The spans of a request that is over. `now` is monotonic seconds."""
    trace = request.trace
    if trace is None:
        raise AssertionError("only requests with a trace are told")
    job = request.job
    end_ns = trace.began_ns + round((now - request.arrived) * 1e9)
    server = Span(
        name=f"{request.exchange.scope['method']} {request.exchange.scope['path']}",
        trace_id=trace.trace_id,
        span_id=trace.span_id,
        parent_id=trace.parent_id,
        is_server=True,
        start_ns=trace.began_ns,
        end_ns=end_ns,
        error=_error_of(request),
        state=trace.state,
        has_remote_parent=True,
        attributes=_request_attributes(request),
    )
    calls = [] if job is None else [_call(request, attempt) for attempt in job.tally.attempts]
    return [server, *calls]


def _error_of(request: Request) -> str:
    """What of the request is an error by the conventions: 5xx, and an answer that broke off."""
    is_broken_off = request.job is not None and request.job.end == "cut"
    if request.refusal is not None and (request.status >= 500 or is_broken_off):
        return request.refusal.code or request.refusal.type
    return ""


def _request_attributes(request: Request) -> dict[str, Attribute]:
    found: dict[str, Attribute | None] = {
        "http.request.method": request.exchange.scope["method"],
        "http.response.status_code": request.status,
        "url.path": request.exchange.scope["path"],
        "gateway.request.id": request.id,
        "gen_ai.operation.name": OPERATION,
        "gen_ai.provider.name": PROVIDER,
        "error.type": None if request.refusal is None else request.refusal.code or request.refusal.type,
    }
    if request.job is not None:
        found |= _job_attributes(request.job)
    return {name: value for name, value in found.items() if value is not None}


def _job_attributes(job: Job) -> Mapping[str, Attribute | None]:
    call = job.call
    ttft = None if job.first_byte is None or not call.stream else job.first_byte - job.arrived
    return {
        "gen_ai.request.model": call.requested_model,
        "gen_ai.request.max_tokens": call.max_tokens,
        "gen_ai.request.temperature": call.sampling.temperature,
        "gen_ai.request.top_p": call.sampling.top_p,
        "gen_ai.request.seed": call.sampling.seed,
        "gen_ai.request.choice.count": call.n if call.n != 1 else None,
        "gen_ai.response.model": job.candidate.model.id,
        "gen_ai.response.finish_reasons": [job.end] if job.end in _ANSWERS else None,
        "gen_ai.usage.input_tokens": job.tally.prompt_tokens,
        "gen_ai.usage.output_tokens": job.tally.completion_tokens,
        "gateway.time_to_first_token": ttft,
        "gateway.end_reason": job.end,
        "gateway.project.id": job.identity.project.id,
        "gateway.key.id": job.identity.key.id,
        "gateway.route": job.plan.route.name,
        "gateway.reason": job.candidate.reason,
        "gateway.cost.nano_usd": job.tally.cost_nano,
        "gateway.attempt.count": len(job.tally.attempts),
    }


def _call(request: Request, attempt: Attempt) -> Span:
    trace = request.trace
    if trace is None:
        raise AssertionError("as in `tell`")
    start_ns = trace.began_ns + attempt.started_ms * _MS
    is_answer = attempt.end in _ANSWERS
    found: dict[str, Attribute | None] = {
        "gen_ai.operation.name": OPERATION,
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.request.model": attempt.model,
        "gen_ai.response.model": attempt.model if is_answer else None,
        "gen_ai.response.finish_reasons": [attempt.end] if is_answer else None,
        "gen_ai.response.id": attempt.upstream_request_id,
        "gen_ai.usage.input_tokens": attempt.prompt_tokens or None,
        "gen_ai.usage.output_tokens": attempt.completion_tokens or None,
        "gen_ai.usage.cache_read.input_tokens": attempt.cached_tokens or None,
        "error.type": None if is_answer else attempt.end,
        "gateway.upstream.code": attempt.upstream_code,
        "gateway.usage_source": attempt.usage_source,
        "gateway.cost.nano_usd": attempt.cost_nano,
    }
    return Span(
        name=f"{OPERATION} {attempt.model}",
        trace_id=trace.trace_id,
        span_id=attempt.traceparent.split("-")[2],
        parent_id=trace.span_id,
        is_server=False,
        start_ns=start_ns,
        end_ns=start_ns + attempt.latency_ms * _MS,
        error="" if is_answer else attempt.end,
        state=trace.state,
        attributes={name: value for name, value in found.items() if value is not None},
    )
