"""Which exporter there is, if any."""

from importlib.util import find_spec

from support.needs import need

from gateway.config.settings import TracingSettings
from gateway.tracing.select import create_exporter


def test_no_endpoint_is_no_exporter() -> None:
    assert create_exporter(TracingSettings()) is None


def test_endpoint_is_an_exporter_that_nobody_waits_for() -> None:
    need(find_spec("opentelemetry"), "OpenTelemetry (the extra otel)")
    exporter = create_exporter(TracingSettings(endpoint="http://127.0.0.1:9/v1/traces"))
    assert exporter is not None
    exporter.close()
