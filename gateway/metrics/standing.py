"""How things stand: gauges that are brought up to date once a second, and what they are told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from prometheus_client import CollectorRegistry, Counter

from gateway.metrics.families import added_up, agreed

BreakerState = Literal["closed", "open", "probation"]
BREAKER_STATES: Final = get_args(BreakerState)
STOPS: Final = ("quota", "rate_limited")
_NANO: Final = 1e-9


@dataclass(slots=True, frozen=True)
class ModelStanding:
    """What is known of one configured model."""

    id: str
    breaker: BreakerState = "closed"
    is_retired: bool = False
    window_tokens: int = 0


@dataclass(slots=True, frozen=True)
class LimitStanding:
    """How much of one limit is used: 1 is all of it. `project` is a project's id, empty for the organisation."""

    scope: str
    project: str
    kind: str
    window: str
    ratio: float


@dataclass(slots=True, frozen=True)
class Standing:
    """One worker's state of affairs. `lost`, `expired` and `admitted_without_store` only ever grow."""

    in_flight: int = 0
    holds: int = 0
    held_nano: int = 0
    spool_entries: int = 0
    lost: int = 0
    expired: int = 0
    admitted_without_store: int = 0
    store_queue: int = 0
    queued: int = 0
    is_store_connected: bool = False
    models: tuple[ModelStanding, ...] = ()
    stop: str = ""  # one of STOPS while the account is not asked


class StandingGauges:
    """The gauges of one worker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._in_flight = added_up("gateway_requests_in_flight", "Requests being served now.", registry)
        self._holds = added_up("gateway_holds", "Requests that hold money and tokens now.", registry)
        self._held = added_up("gateway_held_usd", "What the requests that hold money may cost at most.", registry)
        self._spool = added_up("gateway_spool_entries", "Receipts the store has not confirmed yet.", registry)
        self._queue = added_up(
            "gateway_store_queue_commands", "Commands that wait to be sent to the accounting store.", registry
        )
        self._queued = added_up("gateway_queue_requests", "Requests that wait for their turn at the account.", registry)
        self._connected = added_up(
            "gateway_store_connected_workers", "Workers that can use the accounting store.", registry
        )
        self._breakers = added_up(
            "gateway_breaker_workers", "Workers whose circuit breaker for the model is in the state.", registry,
            ("model", "state"),
        )  # fmt: skip
        self._retired = agreed(
            "gateway_model_retired", "1 while the upstream calls the model retired, confirmed.", registry, ("model",)
        )
        self._windows = agreed(
            "gateway_model_window_tokens", "The model's window, learned or published.", registry, ("model",)
        )
        self._stopped = agreed(
            "gateway_account_stopped", "1 while the whole account is not asked, for this reason.", registry, ("reason",)
        )
        self._lost = Counter(
            "gateway_spool_entries_lost", "Receipts a store that went back in time forgot, and no spool has.",
            registry=registry,
        )  # fmt: skip
        self._expired = Counter("gateway_holds_expired", "Holds that ended without their worker.", registry=registry)
        self._without = Counter(
            "gateway_admitted_without_store",
            "Requests admitted by their last known limits while the store was away.",
            registry=registry,
        )
        self._seen = Standing()
        self._models: Mapping[str, ModelStanding] = {}
        self.show(Standing())  # the files of the slot may still hold what a killed worker said

    def show(self, standing: Standing) -> None:
        """Let scrapes see this."""
        self._in_flight.set(standing.in_flight)
        self._holds.set(standing.holds)
        self._held.set(standing.held_nano * _NANO)
        self._spool.set(standing.spool_entries)
        self._queue.set(standing.store_queue)
        self._queued.set(standing.queued)
        self._connected.set(1 if standing.is_store_connected else 0)
        for reason in STOPS:
            self._stopped.labels(reason).set(1 if standing.stop == reason else 0)
        self._show_models(standing.models)
        self._lost.inc(max(0, standing.lost - self._seen.lost))
        self._expired.inc(max(0, standing.expired - self._seen.expired))
        self._without.inc(max(0, standing.admitted_without_store - self._seen.admitted_without_store))
        self._seen = standing

    def _show_models(self, models: Iterable[ModelStanding]) -> None:
        """Only what has changed: there may be a hundred models, and nearly always nothing has."""
        shown = self._models
        self._models = {model.id: model for model in models}
        for model in self._models.values():
            if shown.get(model.id) != model:
                for state in BREAKER_STATES:
                    self._breakers.labels(model.id, state).set(1 if model.breaker == state else 0)
                self._retired.labels(model.id).set(1 if model.is_retired else 0)
                self._windows.labels(model.id).set(model.window_tokens)
        for model_id in shown.keys() - self._models.keys():  # no longer configured
            for state in BREAKER_STATES:
                self._breakers.labels(model_id, state).set(0)
            self._retired.labels(model_id).set(0)


class BookGauges:
    """What all workers know alike: the ledger's continuous check, today's neurons, how much of the limits is used."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._drift = agreed(
            "gateway_ledger_drift", "Places where the ledger's books do not agree, by the continuous check.", registry
        )
        self._verified = agreed(
            "gateway_ledger_verified_timestamp_seconds",
            "When the continuous check last went through all books without a finding (unix time; 0: not yet).",
            registry,
        )
        self._neurons = agreed("gateway_neurons_today", "Neurons used since midnight UTC, by the roll-ups.", registry)
        self._ahead = agreed(
            "gateway_neurons_forecast",
            "Neurons there will be by midnight UTC, at the pace of the last hours.",
            registry,
        )
        self._exhausted = agreed(
            "gateway_neurons_exhausted_timestamp_seconds",
            "When the day's free neurons are used up at that pace, or were (unix time; 0: not today).",
            registry,
        )
        self._free = agreed("gateway_neurons_free_per_day", "Neurons the account has free per UTC day.", registry)
        self._price = agreed(
            "gateway_neurons_usd_per_thousand", "What 1,000 neurons cost beyond the free ones, US dollars.", registry
        )
        self._reconciled_day = agreed(
            "gateway_reconciled_day_timestamp_seconds",
            "The day that was reconciled last (unix time; 0: none).",
            registry,
        )
        self._reconciled = agreed(
            "gateway_reconciled_neurons", "Neurons of that day: the ledger's and the provider's.", registry, ("side",)
        )
        for side in ("ledger", "provider"):
            self._reconciled.labels(side).set(0)  # until there is a day
        self._limits = agreed(
            "gateway_limit_used_ratio", "How much of a limit is used: 1 is all of it.", registry,
            ("scope", "project", "kind", "window"),
        )  # fmt: skip
        self._limited: set[tuple[str, str, str, str]] = set()

    def show_audit(self, drift: int, verified_at: int) -> None:
        """What the continuous check knows."""
        self._drift.set(drift)
        self._verified.set(verified_at)

    def show_forecast(self, by_midnight: float, exhausted_at: int | None) -> None:
        """Neurons by midnight at the present pace, and when the free ones are used up (unix s)."""
        self._ahead.set(by_midnight)
        self._exhausted.set(exhausted_at or 0)

    def show_burn(self, neurons: float, free: int, usd_per_thousand: float) -> None:
        """Neurons used today, those that are free, and what 1,000 more cost."""
        self._neurons.set(neurons)
        self._free.set(free)
        self._price.set(usd_per_thousand)

    def show_reconciliation(self, day: int, ours: float, theirs: float) -> None:
        """A day's neurons (unix s of its start) by the ledger and by the provider."""
        self._reconciled_day.set(day)
        for side, neurons in (("ledger", ours), ("provider", theirs)):
            self._reconciled.labels(side).set(neurons)

    def show_limits(self, limits: Iterable[LimitStanding]) -> None:
        """All limits there are; one that is gone says 0."""
        found = {(limit.scope, limit.project, limit.kind, limit.window): limit.ratio for limit in limits}
        for labels in self._limited - found.keys():
            self._limits.labels(*labels).set(0)
        for labels, ratio in found.items():
            self._limits.labels(*labels).set(ratio)
        self._limited = set(found)
