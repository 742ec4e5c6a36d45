"""W3C trace context: what is a trace's header, what is none, and what goes on."""

import pytest

from gateway.tracing.context import Trace, new_span_id, read_trace

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_callers_trace_goes_on() -> None:
    trace = read_trace(f"00-{TRACE}-{PARENT}-01", "a=1,b=2", 0.0)
    assert (trace.trace_id, trace.parent_id, trace.state, trace.is_sampled) == (TRACE, PARENT, "a=1,b=2", True)
    assert trace.span_id not in (PARENT, "")


def test_callers_decision_not_to_sample_holds() -> None:
    assert not read_trace(f"00-{TRACE}-{PARENT}-00", None, 1.0).is_sampled


def test_later_versions_are_read_as_far_as_they_are_known() -> None:
    assert read_trace(f"cc-{TRACE}-{PARENT}-01-what-the-future-brings", None, 0.0).trace_id == TRACE


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{PARENT}-01",
    ],
)
def test_header_that_is_none_begins_a_trace(header: str | None) -> None:
    trace = read_trace(header, "a=1", 1.0)
    assert trace.trace_id != TRACE
    assert (trace.parent_id, trace.state, trace.is_sampled) == ("", "", True)
    assert not read_trace(header, None, 0.0).is_sampled


@pytest.mark.parametrize("state", ["x" * 513, "a=\r\nb", "a=ü"])
def test_state_that_cannot_be_passed_on_is_dropped(state: str) -> None:
    assert read_trace(f"00-{TRACE}-{PARENT}-01", state, 1.0).state == ""


def test_each_call_has_its_span() -> None:
    trace = Trace(TRACE, PARENT, is_sampled=True, state="a=1")
    first, second = trace.call_headers(1.0), trace.call_headers(2.0)
    assert first != second
    assert first[0] == ("traceparent", trace.call_parent(1.0))
    assert first[1] == ("tracestate", "a=1")
    assert trace.call_parent(1.0) == trace.call_parent(1.0)
    assert len(new_span_id()) == 16
