"""Prometheus metrics: what a worker counts, and the listener on which the parent serves the sum over all workers.

The one home of prometheus-client. Every label is bounded: models are the configured ones, projects are named up to a
cap and called `other` past it, the rest are fixed words. No metric carries a key, a prompt or a client's address.
Names that OpenTelemetry's conventions for generative AI have are theirs, as Prometheus writes them.
"""

from gateway.metrics.listener import DIRECTORY_VARIABLE, MetricsListener, join_slot
from gateway.metrics.standing import BreakerState, LimitStanding, ModelStanding, Standing
from gateway.metrics.worker import Metrics

__all__ = [
    "DIRECTORY_VARIABLE",
    "BreakerState",
    "LimitStanding",
    "Metrics",
    "MetricsListener",
    "ModelStanding",
    "Standing",
    "join_slot",
]
