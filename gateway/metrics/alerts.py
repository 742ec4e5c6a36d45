"""What is told of budgets: thresholds reached, and what became of the webhook's deliveries."""

from prometheus_client import CollectorRegistry, Counter


class AlertMetrics:
    """The counters of one worker; only the one that watches budgets counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._raised = Counter(
            "gateway_alerts", "Budget thresholds that were reached, each counted once.", ["scope", "kind"],
            registry=registry,
        )  # fmt: skip
        self._deliveries = Counter(
            "gateway_alert_deliveries", "Tries to post an alert to the webhook.", ["outcome"], registry=registry
        )
        for outcome in ("delivered", "failed", "dropped"):
            self._deliveries.labels(outcome)  # seen at 0, so that the first one is a rise

    def raised(self, scope: str, kind: str) -> None:
        """A threshold was reached; `kind` is the limit's, or `spend_alert`."""
        self._raised.labels(scope, kind).inc()

    def delivery(self, outcome: str) -> None:
        """The webhook was tried: delivered, failed, or dropped after a day of failures."""
        self._deliveries.labels(outcome).inc()
