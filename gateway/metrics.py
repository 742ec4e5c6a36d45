"""Prometheus metrics: what a worker counts, and the listener on which the parent serves the sum over all workers.

The one home of prometheus-client. Every label is bounded: models are the configured ones, projects are named up to a
cap and called `other` past it, the rest are fixed words. No metric carries a key, a prompt or a client's address.

Each worker *slot* has one set of files in a directory the parent empties at every start; a replaced worker goes on
counting where its predecessor stopped, so no counter ever falls back while the gateway runs.
"""

import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server, values
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.core.receipt import Receipt

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable in which prometheus-client expects the workers' directory."""

_MOST_PROJECTS = 200  # named in labels by one worker; five models make this 3,000 series at most
_MOST_MODELS = 100
_LATENCY_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256)
_OVERHEAD_BUCKETS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)
_NANO = 1e-9


def join_slot(slot: int) -> None:
    """Make this process count into the files of `slot`. Once per worker, before its `Metrics` is made.

    Does nothing where the directory variable is not set (a process alone, without a parent).
    """
    if DIRECTORY_VARIABLE in os.environ:
        # The way prometheus-client documents for servers that number their workers themselves.
        values.ValueClass = values.MultiProcessValue(process_identifier=lambda: slot)  # type: ignore[no-untyped-call]  # no types there


@dataclass(slots=True, frozen=True)
class _Series:
    """The bound children of one (project, model, status): nothing is looked up by label on the hot path."""

    request: Callable[[], None]
    prompt: Callable[[float], None]
    completion: Callable[[float], None]
    cached: Callable[[float], None]
    cost: Callable[[float], None]
    neurons: Callable[[float], None]
    duration: Callable[[float], None]
    first_token: Callable[[float], None]


class _StoreUse:
    """Whether the store is there, and what is done without it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.connected = _gauge(
            "gateway_store_connected_workers", "Workers that can use the accounting store.", registry
        )
        self.without = Counter(
            "gateway_admitted_without_store",
            "Requests admitted by their last known limits while the store was away.",
            registry=registry,
        )


class _Books:
    """What all workers know of the ledger: the continuous check, today's neurons beside the free ones."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.drift = _latest(
            "gateway_ledger_drift", "Places where the ledger's books do not agree, by the continuous check.", registry
        )
        self.verified = _latest(
            "gateway_ledger_verified_timestamp_seconds",
            "When the continuous check last went through all books without a finding (unix time; 0: not yet).",
            registry,
        )
        self.neurons_today = _latest(
            "gateway_neurons_today", "Neurons used since midnight UTC, by the roll-ups.", registry
        )
        self.free_neurons = _latest(
            "gateway_neurons_free_per_day", "Neurons the account has free per UTC day.", registry
        )
        self.neurons_price = _latest(
            "gateway_neurons_usd_per_thousand", "What 1,000 neurons cost beyond the free ones, US dollars.", registry
        )


class _Administration:
    """What comes to the admin API."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.rejected = Counter(
            "gateway_admin_authentications_failed", "Admin requests without an accepted admin key.", registry=registry
        )


class Metrics:
    """What one worker counts. `docs/metrics.md` has the table."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        owner = ["project", "model"]
        self._requests = Counter(
            "gateway_requests", "Requests that have a ledger row.", [*owner, "status"], registry=registry
        )
        self._tokens = Counter("gateway_tokens", "Tokens billed.", [*owner, "kind"], registry=registry)
        self._cost = Counter("gateway_cost_usd", "Cost in US dollars.", owner, registry=registry)
        self._neurons = Counter("gateway_neurons", "Neurons, reported or computed.", owner, registry=registry)
        self._duration = _histogram(
            "gateway_request_duration_seconds", "From the request's arrival to its last byte.", registry
        )
        self._first_token = _histogram(
            "gateway_time_to_first_token_seconds", "From the request's arrival to the first token sent.", registry
        )
        self._overhead = Histogram(
            "gateway_overhead_seconds",
            "The part of a request the gateway itself took, without waiting for the upstream.",
            buckets=_OVERHEAD_BUCKETS,
            registry=registry,
        )
        self._refusals = Counter("gateway_refusals", "Requests a limit refused.", ["scope", "kind"], registry=registry)
        self._attempts_failed = Counter(
            "gateway_attempts_failed", "Upstream calls that did not answer.", ["model", "kind"], registry=registry
        )
        self._disconnects = Counter(
            "gateway_client_disconnects", "Clients that left before their answer was complete.", registry=registry
        )
        self._in_flight = _gauge("gateway_requests_in_flight", "Requests being served now.", registry)
        self._spool_entries = _gauge("gateway_spool_entries", "Receipts the store has not confirmed yet.", registry)
        self._store = _StoreUse(registry)
        self._books, self._administration = _Books(registry), _Administration(registry)
        for gauge in (self._in_flight, self._spool_entries, self._store.connected):
            gauge.set(0)  # the file of the slot may still hold what a killed worker said
        self._series: dict[tuple[str, str, int], _Series] = {}
        self._projects: set[str] = set()
        self._models: set[str] = set()

    def observe(self, receipt: Receipt, overhead_seconds: float) -> None:
        """Count one settled request. `overhead_seconds` is its time without the waits for the upstream."""
        found = (receipt.project_id, receipt.model, receipt.status)
        series = self._series.get(found)
        if series is None:
            series = self._bind(*found)
        series.request()
        series.prompt(receipt.prompt_tokens)
        series.completion(receipt.completion_tokens)
        series.cost(receipt.cost_nano * _NANO)
        if receipt.cached_tokens:
            series.cached(receipt.cached_tokens)
        if receipt.neurons_nano:
            series.neurons(receipt.neurons_nano * _NANO)
        series.duration(receipt.latency_ms * 0.001)
        if receipt.ttft_ms is not None:
            series.first_token(receipt.ttft_ms * 0.001)
        self._overhead.observe(overhead_seconds if overhead_seconds > 0 else 0.0)

    def refused(self, scope: str, kind: str) -> None:
        """A limit refused a request. `scope` is organization, project or key; `kind` the limit's."""
        self._refusals.labels(scope, kind).inc()

    def attempt_failed(self, model: str, kind: str) -> None:
        """One upstream call failed; `kind` is a `core.answer.FailureKind`."""
        self._attempts_failed.labels(_named(model, self._models, _MOST_MODELS), kind).inc()

    def admitted_without_store(self, requests: int) -> None:
        """So many more requests were admitted by their last known limits."""
        self._store.without.inc(requests)

    def disconnect(self) -> None:
        """A client left before its answer was complete."""
        self._disconnects.inc()

    def admin_rejected(self) -> None:
        """Somebody came to the admin API without an accepted admin key."""
        self._administration.rejected.inc()

    def set_in_flight(self, requests: int) -> None:
        self._in_flight.set(requests)

    def set_spool(self, entries: int) -> None:
        """Receipts that wait for the store's confirmation."""
        self._spool_entries.set(entries)

    def set_standing(self, drift: int, verified_at: int) -> None:
        """What the continuous check knows of the books; every worker says the same."""
        self._books.drift.set(drift)
        self._books.verified.set(verified_at)

    def set_burn(self, neurons: float, free: int, usd_per_thousand: float) -> None:
        """Neurons used today, those that are free, and what 1,000 more cost; every worker says the same."""
        self._books.neurons_today.set(neurons)
        self._books.free_neurons.set(free)
        self._books.neurons_price.set(usd_per_thousand)

    def set_store_connected(self, is_connected: bool) -> None:
        self._store.connected.set(1 if is_connected else 0)

    def _bind(self, project_id: str, model_id: str, status: int) -> _Series:
        project = _named(project_id, self._projects, _MOST_PROJECTS)
        model = _named(model_id, self._models, _MOST_MODELS)
        series = _Series(
            request=self._requests.labels(project, model, str(status)).inc,
            prompt=self._tokens.labels(project, model, "prompt").inc,
            completion=self._tokens.labels(project, model, "completion").inc,
            cached=self._tokens.labels(project, model, "cached").inc,
            cost=self._cost.labels(project, model).inc,
            neurons=self._neurons.labels(project, model).inc,
            duration=self._duration.labels(model).observe,
            first_token=self._first_token.labels(model).observe,
        )
        if project != "other" and model != "other":  # past the caps nothing grows, this table neither
            self._series[project_id, model_id, status] = series
        return series


def _gauge(name: str, help_text: str, registry: CollectorRegistry) -> Gauge:
    return Gauge(name, help_text, registry=registry, multiprocess_mode="livesum")


def _latest(name: str, help_text: str, registry: CollectorRegistry) -> Gauge:
    """What all workers know alike: the latest of them is right."""
    return Gauge(name, help_text, registry=registry, multiprocess_mode="livemostrecent")


def _histogram(name: str, help_text: str, registry: CollectorRegistry) -> Histogram:
    return Histogram(name, help_text, ["model"], buckets=_LATENCY_BUCKETS, registry=registry)


def _named(name: str, known: set[str], most: int) -> str:
    if name in known:
        return name
    if len(known) >= most:
        return "other"
    known.add(name)
    return name or "none"


class MetricsListener:
    """Serves `/metrics` from a thread: the sum over all slots. Made by the parent, before any worker."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(mode=0o700, parents=True)
        self.registry = CollectorRegistry()
        MultiProcessCollector(self.registry, path=str(directory))  # type: ignore[no-untyped-call]  # no types there
        self._workers = Gauge("gateway_workers", "Worker processes that are serving.", registry=self.registry)
        self._replaced = Counter(
            "gateway_workers_replaced", "Workers that died and were replaced.", registry=self.registry
        )
        self._store_restarts = Counter(
            "gateway_embedded_store_restarts", "Restarts of the embedded store after it died.", registry=self.registry
        )
        self._reloads = Counter(
            "gateway_configuration_reloads", "Changed configurations, by outcome.", ["outcome"], registry=self.registry
        )
        self._is_current = Gauge(
            "gateway_configuration_current",
            "1 while the configuration in force is the one in the file, 0 since a change was refused.",
            registry=self.registry,
        )
        self._is_current.set(1)
        self._server: WSGIServer | None = None
        self._thread: threading.Thread | None = None

    def listen(self, host: str, port: int) -> int:
        """Open the listener; returns the port (`port` 0 takes a free one). Raises OSError where it is taken."""
        self._server, self._thread = start_http_server(port, addr=host, registry=self.registry)
        return self._server.server_port

    def set_workers(self, serving: int) -> None:
        self._workers.set(serving)

    def worker_replaced(self) -> None:
        self._replaced.inc()

    def configuration_reloaded(self, *, is_accepted: bool) -> None:
        """The configuration was read again, and taken over or refused."""
        self._reloads.labels("applied" if is_accepted else "refused").inc()
        self._is_current.set(1 if is_accepted else 0)

    def store_restarted(self) -> None:
        self._store_restarts.inc()

    def close(self) -> None:
        """Close the listener and remove the workers' files. May be called twice."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
        self._server = self._thread = None
        shutil.rmtree(self.directory, ignore_errors=True)
