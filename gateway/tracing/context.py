"""W3C trace context: the trace a request belongs to, read from its headers or begun here, and the ids of its calls.

https://www.w3.org/TR/trace-context/
"""

import random
import re
from dataclasses import dataclass, field

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_MOST_STATE = 512  # characters that have to be passed on; longer ones may be dropped
_SAMPLED = 1


@dataclass(slots=True)
class Trace:
    """One request's place in a trace. `parent_id` is empty where the trace begins here."""

    trace_id: str
    span_id: str
    parent_id: str = ""
    state: str = ""
    is_sampled: bool = False
    began_ns: int = 0  # unix nanoseconds at the request's arrival
    _calls: dict[float, str] = field(default_factory=dict)  # span ids of upstream calls, by when they started

    def call_headers(self, started: float) -> tuple[tuple[str, str], ...]:
        """The headers of an upstream call that starts at this moment (any clock, used as its name)."""
        parent = (TRACEPARENT, self.call_parent(started))
        return (parent, (TRACESTATE, self.state)) if self.state else (parent,)

    def call_parent(self, started: float) -> str:
        """The traceparent of the upstream call that started at this moment."""
        span_id = self._calls.get(started)
        if span_id is None:
            span_id = self._calls[started] = new_span_id()
        return f"00-{self.trace_id}-{span_id}-{'01' if self.is_sampled else '00'}"


def read_trace(traceparent: str | None, tracestate: str | None, sample_ratio: float) -> Trace:
    """The trace of a request by its headers; a new one where they name none. A caller's decision to sample holds."""
    found = _TRACEPARENT.fullmatch(traceparent.strip()) if traceparent else None
    if found is None or not _is_valid(found):
        return Trace(_new_trace_id(), new_span_id(), is_sampled=random.random() < sample_ratio)
    state = (tracestate or "").strip()
    return Trace(
        trace_id=found[2],
        span_id=new_span_id(),
        parent_id=found[3],
        state=state if len(state) <= _MOST_STATE and state.isascii() and state.isprintable() else "",
        is_sampled=bool(int(found[4], 16) & _SAMPLED),
    )


def new_span_id() -> str:
    """Sixteen hex digits, not all zero."""
    return f"{random.getrandbits(64) or 1:016x}"


def _new_trace_id() -> str:
    return f"{random.getrandbits(128) or 1:032x}"


def _is_valid(found: re.Match[str]) -> bool:
    """Version 255 is forbidden, version 0 has no more fields, and zeros are nobody's id."""
    version, trace_id, parent_id, _, rest = found.groups()
    return version != "ff" and not (version == "00" and rest) and int(trace_id, 16) != 0 and int(parent_id, 16) != 0
