"""What a span says, in OpenTelemetry's words for generative AI. Values only; sending them is the exporter's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

Attribute = str | int | float | bool | Sequence[str]

OPERATION: Final = "chat"
PROVIDER: Final = "cloudflare.workers_ai"


@dataclass(slots=True, frozen=True)
class Span:
    """One span. Times are unix nanoseconds; `error` is empty where all went well."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    is_server: bool  # a request to the gateway, else a call to the upstream
    start_ns: int
    end_ns: int
    error: str = ""
    state: str = ""
    has_remote_parent: bool = False
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


class Exporter(Protocol):
    """Takes finished spans; never waits for anybody."""

    def export(self, spans: Sequence[Span]) -> None:
        """Send these, some time."""
        ...

    def close(self) -> None:
        """Send what waits, for a bounded time."""
        ...
