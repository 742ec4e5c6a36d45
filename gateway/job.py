"""One request while it is being served: what is known about it so far, and the headers and the row made of that.

A `Request` exists from the first byte on; once it is identified, parsed and planned it has a `Job`. Both are state
for dispatch and the attempts it makes; they perform nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gateway.choice import OpenChoice
from gateway.client.account import AFFINITY_HEADER
from gateway.config.settings import Settings
from gateway.core.affinity import session_affinity
from gateway.core.answer import FinishReason
from gateway.core.call import Call
from gateway.core.catalog import Price
from gateway.core.contracts import Encoder, Surface
from gateway.core.eligibility import MIN_OUTPUT_TOKENS, Candidate, Sample
from gateway.core.errors import GatewayError, InvalidKey, PolicyError, StoreAway
from gateway.core.gaps import Gaps
from gateway.core.patience import patience
from gateway.core.rates import Rate, rate_headers
from gateway.core.receipt import EndReason, Receipt
from gateway.core.records import Identity
from gateway.core.routing import Plan
from gateway.core.tally import Circumstances, Outcome, Tally, Timing, receipt
from gateway.ledger.contract import Held, HoldRequest, Refused
from gateway.ledger.refusal import limit_reached
from gateway.relay import Exchange, Headers
from gateway.tracing.context import Trace

END_REASONS: Mapping[FinishReason, EndReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "stop",
}
"""How a row names the end of a choice that answered."""


@dataclass(slots=True)
class Drain:
    """A request that is read to its end although its client has left, for at most so many more tokens."""

    tokens_left: int
    status: int  # what the client had been told when it left


@dataclass(slots=True)
class Job:
    """An admitted request. Times are monotonic seconds."""

    id: str  # "req_" + 32 hex: x-request-id and the row's id
    surface: str
    upstream: str
    arrived: float
    deadline: float
    identity: Identity
    call: Call
    plan: Plan
    candidate: Candidate  # being attempted, or the one that answered
    price: Price  # of the candidate, in force when it was held
    refuses_clamping: bool = False  # `chat.out_of_range: refuse`
    affinity: str = ""  # the conversation's word for the upstream
    held: Held | None = None
    rates: tuple[Rate, ...] = ()  # what the limits of tokens and requests leave
    is_whole: bool = False  # the stream that was asked for is asked for without streaming
    is_attempting: bool = False  # an attempt is being made
    drain: Drain | None = None  # the client has left, and this is read on
    is_owed: bool = False  # a hold is open: it must be settled or released before the job ends
    end: EndReason = "client_gone"  # what the row says of the end; true until something else happens
    status: int = 499  # likewise: 499 where the client did not wait for an answer
    encoder: Encoder | None = None  # of a stream that has begun
    first_byte: float | None = None
    gaps: Gaps | None = None  # of a stream, between its events
    queued_seconds: float = 0.0  # waited for its turn at the account
    upstream_seconds: float = 0.0  # waited for the upstream's first event or whole answer
    ignored: tuple[str, ...] = ()  # parameters without effect or changed, for x-gateway-ignored
    tally: Tally = field(default_factory=Tally)
    trace: Trace | None = None
    texts: list[str] = field(default_factory=list)  # what was answered, for logs of those who want it there
    choices: list[OpenChoice] = field(default_factory=list)  # open upstream streams

    @property
    def is_drainable(self) -> bool:
        """Whether an upstream call is under way, and its key wants it read to the end if the client leaves."""
        return (self.is_attempting or bool(self.choices)) and self.identity.rules.on_disconnect == "drain"

    @property
    def tags(self) -> dict[str, str]:
        """What the client and, overruling it, the key and its project say of the request."""
        own = self.identity.rules.tags
        return {**dict(self.call.tags), **own} if own else dict(self.call.tags)

    @property
    def logs_content(self) -> bool:
        """Whether project or key want prompts and answers in the log."""
        return bool(self.identity.rules.log_content)

    def timing(self, started: float, now: float) -> Timing:
        """When an attempt started, from the arrival, and how long it took until `now`."""
        traceparent = "" if self.trace is None else self.trace.call_parent(started)
        return Timing(round((started - self.arrived) * 1000), round((now - started) * 1000), traceparent)

    def call_headers(self, started: float) -> tuple[tuple[str, str], ...]:
        """What an upstream call that starts now carries besides the account's headers."""
        affinity = ((AFFINITY_HEADER, self.affinity),) if self.affinity else ()
        return affinity if self.trace is None else (*affinity, *self.trace.call_headers(started))

    def passes_over(self, refused: Refused) -> bool:
        """Whether the limit is the candidate's own and others follow it, which then are the plan."""
        rest = self.plan.candidates[self.plan.candidates.index(self.candidate) + 1 :]
        if refused.model is None or not rest:
            return False
        self.plan = replace(self.plan, candidates=rest)
        return True

    def refusal(self, refused: Refused) -> PolicyError:
        """The answer to a hold that a limit does not allow."""
        self.rates = refused.rates
        return limit_reached(refused, self.identity)

    def headers(self) -> Headers:
        """What an answer says of the way it was made."""
        open_attempts = [choice for choice in self.choices if not choice.is_booked]
        found: Headers = [
            (b"x-gateway-attempts", b"%d" % (len(self.tally.attempts) + len(open_attempts))),
            (b"x-gateway-model", self.candidate.model.id.encode()),
            (b"x-gateway-route", self.plan.route.name.encode()),
            (b"x-gateway-reason", self.candidate.reason.encode()),
        ]
        refused = next((entry for entry in reversed(self.tally.attempts) if entry.upstream_code is not None), None)
        if refused is not None:
            found.append((b"x-gateway-upstream-code", b"%d" % (refused.upstream_code or 0)))
            request_id = refused.upstream_request_id or ""
            found.append((b"x-gateway-upstream-request-id", request_id.encode("ascii", "replace")))
        found += rate_headers(self.rates)
        if self.queued_seconds:
            found.append((b"x-gateway-queued-ms", b"%d" % round(self.queued_seconds * 1000)))
        if self.ignored:
            found.append((b"x-gateway-ignored", ", ".join(dict.fromkeys(self.ignored)).encode("ascii", "replace")))
        return found

    def sample(self) -> Sample:
        """What the attempt that answered teaches."""
        attempt = self.tally.attempts[-1]
        first = None
        if self.call.stream and self.first_byte is not None:
            first = max(0.0, self.first_byte - self.arrived - attempt.started_ms / 1000)
        return Sample(
            key_id=self.identity.key.id,
            route=self.plan.route.name,
            model_id=attempt.model,
            output_tokens=attempt.completion_tokens,
            first_token_seconds=first,
            total_seconds=attempt.latency_ms / 1000,
        )

    def live_encoder(self) -> Encoder:
        """The encoder of a stream that has begun."""
        if self.encoder is None:
            raise AssertionError("a stream that was committed has an encoder")
        return self.encoder

    def claims(self) -> HoldRequest:
        """What the candidate may cost at most, on top of what earlier attempts have cost."""
        return HoldRequest(
            id=self.id,
            identity=self.identity,
            model=self.candidate.model.id,
            requested_model=self.call.requested_model,
            route=self.plan.route.name,
            surface=self.surface,
            prompt_tokens=self.candidate.prompt_tokens,
            max_tokens=self.candidate.max_tokens,
            min_tokens=MIN_OUTPUT_TOKENS,
            choices=self.call.n,
            price=self.price,
            spent_nano=self.tally.cost_nano,
            spent_neurons_nano=self.tally.neurons_nano or 0,
            neuron_rates=self.candidate.model.neuron_rates,
            tags=self.tags,
            stream=self.call.stream,
            upstream=self.upstream,
            reason=self.candidate.reason,
        )

    def receipt(self, now: float) -> Receipt:
        """The row of this job, which must have been held."""
        if self.held is None:
            raise AssertionError("a job that was never held has no row")
        circumstances = Circumstances(
            id=self.id,
            created_ms=self.held.created_ms,
            identity=self.identity,
            surface=self.surface,
            requested_model=self.call.requested_model,
            route=self.plan.route.name,
            reason=self.candidate.reason,
            model=self.candidate.model.id,
            price_source=self.price.source,
            stream=self.call.stream,
            upstream=self.upstream,
            tags=self.tags,
        )
        ttft = None if self.first_byte is None else round((self.first_byte - self.arrived) * 1000)
        outcome = Outcome(
            self.end, self.status, round((now - self.arrived) * 1000), ttft, round(self.queued_seconds * 1000)
        )
        return receipt(circumstances, self.tally, outcome)


@dataclass(slots=True)
class Request:
    """One request from its first byte on. `snapshot` is the configuration it keeps to its end."""

    id: str
    exchange: Exchange
    surface: Surface
    snapshot: Settings
    upstream: str
    arrived: float
    job: Job | None = None
    trace: Trace | None = None
    refusal: GatewayError | None = None  # what the client was told instead of an answer, or in the middle of one
    identity: Identity | None = None
    rates: tuple[Rate, ...] = ()  # as they stand where the request is refused before it is held

    @property
    def answer_id(self) -> str:
        """The id of the answer, as its surface has them."""
        return self.surface.id_prefix + self.id.removeprefix("req_")

    @property
    def status(self) -> int:
        """What the client got; 499 where it did not wait for an answer."""
        if self.job is not None:
            return self.job.status
        return 499 if self.refusal is None else self.refusal.status

    @property
    def untold(self) -> Identity | None:
        """Who is refused without a hold having said how its limits stand; None where they are no concern."""
        is_no_concern = self.refusal is None or isinstance(self.refusal, InvalidKey | StoreAway)
        is_told = self.job is not None and (self.job.held is not None or bool(self.job.rates))
        return None if is_no_concern or is_told or self.exchange.is_gone else self.identity

    def headers(self, now: float) -> Headers:
        """What every answer carries, also a refusal."""
        found: Headers = [
            (b"x-request-id", self.id.encode()),
            (b"openai-processing-ms", b"%d" % round((now - self.arrived) * 1000)),
            (b"x-gateway-upstream", self.upstream.encode()),
        ]
        found += self.job.headers() if self.job else [(b"x-gateway-attempts", b"0")]
        found += rate_headers(self.rates)
        return found


def admitted(request: Request, identity: Identity, call: Call, plan: Plan, now: float) -> Job:
    """The job of a request that is identified, parsed and planned; `now` (unix seconds) decides the price."""
    first = plan.candidates[0]
    return Job(
        id=request.id,
        surface=request.surface.name,
        upstream=request.upstream,
        arrived=request.arrived,
        deadline=request.arrived + patience(_stated(request.exchange), request.snapshot.upstream.total_seconds),
        identity=identity,
        call=call,
        plan=plan,
        candidate=first,
        price=first.model.price_at(now),
        refuses_clamping=request.snapshot.chat.out_of_range == "refuse",
        affinity=session_affinity(identity.key.id, call),
        ignored=call.ignored,
        trace=request.trace,
    )


def _stated(exchange: Exchange) -> str | None:
    """The seconds an official SDK says that it will wait: Python's header, else JavaScript's."""
    return exchange.header(b"x-stainless-read-timeout") or exchange.header(b"x-stainless-timeout")
