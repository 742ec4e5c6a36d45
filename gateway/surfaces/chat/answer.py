"""Writes a complete answer as OpenAI's `chat.completion` object, and what it shares with the streamed form.

It adds nothing to what the upstream said; a finish reason that contradicts the tool calls is put right, because
clients trust the reason more than the calls.
"""

from typing import Any

import msgspec

from gateway.core.answer import Completion, FinishReason, Usage
from gateway.core.call import Call
from gateway.core.contracts import Answer

_encode = msgspec.json.Encoder().encode
_SEPARATORS = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))


def escape_separators(data: bytes) -> bytes:
    """JSON without raw U+2028, U+2029 and U+0085: several clients split lines on them. Only strings can have them."""
    for raw, escaped in _SEPARATORS:
        if raw in data:
            data = data.replace(raw, escaped)
    return data


def closing_reason(reason: FinishReason, has_calls: bool, call: Call) -> str:
    """The finish reason a client may believe: `tool_calls` if there are any, unless they were cut, and only then."""
    if reason == "length" or reason == "content_filter":
        return reason
    if not has_calls:
        return "stop"
    return "function_call" if call.legacy_functions else "tool_calls"


def usage_object(usage: Usage) -> dict[str, Any]:  # integers and objects of integers
    """OpenAI's `usage`: every detail an integer, none null."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def render(answer: Answer, call: Call) -> bytes:
    """The body of a 200. `system_fingerprint` is left out: it is deprecated, and null is outside of its schema."""
    return escape_separators(
        _encode(
            {
                "id": answer.id,
                "object": "chat.completion",
                "created": answer.created,
                "model": answer.model,
                "choices": [_choice(index, choice, call) for index, choice in enumerate(answer.choices)],
                "usage": usage_object(answer.usage),
                "service_tier": "default",
            }
        )
    )


def _choice(index: int, completion: Completion, call: Call) -> dict[str, Any]:  # JSON of mixed types
    calls = completion.tool_calls
    message: dict[str, Any] = {  # JSON of mixed types
        "role": "assistant",
        # OpenAI has null beside tool calls; text that came with them is kept.
        "content": (completion.text or None) if calls else completion.text,
        "refusal": None,
        "annotations": [],
    }
    if calls and call.legacy_functions:
        message["function_call"] = {"name": calls[0].name, "arguments": calls[0].arguments}
    elif calls:
        message["tool_calls"] = [
            {"id": item.id, "type": "function", "function": {"name": item.name, "arguments": item.arguments}}
            for item in calls
        ]
    return {
        "index": index,
        "message": message,
        "logprobs": None,
        "finish_reason": closing_reason(completion.finish_reason, bool(calls), call),
    }
