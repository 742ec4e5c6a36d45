"""What is counted of settled requests: by project, model and status, and of every upstream call."""

from collections.abc import Iterable
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter

from gateway.core.answer import FailureKind
from gateway.core.gaps import GAP_BOUNDS, Gaps
from gateway.core.receipt import Attempt, Receipt
from gateway.metrics.families import (
    DURATION_BOUNDS,
    FIRST_TOKEN_BOUNDS,
    MODEL,
    OPERATION,
    OPERATION_NAME,
    OVERHEAD_BOUNDS,
    PER_TOKEN_BOUNDS,
    PROVIDER,
    PROVIDER_NAME,
    TOKEN_BOUNDS,
    Names,
    histogram,
)
from gateway.metrics.gathered import Amount, Spread

_MOST_PROJECTS: Final = 200  # named in labels by one worker; five models make this 3,000 series at most
_MOST_MODELS: Final = 100
_NANO: Final = 1e-9
_FAILED: Final = frozenset({*get_args(FailureKind), "failed"})  # ends of attempts that are no answer


class _Families:
    """Every family that requests are counted in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        owner = ["project", "model"]
        genai = (OPERATION, PROVIDER, MODEL)
        self.requests = Counter(
            "gateway_requests", "Requests that have a ledger row.", [*owner, "status"], registry=registry
        )
        self.tokens = Counter("gateway_tokens", "Tokens billed.", [*owner, "kind"], registry=registry)
        self.cost = Counter("gateway_cost_usd", "Cost in US dollars.", owner, registry=registry)
        self.neurons = Counter("gateway_neurons", "Neurons, reported or computed.", owner, registry=registry)
        self.attempts = Counter("gateway_attempts", "Upstream calls.", ["model"], registry=registry)
        self.failures = Counter(
            "gateway_attempts_failed", "Upstream calls that did not answer.", ["model", "kind"], registry=registry
        )
        self.usage = histogram(
            "gen_ai_client_token_usage", "Tokens of a request.", registry, TOKEN_BOUNDS, (*genai, "gen_ai_token_type")
        )
        self.attempt_duration = histogram(
            "gen_ai_client_operation_duration_seconds", "How long an upstream call took.", registry, DURATION_BOUNDS,
            (*genai, "error_type"),
        )  # fmt: skip
        self.duration = histogram(
            "gen_ai_server_request_duration_seconds", "From a request's arrival to its last byte.", registry,
            DURATION_BOUNDS, genai,
        )  # fmt: skip
        self.first_token = histogram(
            "gen_ai_server_time_to_first_token_seconds", "From a streamed request's arrival to its first token.",
            registry, FIRST_TOKEN_BOUNDS, genai,
        )  # fmt: skip
        self.per_token = histogram(
            "gen_ai_server_time_per_output_token_seconds", "Per token of a stream, after the first.", registry,
            PER_TOKEN_BOUNDS, genai,
        )  # fmt: skip
        self.gaps = histogram(
            "gateway_inter_event_gap_seconds", "Between two events sent to a client.", registry, GAP_BOUNDS, ("model",)
        )
        self.overhead = histogram(
            "gateway_overhead_seconds",
            "The part of a request the gateway itself took, without waiting for the upstream.",
            registry, OVERHEAD_BOUNDS,
        )  # fmt: skip


class _OfModel:
    """What is counted per model that served."""

    __slots__ = ("completion", "duration", "first_token", "gaps", "per_token", "prompt")

    def __init__(self, families: _Families, model: str) -> None:
        genai = (OPERATION_NAME, PROVIDER_NAME, model)
        self.duration = Spread(families.duration.labels(*genai), DURATION_BOUNDS)
        self.first_token = Spread(families.first_token.labels(*genai), FIRST_TOKEN_BOUNDS)
        self.per_token = Spread(families.per_token.labels(*genai), PER_TOKEN_BOUNDS)
        self.prompt = Spread(families.usage.labels(*genai, "input"), TOKEN_BOUNDS)
        self.completion = Spread(families.usage.labels(*genai, "output"), TOKEN_BOUNDS)
        self.gaps = Spread(families.gaps.labels(model), GAP_BOUNDS)

    def hand_over(self) -> None:
        for spread in (self.duration, self.first_token, self.per_token, self.prompt, self.completion, self.gaps):
            spread.hand_over()


class _OfOwner:
    """What is counted per project, model and status."""

    __slots__ = ("cached", "completion", "cost_nano", "model", "neurons_nano", "prompt", "requests")

    def __init__(self, families: _Families, labels: tuple[str, str, str], model: _OfModel) -> None:
        project, model_id, status = labels
        self.model = model
        self.requests = Amount(families.requests.labels(project, model_id, status))
        self.prompt = Amount(families.tokens.labels(project, model_id, "prompt"))
        self.completion = Amount(families.tokens.labels(project, model_id, "completion"))
        self.cached = Amount(families.tokens.labels(project, model_id, "cached"))
        self.cost_nano = Amount(families.cost.labels(project, model_id), _NANO)
        self.neurons_nano = Amount(families.neurons.labels(project, model_id), _NANO)

    def hand_over(self) -> None:
        self.model.hand_over()
        for amount in (
            self.requests, self.prompt, self.completion, self.cached, self.cost_nano, self.neurons_nano
        ):  # fmt: skip
            amount.hand_over()


class _OfAttempts:
    """What is counted per model and end of upstream calls."""

    __slots__ = ("calls", "duration", "failures")

    def __init__(self, families: _Families, model: str, end: str) -> None:
        is_failed = end in _FAILED
        self.calls = Amount(families.attempts.labels(model))
        self.failures = Amount(families.failures.labels(model, end)) if is_failed else None
        child = families.attempt_duration.labels(OPERATION_NAME, PROVIDER_NAME, model, end if is_failed else "")
        self.duration = Spread(child, DURATION_BOUNDS)

    def hand_over(self) -> None:
        self.calls.hand_over()
        self.duration.hand_over()
        if self.failures is not None:
            self.failures.hand_over()


class CountedRequests:
    """Counts receipts. What was counted is seen by a scrape after the next `hand_over`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._families = _Families(registry)
        self._overhead = Spread(self._families.overhead, OVERHEAD_BOUNDS)
        self._projects = Names(_MOST_PROJECTS)
        self._models = Names(_MOST_MODELS)
        self._of_owner: dict[tuple[str, str, int], _OfOwner] = {}
        self._of_model: dict[str, _OfModel] = {}
        self._of_attempts: dict[tuple[str, str], _OfAttempts] = {}
        self._touched: set[_OfOwner | _OfAttempts] = set()

    def observe(self, receipt: Receipt, overhead_seconds: float, gaps: Gaps | None) -> None:
        """Count one settled request."""
        owner = self._of_owner.get((receipt.project_id, receipt.model, receipt.status))
        if owner is None:
            owner = self._bind(receipt.project_id, receipt.model, receipt.status)
        self._touched.add(owner)
        owner.requests.gained += 1
        owner.prompt.gained += receipt.prompt_tokens
        owner.completion.gained += receipt.completion_tokens
        owner.cached.gained += receipt.cached_tokens
        owner.cost_nano.gained += receipt.cost_nano
        owner.neurons_nano.gained += receipt.neurons_nano or 0
        model = owner.model
        model.prompt.observe(receipt.prompt_tokens)
        model.completion.observe(receipt.completion_tokens)
        model.duration.observe(receipt.latency_ms * 0.001)
        if receipt.stream and receipt.ttft_ms is not None:
            model.first_token.observe(receipt.ttft_ms * 0.001)
            if receipt.completion_tokens > 1:
                after_first = (receipt.latency_ms - receipt.ttft_ms) * 0.001
                model.per_token.observe(after_first / (receipt.completion_tokens - 1))
        if gaps is not None:
            model.gaps.merge(gaps.counts, gaps.total)
        self._overhead.observe(overhead_seconds if overhead_seconds > 0 else 0.0)
        for attempt in receipt.attempts:
            self._count_attempt(attempt)

    def expect(self, model_ids: Iterable[str]) -> None:
        """Begin at zero what may happen to these models: an alert sees the first failure only as a rise."""
        for model_id in model_ids:
            model = self._models.bounded(model_id)
            self._families.attempts.labels(model)
            for kind in get_args(FailureKind):
                self._families.failures.labels(model, kind)

    def hand_over(self) -> None:
        """Let scrapes see what was counted."""
        for counted in self._touched:
            counted.hand_over()
        self._touched.clear()
        self._overhead.hand_over()

    def _count_attempt(self, attempt: Attempt) -> None:
        counted = self._of_attempts.get((attempt.model, attempt.end))
        if counted is None:
            model = self._models.bounded(attempt.model)
            counted = _OfAttempts(self._families, model, attempt.end)
            if model != "other":
                self._of_attempts[attempt.model, attempt.end] = counted
        self._touched.add(counted)
        counted.calls.gained += 1
        counted.duration.observe(attempt.latency_ms * 0.001)
        if counted.failures is not None:
            counted.failures.gained += 1

    def _bind(self, project_id: str, model_id: str, status: int) -> _OfOwner:
        project = self._projects.bounded(project_id)
        model = self._models.bounded(model_id)
        of_model = self._of_model.get(model)
        if of_model is None:
            of_model = self._of_model[model] = _OfModel(self._families, model)
        owner = _OfOwner(self._families, (project, model, str(status)), of_model)
        if project != "other" and model != "other":  # past the caps nothing grows, this table neither
            self._of_owner[project_id, model_id, status] = owner
        return owner
