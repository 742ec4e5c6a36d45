"""What one worker counts. `docs/metrics.md` has the table."""

from collections.abc import Iterable
from typing import get_args

from prometheus_client import CollectorRegistry, Counter

from gateway.core.gaps import Gaps
from gateway.core.limits import SCOPES, Kind
from gateway.core.receipt import Receipt
from gateway.metrics.alerts import AlertMetrics
from gateway.metrics.counted import CountedRequests
from gateway.metrics.families import STORE_BOUNDS, WAIT_BOUNDS, histogram
from gateway.metrics.gathered import Spread
from gateway.metrics.standing import BookGauges, Standing, StandingGauges


class Metrics:
    """One per worker. A scrape sees what was counted after the next `report`."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.books = BookGauges(registry)
        self.alerts = AlertMetrics(registry)
        self._requests = CountedRequests(registry)
        self._standing = StandingGauges(registry)
        self._refusals = Counter("gateway_refusals", "Requests a limit refused.", ["scope", "kind"], registry=registry)
        for scope in SCOPES:
            for kind in get_args(Kind):
                self._refusals.labels(scope, kind)  # from zero on: an alert sees the first one only as a rise
        self._waits = histogram(
            "gateway_queue_wait_seconds", "Waits for a turn, of requests that had to wait for the account.", registry,
            WAIT_BOUNDS,
        )  # fmt: skip
        self._errors = Counter(
            "gateway_errors", "Answers that are errors, by OpenAI's type.", ["status", "type"], registry=registry
        )
        self._disconnects = Counter(
            "gateway_client_disconnects", "Clients that left before their answer was complete.", registry=registry
        )
        self._rejected = Counter(
            "gateway_admin_authentications_failed", "Admin requests without an accepted admin key.", registry=registry
        )
        self._guesses = Counter(
            "gateway_authentications_failed", "Keys that stand for nobody, by what became of them.", ["outcome"],
            registry=registry,
        )  # fmt: skip
        for outcome in ("failed", "refused"):
            self._guesses.labels(outcome)
        self._store = Spread(
            histogram(
                "gateway_store_latency_seconds", "Round trips to the accounting store.", registry, STORE_BOUNDS
            ),
            STORE_BOUNDS,
        )  # fmt: skip

    def observe(self, receipt: Receipt, overhead_seconds: float, gaps: Gaps | None = None) -> None:
        """Count one settled request.

        `overhead_seconds` is its time without the waits for the upstream, `gaps` the waits between events of a stream.
        """
        self._requests.observe(receipt, overhead_seconds, gaps)

    def expect(self, model_ids: Iterable[str]) -> None:
        """These models are configured. May be said again."""
        self._requests.expect(model_ids)

    def refused(self, scope: str, kind: str) -> None:
        """A limit refused a request. `scope` is organization, project or key; `kind` the limit's."""
        self._refusals.labels(scope, kind).inc()

    def queued(self, seconds: float) -> None:
        """A request waited so long for its turn at the account."""
        self._waits.observe(seconds)

    def failed(self, status: int, error_type: str) -> None:
        """A request was answered with an error, whoever's fault it was."""
        self._errors.labels(str(status), error_type).inc()

    def disconnect(self) -> None:
        """A client left before its answer was complete."""
        self._disconnects.inc()

    def admin_rejected(self) -> None:
        """Somebody came to the admin API without an accepted admin key."""
        self._rejected.inc()

    def guessed(self, outcome: str) -> None:
        """A key stood for nobody (failed), or its address had to wait and it was not looked at (refused)."""
        self._guesses.labels(outcome).inc()

    def store_answered(self, seconds: float) -> None:
        """A round trip to the store took so long."""
        self._store.observe(seconds)

    def report(self, standing: Standing) -> None:
        """Let scrapes see how things stand and everything counted so far."""
        self._standing.show(standing)
        self._requests.hand_over()
        self._store.hand_over()
