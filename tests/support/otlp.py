"""A collector: takes OTLP over HTTP and decodes it with OpenTelemetry's own protobufs."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support.running import wait_until

Attributes = dict[str, Any]  # of strings, numbers and lists of strings


class Collector:
    """What has arrived."""

    def __init__(self) -> None:
        self.spans: list[Any] = []  # decoded messages
        self.resources: list[Attributes] = []
        self.authorizations: set[str | None] = set()
        self.url = ""

    def take(self, body: bytes, authorization: str | None) -> None:
        self.authorizations.add(authorization)
        request = ExportTraceServiceRequest.FromString(body)
        for group in request.resource_spans:
            self.resources.append(attributes_of(group.resource))
            for scope in group.scope_spans:
                self.spans += scope.spans

    def trace(self, trace_id: str, count: int) -> list[Any]:
        """The spans of a trace, by their start, once there are so many."""

        def found() -> list[Any]:
            return [span for span in list(self.spans) if span.trace_id.hex() == trace_id]

        wait_until(lambda: len(found()) >= count, f"{count} spans of {trace_id}")
        assert len(found()) == count
        return sorted(found(), key=lambda span: (span.start_time_unix_nano, -span.end_time_unix_nano))


def attributes_of(message: Any) -> Attributes:  # a span or a resource
    """The attributes of a message as plain values."""
    found: Attributes = {}
    for pair in message.attributes:
        kind = pair.value.WhichOneof("value")
        value = getattr(pair.value, kind)
        found[pair.key] = [each.string_value for each in value.values] if kind == "array_value" else value
    return found


@contextmanager
def collector() -> Iterator[Collector]:
    """A collector on a free port."""
    taken = Collector()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            taken.take(body, self.headers.get("authorization"))
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        taken.url = f"http://127.0.0.1:{server.server_port}/v1/traces"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield taken
        finally:
            server.shutdown()
            thread.join()
