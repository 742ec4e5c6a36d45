"""Why a choice ended: named, derived, never missing."""

import pytest

from gateway.core.answer import Usage
from gateway.upstreams.workers_ai.reasons import finish_reason


@pytest.mark.parametrize(
    ("named", "completion_tokens", "has_calls", "reason"),
    [
        (None, 5, False, "stop"),
        (None, 10, False, "length"),
        (None, 11, False, "length"),
        (None, None, False, "stop"),
        (None, 10, True, "tool_calls"),
        ("stop", 10, False, "stop"),
        ("stop", 5, True, "tool_calls"),
        ("length", 5, True, "length"),
        ("model_length", 5, False, "length"),
        ("max_tokens", 5, False, "length"),
        ("tool_calls", 5, True, "tool_calls"),
        ("tool_calls", 5, False, "stop"),
        ("content_filter", 5, False, "content_filter"),
        ("STOP", 5, False, "stop"),
        ("other", 5, False, "stop"),
        ("unknown", 10, False, "length"),
        ("", 10, False, "length"),
    ],
)
def test_finish_reason_is_named_or_derived(
    named: str | None, completion_tokens: int | None, has_calls: bool, reason: str
) -> None:
    usage = None if completion_tokens is None else Usage(1, completion_tokens)
    assert finish_reason(named, usage, 10, has_calls=has_calls) == reason
