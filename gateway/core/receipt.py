"""What really happened to one request. Written to the spool before the client sees the last byte."""

from typing import Literal

import msgspec

UsageSource = Literal["reported", "counted", "estimated"]
NeuronsSource = Literal["reported", "computed"]
EndReason = Literal["stop", "length", "tool_calls", "client_gone", "cut", "failed", "expired"]


class Attempt(msgspec.Struct, omit_defaults=True):
    """One upstream call of a request. Times are milliseconds, `neurons_nano` is 10⁻⁹ neurons (core/neurons.py)."""

    model: str
    end: str  # an EndReason, or the FailureKind of an attempt that failed
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    neurons_nano: int | None = None
    neurons_source: NeuronsSource = "reported"  # where there are any
    cost_nano: int = 0
    price_id: str = ""
    usage_source: UsageSource = "reported"
    upstream_code: int | None = None
    upstream_request_id: str | None = None
    started_ms: int = 0  # since the request arrived
    latency_ms: int = 0
    traceparent: str = ""  # of the call, where requests are traced


class Receipt(msgspec.Struct, omit_defaults=True):
    """One request with its attempts inside; settled, it is one ledger row.

    `created_ms` is the store's clock at the hold (unix milliseconds); it decides the window of every counter and
    roll-up, however late the settle. `tokens` and `cost_nano` are sums over the attempts that are billed.
    """

    id: str
    created_ms: int
    organization_id: str
    project_id: str
    api_key_id: str
    surface: str
    requested_model: str
    route: str
    reason: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cost_nano: int
    neurons_nano: int | None
    usage_source: UsageSource
    price_source: str
    end_reason: EndReason
    status: int
    stream: bool
    latency_ms: int
    ttft_ms: int | None
    upstream: str
    attempts: list[Attempt]
    tags: dict[str, str] = {}
    rolled_up: list[str] = []  # names of the tags that were declared when it was settled: roll-ups count it by these
    queued_ms: int = 0  # waited for its turn at the account
    neurons_source: NeuronsSource = "reported"  # the weakest of the attempts that have neurons
