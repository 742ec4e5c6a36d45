"""Why a choice ended, in OpenAI's words. Workers AI names it in some shapes, in words of its own, or not at all."""

from typing import Final

from gateway.core.answer import FinishReason, Usage

_REASONS: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "length": "length",
    "model_length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}

ERROR_REASON: Final = "error"
"""The engine gave up: an answer that ends so is a failure, not an answer."""


def finish_reason(named: str | None, usage: Usage | None, max_tokens: int, *, has_calls: bool) -> FinishReason:
    """The reason to tell. `named` is the upstream's word; words not known here (`other`, `unknown`) count as none.

    `length` is what remains when the budget is used up and nothing else is named; `tool_calls` is told exactly when
    there are calls, unless they were cut by length.
    """
    reason = _REASONS.get(named.lower()) if named else None
    if reason in ("length", "content_filter"):
        return reason
    if has_calls:
        return "tool_calls"
    if reason is None and usage is not None and usage.completion_tokens >= max_tokens:
        return "length"
    return "stop"
