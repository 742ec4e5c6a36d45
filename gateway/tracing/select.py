"""Loads OpenTelemetry only where traces are sent: it may be absent, and costs every worker 15 MB where it is not."""

from importlib import import_module

from gateway.config.settings import TracingSettings
from gateway.tracing.spans import Exporter


def create_exporter(settings: TracingSettings) -> Exporter | None:
    """The exporter these settings ask for, None for none. ImportError where the extra `otel` is missing."""
    if not settings.endpoint:
        return None
    exporter: Exporter = import_module("gateway.tracing.otlp").connect(settings)
    return exporter
