"""What a request owes: every attempt priced, summed into the receipt that becomes its ledger row.

Tokens are the upstream's own count where it gave one (`reported`), counted from the relayed text where it did not
(`counted`), or an expectation where there was nothing to count (`estimated`). A receipt says the weakest of its
billed attempts.
"""

from dataclasses import dataclass, field

from gateway.core.answer import Failure, Usage
from gateway.core.catalog import Price
from gateway.core.eligibility import Candidate
from gateway.core.neurons import NANO, neurons_of
from gateway.core.pricing import cost_nano
from gateway.core.receipt import Attempt, EndReason, NeuronsSource, Receipt, UsageSource
from gateway.core.records import Identity

_WEAKNESS: dict[UsageSource, int] = {"reported": 0, "counted": 1, "estimated": 2}


@dataclass(slots=True, frozen=True)
class Consumption:
    """Tokens of one attempt and how they are known."""

    usage: Usage
    source: UsageSource


@dataclass(slots=True, frozen=True)
class Timing:
    """Milliseconds: when an attempt started, counted from the request's arrival, and how long it took.

    `traceparent` is what the call carried, where requests are traced.
    """

    started_ms: int
    latency_ms: int
    traceparent: str = ""


@dataclass(slots=True)
class Tally:
    """The attempts of one request so far, and their sums. Each is priced as it was when it was held.

    The sums are kept while attempts are added, not made anew by each of those who ask (5 µs a request).
    """

    attempts: list[Attempt] = field(default_factory=list)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost_nano: int = 0
    neurons_nano: int | None = None  # of the attempts that have some
    neurons_source: NeuronsSource = "reported"
    source: UsageSource = "reported"  # the weakest of all attempts

    def answered(
        self, candidate: Candidate, price: Price, consumption: Consumption, end: EndReason, timing: Timing
    ) -> None:
        """Book an attempt that answered, wholly or in part."""
        usage = consumption.usage
        cost = cost_nano(price, usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens)
        neurons, neurons_source = neurons_of(candidate.model, usage)
        self.prompt_tokens += usage.prompt_tokens
        self.completion_tokens += usage.completion_tokens
        self.cached_tokens += usage.cached_tokens
        self.cost_nano += cost
        if neurons is not None:
            self.neurons_nano = (self.neurons_nano or 0) + neurons
        if neurons_source == "computed":
            self.neurons_source = neurons_source
        self.source = max(self.source, consumption.source, key=_WEAKNESS.__getitem__)
        self.attempts.append(
            Attempt(
                model=candidate.model.id,
                end=end,
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
                cached_tokens=usage.cached_tokens,
                neurons_nano=neurons,
                neurons_source=neurons_source,
                cost_nano=cost,
                price_id=price.id,
                usage_source=consumption.source,
                started_ms=timing.started_ms,
                latency_ms=timing.latency_ms,
                traceparent=timing.traceparent,
            )
        )

    def failed(self, candidate: Candidate, failure: Failure, timing: Timing) -> None:
        """Note an attempt that gave nothing and costs nothing."""
        self.attempts.append(
            Attempt(
                model=candidate.model.id,
                end=failure.kind,
                upstream_code=failure.code,
                upstream_request_id=failure.request_id,
                started_ms=timing.started_ms,
                latency_ms=timing.latency_ms,
                traceparent=timing.traceparent,
            )
        )

    def usage(self) -> Usage:
        """Tokens over all attempts: what the client is told and what the row says are this one figure."""
        neurons = None if self.neurons_nano is None else self.neurons_nano / NANO
        return Usage(self.prompt_tokens, self.completion_tokens, self.cached_tokens, neurons)


@dataclass(slots=True, frozen=True)
class Circumstances:
    """What a receipt says besides its attempts."""

    id: str
    created_ms: int
    identity: Identity
    surface: str
    requested_model: str
    route: str
    reason: str
    model: str
    price_source: str
    stream: bool
    upstream: str
    tags: dict[str, str]


@dataclass(slots=True, frozen=True)
class Outcome:
    """How a request ended: reason, HTTP status, total and first-token milliseconds."""

    end: EndReason
    status: int
    latency_ms: int
    ttft_ms: int | None
    queued_ms: int = 0


def receipt(circumstances: Circumstances, tally: Tally, outcome: Outcome) -> Receipt:
    """The request as one row."""
    return Receipt(
        id=circumstances.id,
        created_ms=circumstances.created_ms,
        organization_id=circumstances.identity.organization.id,
        project_id=circumstances.identity.project.id,
        api_key_id=circumstances.identity.key.id,
        surface=circumstances.surface,
        requested_model=circumstances.requested_model,
        route=circumstances.route,
        reason=circumstances.reason,
        model=circumstances.model,
        prompt_tokens=tally.prompt_tokens,
        completion_tokens=tally.completion_tokens,
        cached_tokens=tally.cached_tokens,
        cost_nano=tally.cost_nano,
        neurons_nano=tally.neurons_nano,
        usage_source=tally.source,
        price_source=circumstances.price_source,
        end_reason=outcome.end,
        status=outcome.status,
        stream=circumstances.stream,
        latency_ms=outcome.latency_ms,
        ttft_ms=outcome.ttft_ms,
        upstream=circumstances.upstream,
        attempts=tally.attempts,
        tags=circumstances.tags,
        queued_ms=outcome.queued_ms,
        neurons_source=tally.neurons_source,
    )
