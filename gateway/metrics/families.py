"""How families are made: gauges by what their sum over workers means, histograms by their bounds, and bounded names."""

from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Histogram

OPERATION: Final = "gen_ai_operation_name"
PROVIDER: Final = "gen_ai_provider_name"
MODEL: Final = "gen_ai_request_model"
OPERATION_NAME: Final = "chat"
PROVIDER_NAME: Final = "cloudflare.workers_ai"

# The boundaries OpenTelemetry's conventions for generative AI advise; a duration may be as long as `total_seconds`.
DURATION_BOUNDS: Final = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68, 655.36,
)  # fmt: skip
FIRST_TOKEN_BOUNDS: Final = (
    0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0, 120.0,
)  # fmt: skip
PER_TOKEN_BOUNDS: Final = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.075,
    0.1,
    0.15,
    0.2,
    0.3,
    0.4,
    0.5,
    0.75,
    1.0,
    2.5,
)
TOKEN_BOUNDS: Final = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0)
OVERHEAD_BOUNDS: Final = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)
WAIT_BOUNDS: Final = (0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)
STORE_BOUNDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)


class Names:
    """The values a label may have: the first `most` that come, then `other`; `none` for nothing."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def bounded(self, name: str) -> str:
        """The label for this name."""
        if name not in self._known:
            if len(self._known) >= self._most:
                return "other"
            self._known.add(name)
        return name or "none"


def added_up(name: str, help_text: str, registry: CollectorRegistry, labels: tuple[str, ...] = ()) -> Gauge:
    """A gauge of which every living worker has a share."""
    return Gauge(name, help_text, labels, registry=registry, multiprocess_mode="livesum")


def agreed(name: str, help_text: str, registry: CollectorRegistry, labels: tuple[str, ...] = ()) -> Gauge:
    """What all workers know alike: the latest of them is right."""
    return Gauge(name, help_text, labels, registry=registry, multiprocess_mode="livemostrecent")


def histogram(
    name: str, help_text: str, registry: CollectorRegistry, bounds: tuple[float, ...], labels: tuple[str, ...] = ()
) -> Histogram:
    """A histogram with these upper bounds and +Inf."""
    return Histogram(name, help_text, labels, buckets=bounds, registry=registry)
