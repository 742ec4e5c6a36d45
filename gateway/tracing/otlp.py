"""Sends spans with OpenTelemetry's own SDK: batches, from a thread, by OTLP over HTTP. The one home of the library."""

from collections.abc import Callable, Sequence
from typing import Final

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.trace.status import Status, StatusCode

from gateway import __version__
from gateway.client.account import is_loopback
from gateway.config.settings import TracingSettings
from gateway.tracing.spans import Exporter, Span

_NAME: Final = "workers-ai-gateway"
_CLOSING_MS: Final = 3_000
_SEND_SECONDS: Final = 5.0
_EVERY_MS: Final = 2_000


class OtlpExporter:
    """See `spans.Exporter`."""

    def __init__(self, settings: TracingSettings) -> None:
        session = requests.Session()
        session.trust_env = not is_loopback(settings.endpoint)  # a proxy would reach another machine under that name
        headers = {"authorization": settings.authorization} if settings.authorization else {}
        exporter = OTLPSpanExporter(endpoint=settings.endpoint, headers=headers, timeout=_SEND_SECONDS, session=session)
        self._processor = BatchSpanProcessor(exporter, schedule_delay_millis=_EVERY_MS)
        self._resource = Resource({"service.name": _NAME, "service.version": __version__})
        self._scope = InstrumentationScope(_NAME, __version__)

    def export(self, spans: Sequence[Span]) -> None:
        for span in spans:
            self._processor.on_end(self._readable(span))

    def close(self) -> None:
        self._processor.force_flush(_CLOSING_MS)
        shut_down: Callable[[], object] = self._processor.shutdown  # has no types of its own
        shut_down()

    def _readable(self, span: Span) -> ReadableSpan:
        return ReadableSpan(
            name=span.name,
            context=_context(span.trace_id, span.span_id, span.state, is_remote=False),
            parent=_context(span.trace_id, span.parent_id, span.state, is_remote=span.has_remote_parent)
            if span.parent_id
            else None,
            resource=self._resource,
            attributes=dict(span.attributes),
            kind=SpanKind.SERVER if span.is_server else SpanKind.CLIENT,
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
            start_time=span.start_ns,
            end_time=span.end_ns,
            instrumentation_scope=self._scope,
        )


def connect(settings: TracingSettings) -> Exporter:
    """The exporter, as `tracing.select` creates it."""
    return OtlpExporter(settings)


def _context(trace_id: str, span_id: str, state: str, *, is_remote: bool) -> SpanContext:
    return SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote, TraceFlags(TraceFlags.SAMPLED), TraceState.from_header([state])
    )
